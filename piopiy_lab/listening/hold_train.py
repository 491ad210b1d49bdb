"""Holds in a row for voices without a word: how often that is borne. Pure.

A microphone that hears the agent's own voice holds it; so the echo ends, the voice goes on, and is
heard again: with an echo 10 dB down a greeting of 10 s took 30, in 47 pieces
(``benchmarks/README.md``). After a few of those nothing is held for a while.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Seconds within which a voice begins again once the sound goes on, if it is the sound's own.
AGAIN_SECS = 0.8
#: Such holds in a row before nothing is held for a while.
BORNE = 3
#: Seconds for which nothing is held then, the first time and at most: each time twice as long.
REST_SECS, MOST_REST_SECS = 2.0, 16.0
#: Seconds after a rest within which one more hold for nothing is enough.
WARY_SECS = 30.0


@dataclass
class HoldTrain:
    """The last holds of a call. Times are seconds of the call's clock.

    Attributes:
        rests: How many rests there were since the last long time without one.
    """

    rests: int = 0
    _until: float = -math.inf  # nothing is held before; by wordless()
    _row: int = 0  # holds without a word, each soon after the one before; by both
    _went_on: float = -math.inf  # when the sound went on after the last one; by both

    def allows(self, now: float) -> bool:
        """Whether the sound may be held."""
        return now >= self._until

    def worded(self, went_on: float) -> None:
        """Take note of a hold for a voice with words, after which the sound went on."""
        self._row, self._went_on = 0, went_on

    def wordless(self, onset: float, went_on: float) -> bool:
        """Take note of a hold for a voice without any.

        Args:
            onset: When the voice began.
            went_on: When the sound went on after it.

        Returns:
            Whether nothing is held for a while from now on.
        """
        wary = onset < self._until + WARY_SECS
        self._row = self._row + 1 if onset - self._went_on <= AGAIN_SECS else 1
        self._went_on = went_on
        if self._row < BORNE and not wary:
            return False
        self.rests = self.rests + 1 if wary else 1
        self._row = 0
        self._until = went_on + min(MOST_REST_SECS, REST_SECS * 2 ** (self.rests - 1))
        return True
