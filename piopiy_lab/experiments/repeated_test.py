"""A test whose body runs many times: which runs passed, where the others failed, how sure that is.

Knows no pytest but what :mod:`piopiy_lab.experiments.pytest_repeats` hands it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from piopiy_lab import events as ev
from piopiy_lab.checks.arguments import check_count, check_number
from piopiy_lab.checks.texts import described
from piopiy_lab.display.user_traceback import user_line
from piopiy_lab.errors import ArgumentError, PiopiyLabError
from piopiy_lab.experiments.figures.beforehand import too_few_for_difference, too_few_for_rate
from piopiy_lab.experiments.figures.needed import runs_needed
from piopiy_lab.experiments.figures.rows import CallRow, Kind, figures_of
from piopiy_lab.experiments.figures.statistics import Share, share_of
from piopiy_lab.redaction import redact_text

if TYPE_CHECKING:
    from piopiy_lab.call.call import Call
    from piopiy_lab.simulation.fixtures import SimulateFixture

#: What a failing run raises that says something of the agent; all else is the test's own fault.
ABOUT_THE_CALL = (AssertionError, PiopiyLabError, LookupError)  # no tool_calls[0], say
#: The most kinds of failure that a message lists.
MOST_LISTED = 8


@dataclass(frozen=True)
class Failure:
    """Why a run failed.

    Attributes:
        where: The caller's step, or else the test's line: the same for failures of one kind.
        told: What was raised, in one line.
    """

    where: str
    told: str


@dataclass
class RepeatedTest:
    """The runs of one test.

    Attributes:
        repeat: How many.
        min_pass_rate: What the share of those that pass must be shown to be, 0 to 1; None: all.
        min_difference: Seconds by which answers may be slower than a baseline's.
        rows: What became of each call of each run: "call-1" is a run's first.
        failures: Of the runs that failed, by their number.
    """

    repeat: int
    min_pass_rate: float | None = None
    min_difference: float = 0.1
    rows: list[CallRow] = field(default_factory=list[CallRow])
    failures: dict[int, Failure] = field(default_factory=dict[int, "Failure"])
    worst_calls: list[tuple[str, Call]] = field(default_factory=list["tuple[str, Call]"])
    _worst: tuple[bool, float] | None = None
    _few: bool = False  # so few runs, as --voice-repeat said, that they can't show the rate

    @classmethod
    def of(
        cls,
        *,
        repeat: int,
        min_pass_rate: float | None = None,
        min_difference: float = 0.1,
        asked: int | None = None,
    ) -> RepeatedTest:
        """Check what a mark says.

        Args:
            repeat: As in the mark.
            min_pass_rate: As in the mark.
            min_difference: As in the mark.
            asked: What ``--voice-repeat`` says in place of ``repeat``.

        Raises:
            ArgumentError: A value is out of range, or so many runs can't show that rate.
            ArgumentTypeError: One has the wrong type.
        """
        check_count("repeat", repeat, least=1)
        made = cls(repeat, min_pass_rate, check_number("min_difference", min_difference, 0, 60))
        if min_pass_rate is not None:
            check_number("min_pass_rate", min_pass_rate, 0, 0.999)
            needed = runs_needed(pass_rate=min_pass_rate)
            if repeat < needed:
                raise ArgumentError(
                    f"repeat={repeat!r} can't show min_pass_rate={min_pass_rate!r}: if all runs "
                    f"pass, that takes {needed} of them (the lower end of the 95 % interval)"
                )
            made._few = asked is not None and asked < needed
        if asked is not None:
            check_count("--voice-repeat", asked, least=1)
            made.repeat = asked
        return made

    def too_few(self, difference: bool) -> str | None:
        """Return what is to be said before the first run; None where the runs are enough.

        Args:
            difference: Whether the mark's ``min_difference`` is asked of a baseline.
        """
        if self._few and self.min_pass_rate is not None:
            told = too_few_for_rate(self.min_pass_rate, self.repeat)
            return f"{told}; so few fail only if they contradict it"
        if not difference or not self.min_difference:
            return None
        return too_few_for_difference(self.min_difference, 1, self.repeat)

    def run(
        self,
        number: int,
        body: Callable[[], object],
        simulate: SimulateFixture,
        failing: tuple[type[BaseException], ...] = (),
    ) -> None:
        """Run the body once.

        Args:
            number: Of the run, from 1: the seed of its callers.
            body: The test.
            simulate: Its fixture, which makes the calls.
            failing: What else says something of the agent: pytest.fail()'s exception.

        Raises:
            ArgumentError: The body made no call.
            Exception: What is not about the call: a mistake in the test.
        """
        __tracebackhide__ = True
        simulate.calls.clear()
        simulate.seed = number
        try:
            body()
        except (*ABOUT_THE_CALL, *failing) as error:
            if not simulate.calls:
                raise  # without a call it is the test that failed
            self.failures[number] = _failure(error, simulate.calls[-1][1])
        finally:
            simulate.seed = None
        if not simulate.calls:
            raise ArgumentError(
                f"run {number} made no call with the fixture simulate: a test that is "
                "repeated needs one"
            )
        self._note(number, simulate.calls)

    def _note(self, number: int, calls: list[tuple[str, Call]]) -> None:
        failed = self.failures.get(number)
        kind: Kind = "passed" if failed is None else "failed"
        told = None if failed is None else failed.told
        slowest = 0.0
        for place, (_, call) in enumerate(calls, 1):
            row = CallRow(len(self.rows), f"call-{place}", number, number, kind, told)
            row = replace(row, **figures_of(call))
            self.rows.append(row)
            slowest = max(slowest, row.p95 or 0.0)
        how_bad = (failed is not None, slowest)
        if calls and (self._worst is None or how_bad > self._worst):
            self._worst = how_bad
            self.worst_calls = [(f"{title} in run {number}".strip(), call) for title, call in calls]

    @property
    def passed(self) -> int:
        """How many runs passed."""
        done = len(self._runs)
        return done - len(self.failures)

    @property
    def _runs(self) -> list[int]:
        return list(dict.fromkeys(row.run for row in self.rows))

    def progress(self) -> str:
        """Return how far it is."""
        done = len(self._runs)
        first = f", the first that failed is run {min(self.failures)}" if self.failures else ""
        return f"run {done} of {self.repeat}: {self.passed} passed{first}"

    @property
    def pass_rate(self) -> Share:
        """The share of runs that passed."""
        return share_of(self.passed, self.repeat)

    def failure(self, runs: int | None = None) -> str | None:
        """Return why the test fails; None if it passes.

        Args:
            runs: How many there were; None for all.
        """
        runs = self.repeat if runs is None else runs
        rate = share_of(self.passed, runs)
        if self.min_pass_rate is None:
            if not self.failures:
                return None
            told = f"{rate}; without min_pass_rate all must"
        elif (rate.high if self._few else rate.low) >= self.min_pass_rate:
            return None
        else:
            told = self._below(rate, self.min_pass_rate)
        counted = Counter(failed.where for failed in self.failures.values()).most_common()
        listed = [self._listed(where, count, runs) for where, count in counted[:MOST_LISTED]]
        rest = len(counted) - MOST_LISTED
        return "\n".join(
            [
                f"runs that passed: {told}",
                *listed,
                *([f"  and {rest} other places"] if rest > 0 else []),
            ]
        )

    def _below(self, rate: Share, wanted: float) -> str:
        """Return the share, as exactly as needed to see that it is too low, and what it takes."""
        low, high = _rounded_down(rate.low), _rounded_down(rate.high)
        told = f"{rate.count} of {rate.n}, {rate.share:.3f} ({low} to {high})"
        told += f"; min_pass_rate={wanted!r} is above {high if self._few else low}"
        if self._few or rate.share < wanted:
            return told
        failed = rate.n - rate.count
        what = f"{failed} failure{'' if failed == 1 else 's'}"
        needed = runs_needed(pass_rate=wanted, failures=failed)
        return f"{told}, so it isn't shown: with {what} it takes {needed} runs"

    def _listed(self, where: str, count: int, runs: int) -> str:
        first = min(run for run, failed in self.failures.items() if failed.where == where)
        return (
            f"  {where}: {share_of(count, runs)}\n"
            f"    the first, simulate(..., perturb={first}): {self.failures[first].told}"
        )


def _rounded_down(share: float) -> str:
    """Write a share so that one below a limit never reads as the limit: 0.9496 as 0.949."""
    return f"{math.floor(1000 * share) / 1000:.3f}"


def _failure(error: BaseException, call: Call) -> Failure:
    steps = call.events.of(ev.CallerStepFailed)
    told = next(iter(described(error).splitlines()), type(error).__name__)
    where = steps[-1].step if steps else user_line(error) or type(error).__name__
    return Failure(redact_text(where), redact_text(told))
