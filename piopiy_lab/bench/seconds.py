"""Seconds of several events, with what is known of their mean and their median. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from piopiy_lab.experiments.figures import resampling

#: Fewer values give no interval, and fewer than the other no 95th percentile.
LEAST_FOR_INTERVAL, LEAST_FOR_P95 = resampling.LEAST_UNITS, resampling.LEAST_FOR_P95


@dataclass(frozen=True)
class Seconds:
    """Seconds of several events.

    Attributes:
        values: Each of them.
    """

    values: tuple[float, ...] = ()

    @property
    def mean(self) -> float | None:
        """Their mean; None of none."""
        return sum(self.values) / len(self.values) if self.values else None

    @property
    def median(self) -> float | None:
        """Half of them are less; None of none."""
        return float(np.median(self.values)) if self.values else None

    @property
    def p95(self) -> float | None:
        """95 of 100 are less; None of fewer than 40."""
        if len(self.values) < LEAST_FOR_P95:
            return None
        return float(np.percentile(self.values, 95))

    def mean_interval(self) -> tuple[float, float] | None:
        """Return the mean's 95 % interval, events resampled (2000 times); None of too few."""
        return self._interval(resampling.mean)

    def median_interval(self) -> tuple[float, float] | None:
        """Return the median's 95 % interval, likewise."""
        return self._interval(resampling.percentile(50))

    def told(self, figure: str = "mean") -> str:
        """Return the mean or the median with its interval: "0.42 s (0.40 to 0.44), of 60"."""
        median = figure == "median"
        value = self.median if median else self.mean
        if value is None:
            return "none"
        ends = self.median_interval() if median else self.mean_interval()
        between = "" if ends is None else f" ({ends[0]:.2f} to {ends[1]:.2f})"
        return f"{value:.2f} s{between}, of {len(self.values)}"

    def __str__(self) -> str:
        return self.told()

    def _interval(self, statistic: resampling.Statistic) -> tuple[float, float] | None:
        if len(self.values) < LEAST_FOR_INTERVAL:
            return None
        each = [(value,) for value in self.values]
        names = [str(place) for place in range(len(each))]
        return resampling.interval(resampling.bootstrap(each, names, statistic))


def seconds_of(values: Sequence[float | None]) -> Seconds:
    """Return those that there are."""
    return Seconds(tuple(value for value in values if value is not None))
