"""How sure a pass is, which step fails, how long answers take: of many calls, with intervals. Pure.

What speaks of other callers is resampled by callers; see ``resampling``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from piopiy_lab.checks.arguments import check_count
from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.figures import resampling, statistics
from piopiy_lab.experiments.figures.listing import Listing
from piopiy_lab.experiments.figures.resampling import LEAST_FOR_P95, Statistic
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.figures.statistics import Share, share_of, upper_bound

#: An answer that takes longer is called late, seconds.
LATE_SECS = 1.0
#: So many units at least must be resampled for an interval of a 95th percentile.
UNITS_FOR_P95 = 40


@dataclass(frozen=True)
class PassRate(Share):
    """How many calls passed, and what is known of the share that would.

    ``str`` reads "18 of 20, 0.90 (0.70 to 0.97)", ``float`` is the share. The interval is Wilson's
    over calls, and speaks of these callers.

    Attributes:
        callers: How many callers there were.
        among_callers: Lower and upper end over callers like these, 95 %: callers are resampled;
            where all calls passed, or none did, Wilson's over callers. None for fewer than six, and
            where each called once, which is the interval itself.
    """

    callers: int = 0
    among_callers: tuple[float, float] | None = None

    def __str__(self) -> str:
        told = super().__str__()
        if self.among_callers is None:
            return told
        low, high = self.among_callers
        return f"{told}; of callers like these {low:.2f} to {high:.2f}"

    @property
    def passed(self) -> int:
        """How many passed."""
        return self.count

    @property
    def rate(self) -> float:
        """The share of calls that passed, 0 to 1."""
        return self.share


@dataclass(frozen=True)
class Chance:
    """pass@k or pass^k: the mean over callers, each with its own runs.

    Attributes:
        estimator: How it was estimated.
        k: Of how many runs it speaks.
        value: 0 to 1.
        low: Lower end over callers like these, 95 %, callers resampled; None for fewer than six.
        high: Upper end.
        callers: How many there were.
    """

    estimator: str
    k: int
    value: float
    low: float | None
    high: float | None
    callers: int

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        ends = "" if self.low is None else f" ({self.low:.2f} to {self.high:.2f})"
        of = f"{self.callers} caller{'' if self.callers == 1 else 's'}"
        return f"{self.value:.2f}{ends}, {self.estimator}, k={self.k}, mean of {of}"


@dataclass(frozen=True)
class FailingStep:
    """One step, or check, that failed.

    Attributes:
        step: The caller's step, or the check's name; where there was none, the error: its text, or
            its type and place if several texts came from one; without one what became of the call.
        callers: Whose.
        share: In how many of these callers' calls.
        worst: The first call that it failed in: caller and run.
    """

    step: str
    callers: tuple[str, ...]
    share: Share
    worst: tuple[str, int]


@dataclass(frozen=True)
class Figure:
    """One figure of many calls.

    Attributes:
        name: "mean", "p50", "p95" or "late".
        value: Seconds; of "late" a share, 0 to 1; None without answers.
        low: Lower end of its 95 % interval; None where there can be none.
        high: Its upper end.
        n: Of how many answers; of "mean" of how many calls.
        why: Why there is no interval; None if there is one.
        at_most: Of p95, where each caller gave one answer: what it is not above, 95 % sure,
            whatever the distribution: the longest of 59 answers, say. None otherwise, for the
            answers of one caller are alike.
        missing: How many answers never came, and are in no figure: a slow one that the caller did
            not wait for is among them.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    why: str | None = None
    at_most: float | None = None
    missing: int = 0

    def __float__(self) -> float:
        return math.nan if self.value is None else self.value

    def __str__(self) -> str:
        if self.value is None:
            return "none"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def _mean(row: CallRow) -> Sequence[float]:
    return () if row.mean is None else (row.mean,)


#: Of an answer's seconds, or of a call's.
OF_ANSWERS: dict[str, tuple[str, Callable[[CallRow], Sequence[float]], Statistic]] = {
    "mean": ("mean of a call's answers", _mean, resampling.mean),
    "p50": ("half of all answers are faster", lambda row: row.answers, resampling.percentile(50)),
    "p95": ("95 of 100 answers are faster", lambda row: row.answers, resampling.percentile(95)),
    "late": (
        f"share of answers over {LATE_SECS:g} s",
        lambda row: tuple(float(secs > LATE_SECS) for secs in row.answers),
        resampling.mean,
    ),
}


def pass_rate(rows: Sequence[CallRow], *, seed: int = 1) -> PassRate:
    """Return how many passed, with Wilson's interval, and over callers from six on."""
    passed = sum(row.passed for row in rows)
    callers = [row.whose for row in rows]
    among = None
    units = resampling.units_of(callers)
    if units.of_callers and units.callers < len(rows):
        if 0 < passed < len(rows):
            values = [(float(row.passed),) for row in rows]
            of = resampling.bootstrap(values, callers, resampling.mean, seed=seed)
            among = resampling.interval(of, 0, 1)
        else:
            among = statistics.wilson(units.callers if passed else 0, units.callers)
    low, high = statistics.wilson(passed, len(rows))
    return PassRate(passed, len(rows), low, high, len(set(callers)), among)


def pass_at(rows: Sequence[CallRow], k: int, *, seed: int = 1) -> Chance:
    """Return pass@k: that at least one of k runs passes."""
    name = "pass@k = 1 - C(n-c,k)/C(n,k)"
    return _chance(rows, k, statistics.pass_at, name, seed)


def pass_hat(rows: Sequence[CallRow], k: int, *, seed: int = 1) -> Chance:
    """Return pass^k: that all of k runs pass."""
    return _chance(rows, k, statistics.pass_hat, "pass^k = C(c,k)/C(n,k)", seed)


