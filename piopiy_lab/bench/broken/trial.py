"""``run_trial``: which check finds which planted fault, and how often the sound desk is blamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from piopiy_lab.bench.broken.callers import CALLERS
from piopiy_lab.bench.broken.desks import DESKS, FAULTS, SOUND
from piopiy_lab.bench.broken.trial_checks import CHECKS
from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.calls import Calls
from piopiy_lab.experiments.figures.listing import html_table, text_table
from piopiy_lab.experiments.figures.statistics import Share, share_of
from piopiy_lab.experiments.simulating import simulate_many
from piopiy_lab.redaction import shown
from piopiy_lab.session.replacing import Replacements

#: Which check is there for which fault.
MEANT: Mapping[str, str] = dict(zip(FAULTS, CHECKS, strict=True))
#: What the callers' own steps are called beside the checks: a reply that didn't come, say.
STEPS = "the screenplay"


@dataclass(frozen=True)
class Alarm:
    """A check that did not hold.

    Attributes:
        desk: The desk's name.
        caller: Who called.
        run: Which of that caller's calls, from 1.
        seed: Of ``perturb=`` in ``simulate``; None if nothing was changed.
        check: The check's name.
        why: What it said.
    """

    desk: str
    caller: str
    run: int
    seed: int | None
    check: str
    why: str


class Trial:
    """What the checks said of the desks. It shows itself as a table of faults and checks.

    Attributes:
        alarms: Every check that did not hold, in order.
        calls: How many calls each desk had, by its name.
        runs: How many runs: a run is one call of each caller.
    """

    def __init__(self, alarms: Sequence[Alarm], calls: Mapping[str, int], callers: int) -> None:
        """Take what was found; :func:`run_trial` makes it."""
        self.alarms = tuple(alarms)
        self.calls = dict(calls)
        self.runs = {name: count // callers for name, count in self.calls.items()}

    def found(self, fault: str) -> frozenset[str]:
        """Return the checks that found a desk's fault, in any of its calls.

        Raises:
            ArgumentError: No such desk was tried.
        """
        if fault not in self.calls:
            raise ArgumentError(f"no desk {fault!r} was tried: {', '.join(self.calls)} were")
        return frozenset(one.check for one in self.alarms if one.desk == fault)

    @property
    def missed(self) -> tuple[str, ...]:
        """The faults that the check which is there for them did not find."""
        return tuple(
            fault
            for fault in self.calls
            if fault != SOUND and MEANT[fault] not in self.found(fault)
        )

    @property
    def false_alarms(self) -> Share:
        """In how many of the sound desk's runs any check, or the screenplay, did not hold."""
        blamed = {one.run for one in self.alarms if one.desk == SOUND}
        return share_of(len(blamed), self.runs.get(SOUND, 0))

    def text(self) -> str:
        """Return the table as text."""
        told = [f"the sound desk is blamed in {self.false_alarms} runs"]
        if self.missed:
            told.append(f"not found: {', '.join(self.missed)}")
        first = [one for one in self.alarms if one.desk == SOUND][:3]
        told += [f"  {one.caller}, {one.run}: {one.check}: {shown(one.why)}" for one in first]
        return "\n".join([text_table(*self._table()), "", *told])

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Trial: {len(self.calls)} desks, {len(self.alarms)} alarms>"

    def _repr_html_(self) -> str:
        return f"<div>{html_table(*self._table())}<p>{self.false_alarms} runs blamed</p></div>"

    def to_records(self) -> list[Record]:
        """Return a record for each alarm."""
        return [vars(one) for one in self.alarms]

    def _table(self) -> tuple[list[str], list[list[str]]]:
        names = [*CHECKS, STEPS]
        rows: list[list[str]] = []
        for desk in self.calls:
            row = [desk]
            for check in names:
                runs = {(a.run) for a in self.alarms if a.desk == desk and a.check == check}
                told = f"{len(runs)} of {self.runs[desk]}" if runs else ""
                row.append(f"{told} *" if told and MEANT.get(desk) == check else told)
            rows.append(row)
        return ["desk (* the check that is there for it)", *names], rows


async def run_trial(
    desks: Sequence[str] | None = None,
    *,
    repeat: int = 1,
    perturb: int | None = None,
    replace: Replacements | None = None,
    executor: int | Executor | None = None,
) -> Trial:
    """Let every caller call every desk, and say which check found what.

    Args:
        desks: Names of :data:`DESKS`; None for all.
        repeat: How often each caller calls each desk; more than once, they are perturbed.
        perturb: As for ``simulate_many``.
        replace: As for ``simulate_many``: another recogniser, say.
        executor: As for ``simulate_many``.

    Raises:
        ArgumentError: No such desk.
    """
    names = list(DESKS) if desks is None else list(desks)
    for name in names:
        if name not in DESKS:
            raise ArgumentError(f"there is no desk {name!r}: there are {', '.join(DESKS)}")
    alarms: list[Alarm] = []
    counts: dict[str, int] = {}
    options: dict[str, Any] = {"repeat": repeat, "perturb": perturb, "replace": replace}
    for name in names:
        calls = await simulate_many(DESKS[name], CALLERS, executor=executor, **options)
        counts[name] = len(calls)
        alarms += _alarms(name, calls)
    return Trial(alarms, counts, len(CALLERS))


def _alarms(desk: str, calls: Calls) -> list[Alarm]:
    found: list[Alarm] = []
    for row in calls:
        why = dict[str, str]()
        if not row.passed:
            why[STEPS] = row.error or row.kind
        if row.kept:
            call = calls.call(row)
            for name, check in CHECKS.items():
                try:
                    check(call)
                except AssertionError as error:
                    why[name] = str(error)
        found += [
            Alarm(desk, row.caller, row.run, row.seed, name, said) for name, said in why.items()
        ]
    return found
