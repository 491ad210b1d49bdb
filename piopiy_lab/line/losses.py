"""Which packets get lost, and which come too late: seeded, packet by packet. Pure."""

from __future__ import annotations

import random


class Losses:
    """A Gilbert-Elliott channel with a jitter buffer of constant delay behind it.

    The channel (Gilbert, 1960; Elliott, 1963) has a good state, in which nothing is lost, and a bad
    one, in which everything is. With a mean burst of ``B`` packets it leaves the bad state with
    ``r = 1 / B``, and the good one with ``p = r loss / (1 - loss)``, so that in the long run a part
    of ``loss`` is lost. What arrives is late by a time that is exponentially distributed; what is
    late by more than the buffer keeps is lost, too.
    """

    def __init__(
        self, seed: str, loss: float, burst: float | None, jitter_secs: float, buffer_secs: float
    ) -> None:
        """Begin.

        Args:
            seed: Of the draws; the same in every process.
            loss: The part that is lost in the long run, 0 to 0.5.
            burst: Packets that are lost in a row, on average; None for each by itself.
            jitter_secs: Mean lateness; 0 for none.
            buffer_secs: What the jitter buffer keeps.
        """
        self._random = random.Random(seed)  # a text's seed is the same in every process
        leaves_bad = 1 - loss if burst is None else 1 / burst
        self._leaves_bad = leaves_bad
        self._leaves_good = leaves_bad * loss / (1 - loss)
        self._bad = self._random.random() < loss
        self._jitter, self._buffer = jitter_secs, buffer_secs
        self.packets = 0  # so far; all three written by arrives()
        self.lost = 0
        self.late = 0

    def arrives(self) -> bool:
        """Draw for the next packet: whether it comes, and in time."""
        draw = self._random.random
        bad = self._bad
        self._bad = draw() >= self._leaves_bad if bad else draw() < self._leaves_good
        late = bool(self._jitter) and self._random.expovariate(1 / self._jitter) > self._buffer
        self.packets += 1
        self.lost += bad
        self.late += late and not bad
        return not (bad or late)