def _chance(
    rows: Sequence[CallRow], k: int, of: Callable[[int, int, int], float], name: str, seed: int
) -> Chance:
    check_count("k", k, least=1)
    if not rows:
        raise ArgumentError(f"{name}: there are no calls")
    callers = list(dict.fromkeys(row.whose for row in rows))
    each: list[tuple[float]] = []
    for caller in callers:
        runs = [row.passed for row in rows if row.whose == caller]
        each.append((of(len(runs), sum(runs), k),))
    low = high = None
    if len(callers) >= resampling.LEAST_UNITS:
        if len(set(each)) > 1:
            of_them = resampling.bootstrap(each, callers, resampling.mean, seed=seed)
            low, high = resampling.interval(of_them, 0, 1)
        else:  # all alike: as so many of so many callers
            low, high = statistics.wilson(round(each[0][0] * len(each)), len(each))
    value = math.fsum(value for (value,) in each) / len(each)
    return Chance(name, k, value, low, high, len(callers))


def failing_steps(rows: Sequence[CallRow]) -> Listing[FailingStep]:
    """Return which step or check fails, in which share of its callers' calls: the worst first.

    Errors of one type from one line are one, whatever their texts say.
    """
    failed: dict[str, list[CallRow]] = {}
    for row in rows:
        if not row.passed:
            failed.setdefault(cause_of_row(row), []).append(row)
    found: list[FailingStep] = []
    for cause, those in failed.items():
        told = {row.error for row in those if row.error and not row.failing_step}
        step = next(iter(told)) if len(told) == 1 else cause
        callers = tuple(dict.fromkeys(row.caller for row in those))
        n = sum(row.caller in callers for row in rows)
        share = share_of(len(those), n)
        found.append(FailingStep(step, callers, share, (those[0].caller, those[0].run)))
    found.sort(key=lambda one: (-one.share.share, one.step))
    return Listing(found, _STEPS, "no step failed")


#: The end of an error's text: "(desk.py, line 12, in book: raise KeyError(number))".
_PLACE = re.compile(r" \((?P<place>[^()]+, line \d+, in [^:]+): .*\)$", re.DOTALL)


def cause_of_row(row: CallRow) -> str:
    """Return why a call did not pass: its step or check; else the error's type and place.

    What an error's text says is left out where it has a place, so ``KeyError: 'order 7'`` and
    ``KeyError: 'order 8'`` of one line are one. Of a call that passed it is its kind.
    """
    error = row.error or ""
    if row.failing_step or not error:
        return row.failing_step or row.kind
    place, kind = _PLACE.search(error), re.match(r"\w+", error)
    return error if place is None or kind is None else f"{kind[0]} ({place['place']})"


def latency(rows: Sequence[CallRow], *, seed: int = 1) -> Listing[Figure]:
    """Return mean, p50, p95 and the share over 1 s of the answers, each with its interval."""
    return Listing([figure(rows, name, seed=seed) for name in OF_ANSWERS], _FIGURES, "no calls")


def figure(rows: Sequence[CallRow], name: str, *, seed: int = 1) -> Figure:
    """Return one figure of the answers.

    Args:
        rows: The calls.
        name: A key of :data:`OF_ANSWERS`.
        seed: Of the resampling.
    """
    _, values_of, statistic = OF_ANSWERS[name]
    answered = [row for row in rows if row.answers]
    values = [values_of(row) for row in answered]
    callers = [row.whose for row in answered]
    n, missing = sum(map(len, values)), sum(row.lacking for row in rows)
    if not n:
        return Figure(name, None, None, None, 0, "no answers", None, missing)
    units = resampling.units_of(callers)
    value = resampling.once(resampling.gathered(values, units), statistic)
    every = [secs for row in answered for secs in row.answers]
    bound = upper_bound(every) if name == "p95" and len(set(callers)) == n else None
    why = why_no_interval(name, units, n)
    if why is not None:
        return Figure(name, value, None, None, n, why, bound, missing)
    of = resampling.bootstrap(values, callers, statistic, seed=seed)
    low, high = resampling.interval(of, 0, 1 if name == "late" else math.inf)
    return Figure(name, value, low, high, n, None, bound, missing)


def why_no_interval(name: str, units: resampling.Units, answers: int) -> str | None:
    """Return why a figure has no interval; None if it has one."""
    if units.why_not is not None:
        return units.why_not
    if name != "p95":
        return None
    if answers < LEAST_FOR_P95:
        return f"{answers} answers: {LEAST_FOR_P95} at least for an interval of p95"
    if len(units.members) < UNITS_FOR_P95:
        what = "callers" if units.of_callers else "calls"
        return f"{len(units.members)} {what}: {UNITS_FOR_P95} at least for an interval of p95"
    return None


_STEPS: dict[str, Callable[[FailingStep], str]] = {
    "step": lambda one: one.step,
    "failed": lambda one: str(one.share),
    "callers": lambda one: ", ".join(one.callers),
    "first": lambda one: f"calls[{one.worst[0]!r}, {one.worst[1]}]",
}


def _told(one: Figure) -> str:
    notes = [one.why] if one.why else []
    if one.missing:
        notes.append(f"{one.missing} answer{'' if one.missing == 1 else 's'} never came")
    if one.at_most is not None:
        notes.append(f"at most {one.at_most:.3f}, 95 % sure")
    return "; ".join(notes)


_FIGURES: dict[str, Callable[[Figure], str]] = {
    "answers": lambda one: f"over {LATE_SECS:g} s" if one.name == "late" else one.name,
    "seconds, or share": str,
    "of": lambda one: f"{one.n} {'calls' if one.name == 'mean' else 'answers'}",
    "": _told,
}
