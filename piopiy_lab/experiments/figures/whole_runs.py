"""Runs of several calls that pass or fail as one, as those of a repeated test do. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from piopiy_lab.experiments.figures.rows import CallRow, Kind


def passes_of(rows: Sequence[CallRow]) -> list[CallRow]:
    """Return a row for each run, with its outcome: a run of three calls is one pass, not three.

    Args:
        rows: The calls; those of a run have its number and its outcome.
    """
    runs: dict[tuple[int, int | None], CallRow] = {}
    for row in rows:
        runs.setdefault((row.run, row.seed), row)
    return [
        CallRow(index, "run", row.run, row.seed, row.kind)
        for index, row in enumerate(runs.values())
    ]


def completed(rows: Sequence[CallRow], other: Sequence[CallRow]) -> list[CallRow]:
    """Return calls with those that a broken run did not come to, as the other side made them.

    A first call that fails ends the test, so its run has no second one: that call is there as one
    that failed, none of whose answers came. Where a run passed and no run has such a call, the test
    makes it no more, and nothing is put in its place.

    Args:
        rows: The calls, of one side.
        other: The other side's, whose runs are the same or others.
    """
    kinds: dict[tuple[int, int | None], Kind] = {(row.run, row.seed): row.kind for row in rows}
    there = {(row.caller, row.run, row.seed) for row in rows}
    callers = {row.caller for row in rows}
    found = list(rows)
    for row in other:
        run = (row.run, row.seed)
        if run not in kinds or (row.caller, *run) in there:
            continue
        if kinds[run] == "passed" and row.caller not in callers:
            continue
        missing = max(1, row.missing + len(row.answers))
        found.append(
            CallRow(len(found), row.caller, row.run, row.seed, kinds[run], missing=missing)
        )
    return [replace(row, index=index) for index, row in enumerate(found)]
