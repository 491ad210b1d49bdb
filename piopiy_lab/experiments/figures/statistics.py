"""How sure a share is, and whether two agents differ in it: closed formulas. Pure.

Wilson's interval (E. B. Wilson 1927) for one share, McNemar's exact test for pairs of pass and
fail, pass@k and pass^k (Chen et al. 2021, arXiv 2107.03374; Yao et al. 2024, arXiv 2406.12045),
Holm's correction (1979) where several figures are looked at. Resampling is in ``resampling``, what
must be known before a run in ``needed``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from piopiy_lab.errors import ArgumentError

#: How sure an interval is, everywhere in this room.
LEVEL = 0.95
#: The quantile of the normal distribution that belongs to it: 1.95996.
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
#: A difference is called one if chance alone gives it less often than this.
ALPHA = 1 - LEVEL


@dataclass(frozen=True)
class Share:
    """So many of so many, with what is known of the share that they are drawn from.

    Attributes:
        count: How many were so.
        n: Of how many.
        low: Lower end of Wilson's 95 % interval, 0 to 1.
        high: Its upper end.
    """

    count: int
    n: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """``count / n``, 0 to 1; not a number of none."""
        return self.count / self.n if self.n else math.nan

    def __float__(self) -> float:
        return self.share

    def __str__(self) -> str:
        if not self.n:
            return "0 of 0"
        return f"{self.count} of {self.n}, {self.share:.2f} ({self.low:.2f} to {self.high:.2f})"


def share_of(count: int, n: int) -> Share:
    """Return a share with its interval."""
    return Share(count, n, *wilson(count, n))


def wilson(count: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share, 0 to 1; (0, 1) of none.

    Centre ``(p + z²/2n) / (1 + z²/n)``, half ``z sqrt(p(1-p)/n + z²/4n²) / (1 + z²/n)``.

    Args:
        count: How many were so.
        n: Of how many.

    Raises:
        ArgumentError: The count isn't 0 to n.
    """
    if not 0 <= count <= n:
        raise ArgumentError(f"wilson({count}, {n}): the count must be 0 to n")
    if n == 0:
        return 0.0, 1.0
    p, z2 = count / n, Z * Z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = 0.0 if count == 0 else max(0.0, centre - half)
    return low, 1.0 if count == n else min(1.0, centre + half)


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
