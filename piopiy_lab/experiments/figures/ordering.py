"""Which calls are the worst: those that did not pass first, then the slowest. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeAlias, get_args

from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.figures.rows import CallRow, Kind

#: What makes one call worse than another that passed as well.
By: TypeAlias = Literal["p95", "p50", "mean", "max", "interruptions", "secs"]

_VALUES: Mapping[str, Callable[[CallRow], float | None]] = {
    "p95": lambda row: row.p95,
    "p50": lambda row: row.p50,
    "mean": lambda row: row.mean,
    "max": lambda row: max(row.answers, default=None),
    "interruptions": lambda row: row.interruptions,
    "secs": lambda row: row.secs,
}
#: What went wrong for good first.
_KINDS: tuple[Kind, ...] = ("died", "hung", "raised", "failed", "passed")


def worst_first(rows: Iterable[CallRow], by: By = "p95") -> list[CallRow]:
    """Return rows with the worst first: those that did not pass, then those with the most of it.

    Args:
        rows: The rows; those that are alike keep their order.
        by: "p95", "p50", "mean" or "max" of the answers' seconds, "interruptions", or the call's
            "secs"; a call without it comes last.

    Raises:
        ArgumentError: Another ``by``.
    """
    if by not in get_args(By):
        raise ArgumentError(f"by={by!r}: give one of {', '.join(map(repr, get_args(By)))}")
    value = _VALUES[by]

    def place(row: CallRow) -> tuple[int, float]:
        found = value(row)
        return _KINDS.index(row.kind), math.inf if found is None else -found

    return sorted(rows, key=place)


def groups_of(rows: Iterable[CallRow]) -> dict[str, list[CallRow]]:
    """Return the rows of each caller by name, in order."""
    groups: dict[str, list[CallRow]] = {}
    for row in rows:
        groups.setdefault(row.caller, []).append(row)
    return groups
