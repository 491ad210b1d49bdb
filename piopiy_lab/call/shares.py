"""So many of so many, and how sure that share is. Pure.

Wilson's interval (E. B. Wilson 1927): right for few runs and for shares near 0 and 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from piopiy_lab.errors import ArgumentError

#: How sure an interval is, everywhere.
LEVEL = 0.95
#: The quantile of the normal distribution that belongs to it: 1.95996.
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)


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
