"""Intervals by resampling callers, and what chance alone would give: numpy only. Pure, seeded.

What is resampled is a *unit*: a caller with all calls of that caller, for two calls of one caller
are more alike than two callers, and two turns of one call more still. Fewer than six callers can't
stand for others; then the units are their calls, drawn caller by caller, and what is found speaks
of these callers only.

The percentile method (Efron 1979), widened for few units: resamples scatter by ``sqrt(df / n)`` too
little, df being n units less the drawers that they are drawn from, and their quantiles are the
normal distribution's where Student's are meant. So each resample's distance from the figure is
multiplied by ``sqrt(n / df) t(df) / z``. Simulated (lognormal values, sigma 0.5), the 95 % of a
mean are then 92 to 94 % from six units on, callers' or calls'; a verdict wants the sign flips to
agree, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.figures.statistics import Z, student_t

Floats = npt.NDArray[np.float64]
#: How often each unit is drawn: (resamples, units).
Counts = npt.NDArray[np.int64]

#: With fewer units nothing can be certain: of five that all changed one way, chance gives p = 0.06.
LEAST_UNITS = 6
#: Fewer values give no interval of a 95th percentile: of ten values, 39 of 100 would be right.
LEAST_FOR_P95 = 40
RESAMPLES = 2_000
#: So many patterns of signs are all looked at; of more, so many are drawn.
PATTERNS = 4_096
#: Resamples whose values are looked at together: bounds the memory.
_AT_ONCE = 100


@dataclass(frozen=True)
class Units:
    """What is resampled, and in which drawers.

    Attributes:
        members: Of each unit, the places of its calls.
        strata: Of each unit, the drawer that it is drawn from.
        callers: How many callers there are.
        of_callers: Whether a unit is a caller.
    """

    members: tuple[tuple[int, ...], ...]
    strata: tuple[int, ...]
    callers: int
    of_callers: bool

    @property
    def widening(self) -> float:
        """What a resample's distance from the figure is multiplied by: 1 of many units, 1.4 of six.

        ``sqrt(n / df) t(df) / z``; 1 where there is no interval.
        """
        n = len(self.members)
        free = n - len(set(self.strata))
        return math.sqrt(n / free) * student_t(free) / Z if free > 1 else 1.0

    @property
    def why_not(self) -> str | None:
        """Why there is no interval; None if there is one."""
        n = len(self.members)
        if n < LEAST_UNITS:
            return (
                f"{n} call{'' if n == 1 else 's'}: {LEAST_UNITS} at least, give more callers "
                "or repeat="
            )
        if not self.of_callers and min(map(self.strata.count, self.strata)) < 2:
            return (
                f"{self.callers} callers, of whom one has one call: {LEAST_UNITS} callers at "
                "least, or repeat= for each"
            )
        return None


def units_of(callers: Sequence[str]) -> Units:
    """Return the units of calls: callers from six on, else the calls of each.

    Args:
        callers: Who called, of each call.
    """
    names = list(dict.fromkeys(callers))
    places = {name: tuple(i for i, c in enumerate(callers) if c == name) for name in names}
    if len(names) >= LEAST_UNITS:
        return Units(tuple(places.values()), (0,) * len(names), len(names), True)
    strata = tuple(names.index(caller) for caller in callers)
    return Units(tuple((i,) for i in range(len(callers))), strata, len(names), False)


def drawn(units: Units, seed: int, resamples: int = RESAMPLES) -> Counts:
    """Return how often each unit is in each resample: int, (resamples, units)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    counts = np.zeros((resamples, len(units.members)), np.int64)
    strata = np.asarray(units.strata)
    for stratum in sorted(set(units.strata)):
        of_it = np.flatnonzero(strata == stratum)
        picked = of_it[rng.integers(0, len(of_it), (resamples, len(of_it)))]
        for row, picks in zip(counts, picked, strict=True):
            np.add.at(row, picks, 1)
    return counts


#: A figure of units: given each unit's values and how often each is drawn, (resamples,).
Statistic = Callable[[Sequence[Floats], Counts], Floats]


