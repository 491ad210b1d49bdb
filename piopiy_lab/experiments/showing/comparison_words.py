"""What is said of a comparison, in text, page and picture alike. Pure; without secrets."""

from __future__ import annotations

from typing import Literal, Protocol

from piopiy_lab.experiments.figures.differences import (
    Difference,
    RowPair,
    Verdict,
    change_of,
    missing_in,
)
from piopiy_lab.experiments.figures.row_texts import reason
from piopiy_lab.experiments.figures.statistics import ALPHA, least_discordant

#: Seconds that are no change.
_NOISE = 1e-6
#: So many callers that broke for good are named.
MOST_CALLERS = 5


class HasText(Protocol):
    """What is shown side by side."""

    def _repr_html_(self) -> str: ...


class Compared(Protocol):
    """What is shown: a comparison."""

    min_difference: float | None
    pairs: tuple[RowPair, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Return the figures."""
        ...

    @property
    def verdict(self) -> Verdict | Literal["mixed"]:
        """Return what can be said."""
        ...

    @property
    def differing(self) -> tuple[RowPair, ...]:
        """Return the pairs that differ."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """Return what has to be said of either agent's calls."""
        ...

    @property
    def broken(self) -> tuple[RowPair, ...]:
        """Return the pairs that passed only before."""
        ...

    @property
    def mended(self) -> tuple[RowPair, ...]:
        """Return the pairs that pass only now."""
        ...

    @property
    def mcnemar(self) -> float:
        """Return McNemar's p."""
        ...

    def pair(self, caller: str, run: int = 1) -> HasText:
        """Return both calls, which show themselves."""
        ...


def headline(compared: Compared) -> str:
    """Return the verdict and how many calls differ, in one line."""
    told = f"{len(compared.differing)} of {len(compared.pairs)} calls differ"
    return f"{compared.verdict}; {told}"


def for_good(compared: Compared) -> list[str]:
    """Return which callers broke for good, if any: every run passed before, and none does now.

    Of callers with two runs at least; it stands next to the verdict, which speaks of all callers.
    """
    runs: dict[str, list[RowPair]] = {}
    for pair in compared.pairs:
        runs.setdefault(pair.caller, []).append(pair)
    broke = [
        f"{name} ({len(pairs)} of {len(pairs)} before, 0 of {len(pairs)} after)"
        for name, pairs in runs.items()
        if len(pairs) > 1 and all(pair.before.passed and not pair.after.passed for pair in pairs)
    ]
    if not broke:
        return []
    more = f" and {len(broke) - MOST_CALLERS} more" if len(broke) > MOST_CALLERS else ""
    return [f"Broke for good: {', '.join(broke[:MOST_CALLERS])}{more}."]


def notes(compared: Compared) -> list[str]:
    """Return what must be known to read the table, in sentences."""
    return [
        *_of_whom(compared),
        *_of_passes(compared),
        *_of_directions(compared),
        *_of_latency(compared),
        *_of_chance(compared),
        *_of_gaps(compared),
        *compared.notices,
    ]


def _of_whom(compared: Compared) -> list[str]:
    callers = list(dict.fromkeys(pair.whose for pair in compared.pairs))
    recorded = len({pair.caller for pair in compared.pairs})
    runs = len(compared.pairs) // recorded
    who = callers[0] if len(callers) == 1 else f"{len(callers)} callers"
    who += f", {recorded} recordings" if recorded > len(callers) else ""
    told = f"{len(compared.pairs)} pairs: {who}" + (f", {runs} runs each" if runs > 1 else "")
    if compared.differences[0].units == len(callers) > 1:
        return [f"{told}; intervals are of callers like these."]
    return [f"{told}; too few callers to stand for others: all of it speaks of these only."]


def _of_passes(compared: Compared) -> list[str]:
    broke, mended = len(compared.broken), len(compared.mended)
    if not broke and not mended:
        return [
            "Pass or fail: no call broke and none mended; of fewer than 6 that broke nothing could "
            "be said."
        ]
    told = (
        f"Pass or fail: {broke} broke and {mended} mended (McNemar's p {_chance(compared.mcnemar)})"
    )
    if compared.mcnemar < ALPHA:
        if (passes := compared.differences[0]).verdict != "can't tell":
            return [f"{told}."]
        return [
            f"{told}, which is of these callers' calls. The table's p"
            f"{'' if passes.p is None else f', {_chance(passes.p)},'} is of callers, each with all "
            "runs together; that changed with too few callers to speak of others."
        ]
    most, least = max(broke, mended), min(broke, mended)
    needed = least_discordant(least)
    return [f"{told}; with {least} the other way it takes {needed} for p < 0.05, and {most} did."]


def _of_directions(compared: Compared) -> list[str]:
    """Say of the calls that differ how many became quicker: a fact, whatever it proves."""
    changes = [change for pair in compared.differing if (change := change_of(pair)) is not None]
    quicker, slower = (sum(sign * change > _NOISE for change in changes) for sign in (-1, 1))
    if not quicker and not slower:
        return []
    n = len(compared.differing)
    return [
        f"Of the {n} call{'' if n == 1 else 's'} that differ{'s' if n == 1 else ''}, {quicker} "
        f"answer{'s' if quicker == 1 else ''} quicker and {slower} slower."
    ]


def _of_latency(compared: Compared) -> list[str]:
    told: list[str] = []
    mean = next(one for one in compared.differences if one.name == "mean")
    wanted = compared.min_difference
    if mean.could_be_seen is not None:
        smaller = mean.could_be_seen / 2 if wanted is None else wanted
        what = "half of that takes" if wanted is None else f"{1000 * wanted:.0f} ms take"
        told.append(
            f"Of the mean, {1000 * mean.could_be_seen:.0f} ms would be found 4 times in 5; {what} "
            f"{mean.needed(smaller)} {_units(compared)}."
        )
    if wanted is not None and mean.low is not None and mean.high is not None:
        within = -wanted < mean.low and mean.high < wanted
        told += [f"A difference of {1000 * wanted:.0f} ms or more is ruled out."] if within else []
    told += [f"{one.metric.title}: {one.why}." for one in compared.differences if one.why]
    return told


def _units(compared: Compared) -> str:
    callers = {pair.whose for pair in compared.pairs}
    return "callers" if compared.differences[0].units == len(callers) > 1 else "calls"


def _of_chance(compared: Compared) -> list[str]:
    """Say why an interval that leaves out 0 isn't enough."""
    unsure = [
        one.metric.title
        for one in compared.differences
        if one.verdict == "can't tell"
        and one.low is not None
        and one.high is not None
        and (one.low > 0 or one.high < 0)
    ]
    if not unsure:
        return []
    return [
        f"{', '.join(unsure)}: the interval leaves out 0, and yet chance alone would give as much "
        "more often than 1 time in 20 (p). More calls would tell."
    ]


def _of_gaps(compared: Compared) -> list[str]:
    n = len(compared.pairs)
    silent = sum(change_of(pair) is None for pair in compared.pairs)
    told = (
        [f"{silent} of {n} pairs have a call without answers: they are in no latency."]
        if silent
        else []
    )
    was, now = missing_in(compared.pairs)
    if was or now:
        told.append(f"Answers that never came, and are in no latency: {was} before, {now} after.")
    if was != now:
        more = "second" if now > was else "first"
        told.append(
            f"The {more} agent lacks more, its slowest perhaps: it isn't called quicker for those "
            "that are left."
        )
    return told


def _number(value: float | None, one: Difference, *, signed: bool = False) -> str:
    if value is None:
        return ""
    sign = "+" if signed else ""
    match one.metric.unit:
        case "s":
            return f"{1000 * value:{sign}.0f}"
        case "share":
            return f"{value:{sign}.2f}"
        case "count":
            return f"{value:{sign}.2f}" if abs(value) < 10 else f"{value:{sign}.0f}"


def interval_text(one: Difference) -> str:
    """Return a difference with its interval: ``-54 ms (-93 to -23)``."""
    if one.difference is None or one.verdict == "the same":
        return ""
    unit = " ms" if one.metric.unit == "s" else ""
    told = f"{_number(one.difference, one, signed=True)}{unit}"
    if one.low is None or one.high is None:
        return told
    ends = (_number(end, one, signed=True) for end in (one.low, one.high))
    return f"{told} ({' to '.join(ends)})"


def value_text(value: float | None, one: Difference) -> str:
    """Return a figure with its unit: ``410 ms``."""
    return _number(value, one) + (" ms" if value is not None and one.metric.unit == "s" else "")


def _chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def figure_cells(one: Difference) -> list[str]:
    """Return what the table says of one figure."""
    chances = ["" if p is None else _chance(p) for p in (one.p, one.p_of_all)]
    return [
        one.metric.title,
        value_text(one.before, one),
        value_text(one.after, one),
        interval_text(one),
        *chances,
        one.verdict,
    ]


def pair_cells(pair: RowPair) -> list[str]:
    """Return what a list of pairs says of one."""
    was, now = pair.before, pair.after
    change = change_of(pair)
    ms = ["none" if row.mean is None else f"{1000 * row.mean:.0f}" for row in (was, now)]
    told = f"{ms[0]} -> {ms[1]} ms" + ("" if change is None else f" ({1000 * change:+.0f})")
    outcome = was.kind if was.kind == now.kind else f"{was.kind} -> {now.kind}"
    why = reason(now) or reason(was)
    return [
        f"{pair.caller}, {pair.run}",
        told,
        outcome + (f": {why}" if why else ""),
        f"comparison.pair({pair.caller!r}, {pair.run})",
    ]
