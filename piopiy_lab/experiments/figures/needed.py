"""How many calls are needed to see something: told before they are made. Pure.

Two-sided, 95 % sure, and found four times in five (power 0.8).
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

from piopiy_lab.checks.arguments import check_number
from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.figures.statistics import ALPHA, Z, mcnemar, wilson

#: How often a difference that is there is to be found.
POWER = 0.8
#: What a difference must be of its standard error to be found so often: 1.96 + 0.84.
SEEN = Z + NormalDist().inv_cdf(POWER)
#: Seconds: what is taken for the standard deviation of the pairs' differences of a call's mean
#: answer before a call was made. A guess: those of three changes that were measured on 30 callers
#: were 0.03 (each call alike later), 0.10 (another wait, one call in four) and 0.19 (detector).
GUESSED_SD = 0.1
#: The least and the most of them.
SEEN_SDS = (0.031, 0.191)
#: More than that aren't counted out: nobody makes them.
MOST = 100_000


def runs_needed(
    *,
    pass_rate: float | None = None,
    failures: int = 0,
    rates: tuple[float, float] | None = None,
    worse: float | None = None,
    better: float = 0.0,
    difference: float | None = None,
    sd: float | None = None,
    fault: float | None = None,
) -> int:
    """Return how many calls are needed, of each agent, to see something. Give one question.

    Example::

        runs_needed(pass_rate=0.95)             # 73: all of them must pass
        runs_needed(worse=0.1)                  # 78: one call in ten breaks, the same callers
        runs_needed(rates=(0.95, 0.85))         # 141: other callers for each agent
        runs_needed(difference=0.05, sd=0.1)    # 32: 50 ms, calls that scatter by 100 ms
        runs_needed(difference=0.05)            # 32, too: a guess, 100 ms are taken
        runs_needed(fault=0.05)                 # 59: a fault of one call in twenty is seen once

    Args:
        pass_rate: A share of passes that the interval's lower end is to reach, 0 to 1.
        failures: How many of those runs may fail.
        rates: Two shares of passes, of two agents with other callers.
        worse: The share of calls that break when both agents have the same callers.
        better: With ``worse``, the share that mends.
        difference: Of a mean between two agents with the same callers, in the figure's unit.
        sd: With ``difference``, the standard deviation of the pairs' differences
            (``comparison["mean"].sd`` has it). None, before any call was made, takes 0.1 s of a
            call's mean answer: a guess; of three changes it was 0.03, 0.10 and 0.19 s.
        fault: How often something goes wrong, 0 to 1, that is to be seen at least once (95 %).

    Raises:
        ArgumentError: None or several questions, or values that can't be.
    """
    asked = {
        "pass_rate": pass_rate,
        "rates": rates,
        "worse": worse,
        "difference": difference,
        "fault": fault,
    }
    given = [name for name, value in asked.items() if value is not None]
    if len(given) != 1:
        raise ArgumentError(
            f"runs_needed({', '.join(f'{name}=' for name in given)}): give one of "
            f"{', '.join(f'{name}=' for name in asked)}"
        )
    if pass_rate is not None:
        return _runs_for_rate(check_number("pass_rate", pass_rate, 0, 0.9999), failures)
    if rates is not None:
        return _runs_for_rates(*(check_number("rates", rate, 0, 1) for rate in rates))
    if worse is not None:
        return _pairs(check_number("worse", worse, 0, 1), check_number("better", better, 0, 1))
    if fault is not None:
        return math.ceil(math.log(ALPHA) / math.log(1 - check_number("fault", fault, 1e-6, 0.999)))
    return calls_for(check_number("difference", difference, -1e6, 1e6), sd)


def calls_for(difference: float, sd: float | None = None) -> int:
    """Return how many pairs show a difference of a mean: ``((1.96 + 0.84) sd / difference)²``.

    Args:
        difference: In the figure's unit.
        sd: Of the pairs' differences; None for a guess, :data:`GUESSED_SD`.

    Raises:
        ArgumentError: The difference is 0, or sd is negative.
    """
    sd = GUESSED_SD if sd is None else sd
    if difference == 0 or sd < 0:
        raise ArgumentError(f"difference={difference}, sd={sd}: give a difference, and 0 or more")
    return max(1, math.ceil((SEEN * sd / difference) ** 2))


def _runs_for_rate(low: float, failures: int) -> int:
    for n in range(failures + 1, MOST):
        if wilson(n - failures, n)[0] >= low:
            return n
    raise ArgumentError(f"pass_rate={low}: more than {MOST} runs, which nobody makes")


def _runs_for_rates(one: float, other: float) -> int:
    """Return calls of each agent (Fleiss' formula, without a correction for continuity)."""
    if one == other:
        raise ArgumentError(f"rates=({one}, {other}): give two that differ")
    mean = (one + other) / 2
    apart = Z * math.sqrt(2 * mean * (1 - mean))
    apart += (SEEN - Z) * math.sqrt(one * (1 - one) + other * (1 - other))
    return math.ceil((apart / (one - other)) ** 2)


@cache
def _pairs(worse: float, better: float) -> int:
    """Return the pairs with which McNemar's exact test finds this four times in five."""
    if worse + better > 1 or worse <= better:
        raise ArgumentError(
            f"worse={worse}, better={better}: give shares of one whole, more that break than mend"
        )
    n = 6
    while _found(n, worse, better) < POWER:
        n += 1
        if n > 2_000:
            raise ArgumentError(f"worse={worse}, better={better}: more than 2,000 pairs are needed")
    return n


def _found(n: int, worse: float, better: float) -> float:
    """Return how often n pairs show it: summed over what may come out."""
    discordant, total = worse + better, 0.0
    for d in range(6, n + 1):
        chance = _binomial(n, d, discordant)
        if chance < 1e-12:
            continue
        total += chance * sum(
            _binomial(d, broke, worse / discordant) for broke in range(_least_of(d), d + 1)
        )
    return total


@cache
def _least_of(discordant: int) -> int:
    """Return how many of the discordant pairs must have broken for p < 0.05."""
    broke = discordant
    while broke > discordant / 2 and mcnemar(broke - 1, discordant - broke + 1) < ALPHA:
        broke -= 1
    return broke


def _binomial(n: int, k: int, p: float) -> float:
    if p in (0.0, 1.0):
        return float(k == n * p)
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log + k * math.log(p) + (n - k) * math.log1p(-p))
