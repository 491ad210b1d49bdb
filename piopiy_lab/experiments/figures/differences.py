"""What differs between two agents who heard the same: each figure with interval and verdict. Pure.

Pairs are one caller's one run with either agent. Callers are resampled, both agents with the same
draw (``resampling``); pass and fail are McNemar's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from piopiy_lab.experiments.figures import resampling, statistics
from piopiy_lab.experiments.figures.how_sure import LATE_SECS, OF_ANSWERS, why_no_interval
from piopiy_lab.experiments.figures.needed import SEEN, calls_for
from piopiy_lab.experiments.figures.resampling import Statistic
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.figures.statistics import ALPHA, mcnemar

#: Of one figure: certain in one direction; all pairs alike; neither.
Verdict = Literal["better", "worse", "the same", "can't tell"]
Unit = Literal["s", "share", "count"]


#: A scatter below that is the floats' own.
_NOISE = 1e-9


class RowPair(NamedTuple):
    """One caller's one run, with either agent."""

    before: CallRow
    after: CallRow

    @property
    def caller(self) -> str:
        """Who called."""
        return self.before.caller

    @property
    def whose(self) -> str:
        """Who is resampled: the caller, or of whom all these recordings are."""
        return self.before.whose

    @property
    def run(self) -> int:
        """Which of that caller's calls, from 1."""
        return self.before.run

    @property
    def same(self) -> bool:
        """Whether both calls went the same way, to the last sample."""
        was, now = self.before, self.after
        return bool(was.course) and (was.course, was.kind) == (now.course, now.kind)


@dataclass(frozen=True)
class Metric:
    """A figure that is compared.

    Attributes:
        name: What it is asked for by.
        title: What it says in a table.
        unit: Seconds, a share 0 to 1, or how many a call.
        more_is_better: Whether a larger one is better.
        values: Of a call; none if it has none.
        statistic: What is made of the values of all calls.
    """

    name: str
    title: str
    unit: Unit
    more_is_better: bool
    values: Callable[[CallRow], Sequence[float]]
    statistic: Statistic = resampling.mean


@dataclass(frozen=True)
class Difference:
    """One figure of both agents.

    Attributes:
        metric: Which figure.
        before: Of the first agent; None without values.
        after: Of the second.
        low: Lower end of the 95 % interval of the difference, after less before; None where there
            can be none.
        high: Its upper end.
        p: How often chance alone gives a difference as large, 0 to 1: by exchanging the agents of a
            pair, of pass and fail by McNemar's exact test. None as with ``low``, and where no pair
            differs.
        p_of_all: The same, when all figures that differ anywhere are looked at (Holm).
        verdict: "better" or "worse" where the interval leaves out 0 and p is below 0.05; "the same"
            where no pair differs; else "can't tell".
        pairs: How many pairs it is of.
        units: How many callers were resampled, or calls where there are fewer than six callers.
        sd: Standard deviation of a unit's difference, in the figure's unit; None as with ``low``.
        why: Why there is no interval; None if there is one.
        missing: Of a latency: how many answers never came, of the first agent and of the second.
            The slowest are among them, so the one who lacks more is not called better, nor the one
            who lacks fewer worse.
    """

    metric: Metric
    before: float | None
    after: float | None
    low: float | None
    high: float | None
    p: float | None
    p_of_all: float | None
    verdict: Verdict
    pairs: int
    units: int
    sd: float | None
    why: str | None = None
    missing: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        """What it is asked for by: "pass", "mean", "p50", ..."""
        return self.metric.name

    @property
    def difference(self) -> float | None:
        """After less before; None without values."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def could_be_seen(self) -> float | None:
        """The least difference that these pairs would have shown four times in five.

        ``(1.96 + 0.84) sd / sqrt(units)``; None where nothing scatters, or nothing is known.
        """
        return None if not self.sd else SEEN * self.sd / math.sqrt(self.units)

    def needed(self, difference: float) -> int | None:
        """Return how many callers (calls, of fewer than six callers) show such a difference.

        Args:
            difference: In the figure's unit.

        Returns:
            None where these pairs don't tell how much they scatter.

        Raises:
            ArgumentError: The difference is 0.
        """
        return None if not self.sd else max(resampling.LEAST_UNITS, calls_for(difference, self.sd))


def _answers(name: str, title: str, unit: Unit = "s") -> Metric:
    _, values, statistic = OF_ANSWERS[name]
    return Metric(name, title, unit, False, values, statistic)


#: Kinds of calls that tell something of their figures: one that raised has used no tokens.
_ENDED = ("passed", "failed")


def _counted(name: str) -> Callable[[CallRow], Sequence[float]]:
    return lambda row: (float(getattr(row, name)),) if row.kind in _ENDED else ()


METRICS = (
    Metric("pass", "passed", "share", True, lambda row: (float(row.passed),)),
    _answers("mean", "mean of a call's answers"),
    _answers("p50", "p50 of all answers"),
    _answers("p95", "p95 of all answers"),
    _answers("late", f"answers over {LATE_SECS:g} s", "share"),
    Metric("interruptions", "interruptions a call", "count", False, _counted("interruptions")),
    Metric("tokens", "tokens a call", "count", False, _counted("tokens")),
    Metric(
        "words",
        "words not understood",
        "share",
        False,
        lambda row: (row.word_errors / row.words,) if row.words and row.kind in _ENDED else (),
    ),
)


def differences_of(pairs: Sequence[RowPair], *, seed: int = 1) -> tuple[Difference, ...]:
    """Return each figure's difference; figures that no call has are left out.

    Args:
        pairs: The pairs.
        seed: Of the resampling.
    """
    found = [_difference(metric, pairs, seed) for metric in METRICS]
    found = [_survived(one, pairs) if one.name in OF_ANSWERS else one for one in found]
    found = [one for one in found if one.name in ("pass", "mean") or one.pairs]
    adjusted = iter(statistics.holm([one.p for one in found if one.p is not None]))
    return tuple(one if one.p is None else replace(one, p_of_all=next(adjusted)) for one in found)


def missing_in(pairs: Sequence[RowPair]) -> tuple[int, int]:
    """Return how many answers never came, of either agent."""
    return sum(pair.before.lacking for pair in pairs), sum(pair.after.lacking for pair in pairs)


def _survived(one: Difference, pairs: Sequence[RowPair]) -> Difference:
    """Return a latency's difference with the answers that it lacks, and what they leave of it."""
    was, now = missing_in(pairs)
    flattered = {"better": now > was, "worse": was > now}.get(one.verdict, False)
    return replace(one, missing=(was, now), verdict="can't tell" if flattered else one.verdict)