def mean(units: Sequence[Floats], counts: Counts) -> Floats:
    """Return the mean of all values in each resample; not a number where there are none."""
    sums = np.array([unit.sum() for unit in units])
    sizes = np.array([len(unit) for unit in units], np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (counts @ sums) / (counts @ sizes)


def ratio(units: Sequence[Floats], counts: Counts) -> Floats:
    """Return the sum of all units' first values over that of their second, in each resample.

    Not a number where the second sum is 0.
    """
    above = np.array([unit[0::2].sum() for unit in units])
    below = np.array([unit[1::2].sum() for unit in units])
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (counts @ above) / (counts @ below)
    return np.where(np.isfinite(found), found, np.nan)


def percentile(q: float) -> Statistic:
    """Return the statistic that is a percentile of all values, linearly interpolated.

    Args:
        q: 0 to 100.
    """

    def of(units: Sequence[Floats], counts: Counts) -> Floats:
        values = np.concatenate(units)
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        owner = np.repeat(np.arange(len(units)), [len(unit) for unit in units])[order]
        found = np.full(len(counts), np.nan)
        for start in range(0, len(counts), _AT_ONCE):
            upto = np.cumsum(counts[start : start + _AT_ONCE][:, owner], axis=1)
            if not upto.shape[1]:
                continue
            place = np.maximum(upto[:, -1] - 1, 0) * q / 100
            low = np.floor(place)
            below = (upto <= low[:, None]).sum(axis=1)
            above = (upto <= np.ceil(place)[:, None]).sum(axis=1)
            ends = [ordered[np.minimum(which, len(ordered) - 1)] for which in (below, above)]
            one = ends[0] + (ends[1] - ends[0]) * (place - low)
            found[start : start + _AT_ONCE] = np.where(upto[:, -1] > 0, one, np.nan)
        return found

    return of


def once(units: Sequence[Floats], statistic: Statistic) -> float:
    """Return a statistic of the units as they are; not a number of no values."""
    return float(statistic(units, np.ones((1, len(units)), np.int64))[0])


def interval(
    values: Floats, least: float = -math.inf, most: float = math.inf
) -> tuple[float, float]:
    """Return the middle 95 % of resampled figures, those that are numbers.

    Args:
        values: The figures.
        least: The least that there can be, of a share 0: an end below it is it.
        most: The most.
    """
    numbers = values[~np.isnan(values)]
    if not len(numbers):
        raise ArgumentError("no resample has a value in it")
    low, high = np.clip(np.percentile(numbers, [2.5, 97.5]), least, most)
    return float(low), float(high)


def widened(values: Floats, seen: float, units: Units) -> Floats:
    """Return resampled figures as far from the one that was seen as they are of few units."""
    return seen + units.widening * (values - seen)


def gathered(values: Sequence[Sequence[float]], units: Units) -> list[Floats]:
    """Return each unit's values, all of its calls' together.

    Args:
        values: Of each call.
        units: Which calls are together.
    """
    return [
        np.array([value for place in members for value in values[place]], np.float64)
        for members in units.members
    ]


def bootstrap(
    values: Sequence[Sequence[float]],
    callers: Sequence[str],
    statistic: Statistic,
    *,
    seed: int = 1,
) -> Floats:
    """Return a figure of each resample, widened for few units: (2000,).

    Args:
        values: Of each call.
        callers: Who made it.
        statistic: Which figure.
        seed: Of the draws.
    """
    units = units_of(callers)
    gathers = gathered(values, units)
    return widened(statistic(gathers, drawn(units, seed)), once(gathers, statistic), units)


def paired_bootstrap(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    callers: Sequence[str],
    statistic: Statistic,
    *,
    seed: int = 1,
) -> Floats:
    """Return the difference of a figure, after less before, of each resample of the pairs.

    Widened as :func:`bootstrap`.
    """
    units = units_of(callers)
    counts = drawn(units, seed)
    was, now = gathered(before, units), gathered(after, units)
    seen = once(now, statistic) - once(was, statistic)
    return widened(statistic(now, counts) - statistic(was, counts), seen, units)


def unpaired_bootstrap(
    before: Sequence[Sequence[float]],
    before_callers: Sequence[str],
    after: Sequence[Sequence[float]],
    after_callers: Sequence[str],
    statistic: Statistic,
    *,
    seed: int = 1,
) -> Floats:
    """Return the difference of a figure, each side resampled by itself: other callers."""
    was = bootstrap(before, before_callers, statistic, seed=2 * seed)
    return bootstrap(after, after_callers, statistic, seed=2 * seed + 1) - was


def sign_flips(
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    callers: Sequence[str],
    statistic: Statistic,
    *,
    seed: int = 1,
) -> float:
    """Return the two-sided p of a difference: how often exchanging agents gives one as large.

    If both agents were one, each unit's two sides could as well be the other way about. All ways
    are looked at where they are few, else 4,096 drawn ones (and the one that was seen). Units whose
    sides are alike say nothing, and are left where they are.
    """
    units = units_of(callers)
    was, now = gathered(before, units), gathered(after, units)
    unlike = [i for i, (a, b) in enumerate(zip(was, now, strict=True)) if not np.array_equal(a, b)]
    ways = 2 ** len(unlike)
    exact = ways <= PATTERNS
    if exact:
        flips = (np.arange(ways)[:, None] >> np.arange(len(unlike))) & 1
    else:
        rng = np.random.Generator(np.random.PCG64(seed))
        flips = rng.integers(0, 2, (PATTERNS, len(unlike)))
    swapped = np.zeros((len(flips), len(was)), np.int64)
    swapped[:, unlike] = flips
    both = [*was, *now]
    differences = statistic(both, np.hstack([swapped, 1 - swapped])) - statistic(
        both, np.hstack([1 - swapped, swapped])
    )
    seen = once(now, statistic) - once(was, statistic)
    as_large = int((np.abs(differences) >= abs(seen) - 1e-12).sum())
    return as_large / ways if exact else (as_large + 1) / (PATTERNS + 1)


def exchanged_runs(
    before: Sequence[Sequence[float]],
    before_callers: Sequence[str],
    after: Sequence[Sequence[float]],
    after_callers: Sequence[str],
    statistic: Statistic,
    *,
    seed: int = 1,
) -> float:
    """Return the two-sided p of a difference of calls that are no pairs, but of the same callers.

    If both agents were one, each caller's calls could as well have been dealt out otherwise: 4,096
    deals are drawn, caller by caller (and the one that was seen).
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    values = [np.asarray(of, np.float64) for of in (*before, *after)]
    whose = np.array([*before_callers, *after_callers])
    first = np.zeros(len(values), bool)
    first[: len(before)] = True
    to_first = np.zeros((PATTERNS, len(values)), np.int64)
    for caller in dict.fromkeys(whose.tolist()):
        of_it = np.flatnonzero(whose == caller)
        dealt = np.argsort(rng.random((PATTERNS, len(of_it))), axis=1)[:, : first[of_it].sum()]
        np.put_along_axis(to_first, of_it[dealt], 1, axis=1)
    as_seen = first.astype(np.int64)[None, :]
    seen = statistic(values, 1 - as_seen) - statistic(values, as_seen)
    apart = statistic(values, 1 - to_first) - statistic(values, to_first)
    return float((np.abs(apart) >= abs(seen[0]) - 1e-12).sum() + 1) / (PATTERNS + 1)
