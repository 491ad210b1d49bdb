"""How sure a share is, and whether two agents differ in it: closed formulas. Pure.

Wilson's interval of one share is in :mod:`piopiy_lab.call.shares`. Here are McNemar's exact test
for pairs of pass and fail, pass@k and pass^k (Chen et al. 2021, arXiv 2107.03374; Yao et al. 2024,
arXiv 2406.12045), Holm's correction (1979) where several figures are looked at. Resampling is in
``resampling``, what must be known before a run in ``needed``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from piopiy_lab.call.shares import LEVEL as LEVEL
from piopiy_lab.call.shares import Share as Share
from piopiy_lab.call.shares import Z as Z
from piopiy_lab.call.shares import share_of as share_of
from piopiy_lab.call.shares import wilson as wilson
from piopiy_lab.errors import ArgumentError

#: A difference is called one if chance alone gives it less often than this.
ALPHA = 1 - LEVEL


def student_t(free: int) -> float:
    """Return the quantile of Student's t that belongs to 95 %: 2.571 of 5 degrees of freedom.

    The expansion in ``1 / free`` (Abramowitz and Stegun 26.7.5): of 2 it is 0.8 % too small, of 3
    0.1 %, of more less.

    Args:
        free: Degrees of freedom, 2 or more.
    """
    z2 = Z * Z
    terms = (
        (z2 + 1) / 4,
        ((5 * z2 + 16) * z2 + 3) / 96,
        (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384,
        ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160,
    )
    return Z * (1 + sum(term / free**power for power, term in enumerate(terms, 1)))


def mcnemar(worse: int, better: int) -> float:
    """Return McNemar's exact two-sided p of paired passes: 0 to 1.

    Only pairs count that came out otherwise. ``min(1, 2 Σ_{i ≤ min(b,c)} C(b+c, i) / 2^(b+c))``.

    Args:
        worse: Pairs that passed before and no longer do.
        better: Pairs that pass only now.
    """
    n = worse + better
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(min(worse, better) + 1)) / 2**n)


def least_discordant(better: int = 0) -> int:
    """Return how many pairs must break, if so many mend, before McNemar's p is below 0.05."""
    worse = better + 1
    while mcnemar(worse, better) >= ALPHA:
        worse += 1
    return worse


def pass_at(n: int, passed: int, k: int) -> float:
    """Return pass@k: the chance that of k runs drawn from n at least one passed.

    Unbiased, without putting back: ``1 - C(n-c, k) / C(n, k)``.

    Raises:
        ArgumentError: k isn't 1 to n.
    """
    _check_k("pass@k", n, k)
    return 1 - math.comb(n - passed, k) / math.comb(n, k)


def pass_hat(n: int, passed: int, k: int) -> float:
    """Return pass^k: the chance that all of k runs drawn from n passed: ``C(c, k) / C(n, k)``.

    Raises:
        ArgumentError: k isn't 1 to n.
    """
    _check_k("pass^k", n, k)
    return math.comb(passed, k) / math.comb(n, k)


def _check_k(name: str, n: int, k: int) -> None:
    if not 1 <= k <= n:
        raise ArgumentError(
            f"{name} with k={k}: a caller has {n} run{'' if n == 1 else 's'}; give 1 to {n}, or "
            "repeat more"
        )


def holm(chances: Sequence[float]) -> tuple[float, ...]:
    """Return p-values as they are when all of them are looked at (Holm's step-down method).

    Args:
        chances: The p-values of each figure alone.
    """
    order = sorted(range(len(chances)), key=chances.__getitem__)
    adjusted, least = [0.0] * len(chances), 0.0
    for place, which in enumerate(order):
        least = max(least, min(1.0, (len(chances) - place) * chances[which]))
        adjusted[which] = least
    return tuple(adjusted)


def upper_bound(values: Sequence[float], quantile: float = 0.95) -> float | None:
    """Return a value that a quantile is not above, 95 % sure; None of too few values.

    The least order statistic with ``P(Binomial(n, quantile) < r) >= 0.95``, which needs no shape of
    the distribution: of the 95th percentile it is the longest of 59.

    Args:
        values: Independent ones.
        quantile: 0 to 1.
    """
    n, ordered, below = len(values), sorted(values), 0.0
    if not 0 < quantile < 1:
        return None
    sure, not_sure = math.log(quantile), math.log1p(-quantile)
    for rank in range(n):  # in logarithms: of thousands C(n, rank) is no float
        ways = math.lgamma(n + 1) - math.lgamma(rank + 1) - math.lgamma(n - rank + 1)
        below += math.exp(ways + rank * sure + (n - rank) * not_sure)
        if below >= LEVEL:
            return ordered[rank]
    return None