def _difference(metric: Metric, pairs: Sequence[RowPair], seed: int) -> Difference:
    both = [(metric.values(pair.before), metric.values(pair.after)) for pair in pairs]
    kept = [i for i, (was, now) in enumerate(both) if was and now]
    was, now = [both[i][0] for i in kept], [both[i][1] for i in kept]
    callers = [pairs[i].whose for i in kept]
    units = resampling.units_of(callers)
    if not kept:
        why = "no call has it with both agents"
        return Difference(metric, None, None, None, None, None, None, "can't tell", 0, 0, None, why)
    before, after = (
        resampling.once(resampling.gathered(side, units), metric.statistic) for side in (was, now)
    )
    answers = min(sum(map(len, was)), sum(map(len, now)))
    why = why_no_interval(metric.name, units, answers)
    alike = all(tuple(a) == tuple(b) for a, b in zip(was, now, strict=True))
    n = len(units.members)
    verdict: Verdict = "the same" if alike else "can't tell"
    if why is not None:
        return Difference(
            metric, before, after, None, None, None, None, verdict, len(kept), n, None, why
        )
    if alike:  # nothing to be tested
        return Difference(metric, before, after, 0.0, 0.0, None, None, verdict, len(kept), n, 0.0)
    of = resampling.paired_bootstrap(was, now, callers, metric.statistic, seed=seed)
    most = 1 if metric.unit == "share" else math.inf
    low, high = resampling.interval(of, -most, most)
    sd = float(np.nanstd(of)) / units.widening * math.sqrt(n)
    sd = 0.0 if sd < _NOISE else sd
    if metric.name == "pass" and n == len(kept):
        p = mcnemar(*discordant_counts([pairs[i] for i in kept]))
        certain = p < ALPHA
    else:
        p = resampling.sign_flips(was, now, callers, metric.statistic, seed=seed)
        certain = p < ALPHA and (low > 0 or high < 0)
    if certain:
        verdict = "better" if (after > before) == metric.more_is_better else "worse"
    return Difference(metric, before, after, low, high, p, None, verdict, len(kept), n, sd)


def discordant_counts(pairs: Sequence[RowPair]) -> tuple[int, int]:
    """Return how many pairs passed only before, and how many only after."""
    worse = sum(pair.before.passed and not pair.after.passed for pair in pairs)
    better = sum(pair.after.passed and not pair.before.passed for pair in pairs)
    return worse, better


def change_of(pair: RowPair) -> float | None:
    """Return by how many seconds a pair's mean answer changed; None if one has none."""
    was, now = pair.before.mean, pair.after.mean
    return None if was is None or now is None else now - was


def by_change(pairs: Sequence[RowPair]) -> list[RowPair]:
    """Return pairs in the order in which one wants to hear them.

    Those that broke, those that mended, then those whose answers changed most.
    """

    def key(pair: RowPair) -> tuple[int, float]:
        place = {(True, False): 0, (False, True): 1}.get((pair.before.passed, pair.after.passed), 2)
        return place, -abs(change_of(pair) or 0.0)

    return sorted(pairs, key=key)
