"""What is told before a run: that so few calls can't decide what is asked of them. Pure."""

from __future__ import annotations

from piopiy_lab.experiments.figures.needed import (
    GUESSED_SD,
    SEEN_SDS,
    calls_for,
    runs_needed,
)
from piopiy_lab.experiments.figures.resampling import LEAST_UNITS


def too_few_for_rate(wanted: float, runs: int) -> str | None:
    """Return what to say where so many runs can't show a share of passes; None where they can.

    Args:
        wanted: What the interval's lower end is to reach, 0 to 1.
        runs: How many there will be.
    """
    needed = runs_needed(pass_rate=wanted)
    if runs >= needed:
        return None
    return (
        f"{_counted(runs, 'run')} can't show min_pass_rate={wanted!r}, even if all pass: that "
        f"takes {needed} runs, runs_needed(pass_rate={wanted!r})"
    )


def too_few_for_difference(wanted: float, callers: int, repeat: int) -> str | None:
    """Return what to say where so many calls can't be counted on to show a difference.

    How much the calls of two agents scatter isn't known before they are made: it is guessed.

    Args:
        wanted: Seconds of a call's mean answer.
        callers: How many callers there are.
        repeat: How often each calls.
    """
    by_callers = callers >= LEAST_UNITS
    units, what = (callers, "caller") if by_callers else (callers * repeat, "call")
    needed = max(LEAST_UNITS, calls_for(wanted, GUESSED_SD))
    if units >= needed:
        return None
    low, high = (f"{1000 * sd:.0f}" for sd in SEEN_SDS)
    least, most = (max(LEAST_UNITS, calls_for(wanted, sd)) for sd in SEEN_SDS)
    remedy = "more callers" if by_callers else "more callers, or repeat="
    return (
        f"{_counted(units, what)} can't be counted on to show min_difference={wanted!r}: that "
        f"takes about {needed}. It is a guess, for how much calls scatter is known after a run: "
        f"{1000 * GUESSED_SD:.0f} ms are taken, and of other changes {low} to {high} ms were "
        f"measured, which take {least} to {most}. Give {remedy}"
    )


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
