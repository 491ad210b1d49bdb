"""What a setting of detector and turn rule does to callers: cut-offs, delay, intervals. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

import numpy as np

from piopiy_lab.call.shares import share_of
from piopiy_lab.call.transcript import clock_time
from piopiy_lab.turn_lab.judging import Gap
from piopiy_lab.turn_lab.rule import Rule

#: With fewer recordings they can't stand for others: then pauses and ends are resampled.
LEAST_RECORDINGS = 6
RESAMPLES = 2_000
LEVEL = 0.95


@dataclass(frozen=True)
class CutPause:
    """A pause that would have been cut.

    Attributes:
        recording: Whose.
        turn: Which of the caller's turns, from 1.
        at: When it begins, seconds.
        secs: How long it is; 0.0: no pause, only a breath.
        probability: How sure the turn model was of an end, 0 to 1; None: it was not asked.
    """

    recording: str
    turn: int
    at: float
    secs: float
    probability: float | None

    def __str__(self) -> str:
        sure = "" if self.probability is None else f", P(end) {self.probability:.2f}"
        what = f"{self.secs:.2f} s" if self.secs else "a breath"
        return f"{self.recording}, turn {self.turn}, {clock_time(self.at)}: {what}{sure}"


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval; without one where there is too little to resample."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class TurnScore:
    """What one setting does.

    Attributes:
        rule: The setting.
        pauses: How many pauses the callers made in their turns.
        cuts: Those that would have been cut.
        ends: How many turns there are.
        slow: How many of their ends the turn model took for unfinished.
        missed: How many were never decided: nothing was heard of their last words.
        delays: Seconds from each decided end of speech to the end of the turn, in order.
        share: The share of pauses that are cut, with its interval over recordings.
        delay: The mean of the delays in seconds, likewise; not a number without any.
    """

    rule: Rule
    pauses: int
    cuts: tuple[CutPause, ...]
    ends: int
    slow: int
    missed: int
    delays: tuple[float, ...] = field(repr=False)
    share: Interval
    delay: Interval

    @property
    def p50(self) -> float:
        """The median delay in seconds; not a number without any."""
        return median(self.delays) if self.delays else math.nan

    def __str__(self) -> str:
        return self.told

    @property
    def told(self) -> str:
        """What was cut, in words: "of 41 pauses these 3 would have been cut", and which."""
        count = len(self.cuts)
        of = f"of {counted(self.pauses, 'pause')}"
        if not count:
            return f"{of} none would have been cut"
        these = "this one" if count == 1 else f"these {count}"
        lines = (f"  {cut}" for cut in self.cuts)
        return "\n".join([f"{of} {these} would have been cut:", *lines])


def counted(count: int, what: str) -> str:
    """Return a number of things, as "1 pause" or "3 pauses"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def score(rule: Rule, judged: Sequence[tuple[str, Sequence[Gap]]], seed: int) -> TurnScore:
    """Return what a setting does.

    Args:
        rule: The setting.
        judged: The pauses and ends of each recording, by its name.
        seed: Of the resampling.
    """
    inside = [(name, gap) for name, gaps in judged for gap in gaps if not gap.end]
    ends = [gap for _, gaps in judged for gap in gaps if gap.end]
    cuts = tuple(
        CutPause(name, gap.turn, gap.start, gap.secs or 0.0, gap.probability)
        for name, gap in inside
        if gap.cut
    )
    delays = tuple(gap.delay for gap in ends if gap.delay is not None)
    share, delay = _intervals([gaps for _, gaps in judged], seed)
    return TurnScore(
        rule=rule,
        pauses=len(inside),
        cuts=cuts,
        ends=len(ends),
        slow=sum(gap.held for gap in ends),
        missed=len(ends) - len(delays),
        delays=delays,
        share=share,
        delay=delay,
    )


def _intervals(recordings: Sequence[Sequence[Gap]], seed: int) -> tuple[Interval, Interval]:
    """Return both figures with their intervals: recordings are resampled (Efron 1979, percentiles).

    Of fewer than six recordings the share has Wilson's interval, and ends are resampled: what is
    found speaks of these recordings only.
    """
    inside = [[gap.cut for gap in gaps if not gap.end] for gaps in recordings]
    delays = [[gap.delay for gap in gaps if gap.delay is not None] for gaps in recordings]
    cuts, pauses = sum(map(sum, inside)), sum(map(len, inside))
    every = [secs for some in delays for secs in some]
    share = cuts / pauses if pauses else math.nan
    mean = fmean(every) if every else math.nan
    draws = np.random.Generator(np.random.PCG64(seed))
    known = share_of(cuts, pauses)
    if len(recordings) < LEAST_RECORDINGS:
        units = [[secs] for secs in every]
        return (
            Interval(share, known.low, known.high),
            Interval(mean, *_resampled(draws, list(map(sum, units)), list(map(len, units)))),
        )
    of_share = known.low, known.high  # where none, or all, are cut there is nothing to resample
    if 0 < cuts < pauses:
        of_share = _resampled(draws, list(map(sum, inside)), list(map(len, inside)))
    of_delay = _resampled(draws, list(map(sum, delays)), list(map(len, delays)))
    return Interval(share, *of_share), Interval(mean, *of_delay)


def _resampled(
    draws: np.random.Generator, sums: Sequence[float], counts: Sequence[int]
) -> tuple[float | None, float | None]:
    """Return the interval of the sums' share of the counts, units resampled; None of too few."""
    n = len(sums)
    if n < LEAST_RECORDINGS or not sum(counts):
        return None, None
    places = draws.integers(0, n, (RESAMPLES, n))
    of = np.asarray(counts)[places].sum(axis=1)
    shares = np.asarray(sums, float)[places].sum(axis=1)[of > 0] / of[of > 0]
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def pareto(scores: Sequence[TurnScore], missed: int = 0) -> list[TurnScore]:
    """Return those that no other beats, quick ones first: fewer cuts for each longer delay.

    Args:
        scores: Of settings, on the same recordings.
        missed: How many ends may never be decided; more, where every setting has more. A setting
            that hears less looks quick.
    """
    best: list[TurnScore] = []
    decided = [one for one in scores if one.delays]
    most = max(missed, min((one.missed for one in decided), default=0))
    for one in sorted(decided, key=lambda s: (s.delay.value, s.share.value)):
        if one.missed <= most and (not best or one.share.value < best[-1].share.value):
            best.append(one)
    return best
