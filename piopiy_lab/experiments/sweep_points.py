"""One point of a sweep: its parameters, calls, and what they add up to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

from piopiy_lab.experiments.calls import Calls
from piopiy_lab.experiments.comparison import Comparison
from piopiy_lab.experiments.figures.differences import Difference
from piopiy_lab.experiments.figures.how_sure import Figure, PassRate, figure
from piopiy_lab.experiments.figures.usage import Prices, cost_of
from piopiy_lab.experiments.figures.word_errors import NO_WORDS, WordErrors

#: Characters of a parameter's value in tables and pictures.
_SHORT = 28


@dataclass(frozen=True)
class Point:
    """One point of a sweep.

    Attributes:
        params: Its parameters.
        calls: Its calls, whose rows have the parameters.
        comparison: With the first point's calls, the same sound; None of the first itself.
        cost: What a call costs on average, in the price table's currency; None without a table, or
            where something in it has no price.
    """

    params: Mapping[str, object]
    calls: Calls
    comparison: Comparison | None
    cost: float | None

    @property
    def pass_rate(self) -> PassRate:
        """How many passed."""
        return self.calls.pass_rate

    def figure(self, name: str) -> Figure:
        """Return "mean", "p50", "p95" or "late" of the answers, with its interval."""
        return figure(self.calls, name)

    @property
    def word_errors(self) -> WordErrors | None:
        """How many of the screenplay's words were not understood; None if they aren't known."""
        counted = [WordErrors(row.word_errors, row.words) for row in self.calls if row.words]
        return reduce(add, counted, NO_WORDS) if counted else None

    def difference(self, name: str) -> Difference | None:
        """Return a figure's difference from the first point; None of the first point itself."""
        return None if self.comparison is None else self.comparison[name]

    @property
    def label(self) -> str:
        """The parameters as one says them."""
        return ", ".join(f"{name}={label_of(value)}" for name, value in self.params.items())


def label_of(value: object) -> str:
    """Return a parameter's value as a short text."""
    named = getattr(value, "__name__", None)
    text = " ".join((named if isinstance(named, str) else str(value)).split())
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def cost_of_calls(calls: Calls, prices: Prices | None) -> float | None:
    """Return what a call costs on average; None where that isn't known of each that took place."""
    if prices is None:
        return None
    costs = [cost_of(row.usage, row.secs, prices) for row in calls if row.sha]
    known = [cost for cost in costs if cost is not None]
    return sum(known) / len(known) if known and len(known) == len(costs) else None
