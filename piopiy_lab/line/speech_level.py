"""The level of somebody's speech while they speak, as it goes on: after ITU-T P.56, method B. Pure.

P.56 (12/2011) smooths the sample's magnitude twice over 30 ms, counts for a row of thresholds how
long the result was above (with 200 ms of hangover), and takes the one for which the mean power of
that time lies 15.9 dB above the threshold. Here the envelope is one of 5 ms pieces, and the level
is asked for again and again. The tests hold it beside P.56 sample by sample, within 0.5 dB.
"""

from __future__ import annotations

import math

import numpy as np

from piopiy_lab.sound.pcm import FULL_SCALE, Float32

#: P.56: the time constant of both stages, the hangover and the margin.
SMOOTHED_SECS, HANGOVER_SECS, MARGIN_DB = 0.03, 0.2, 15.9
#: dBov: the level that telephony takes speech to have (ITU-T P.56, P.830), until it is known.
NOMINAL_DBOV = -26.0
#: Seconds of speech from which on its level is known.
KNOWN_SECS = 0.3
PIECE_SECS = 0.005
_THRESHOLDS = 2.0 ** np.arange(15)  # of int16 samples


class SpeechLevel:
    """Follows one side's speech."""

    def __init__(self, sample_rate: int) -> None:
        """Begin with silence.

        Args:
            sample_rate: Hz.
        """
        self._piece = round(PIECE_SECS * sample_rate)
        self._keeps = math.exp(-PIECE_SECS / SMOOTHED_SECS)
        self._first = self._second = 0.0
        self._squares = 0.0  # sum of the mean squares of all pieces
        self._active = np.zeros(len(_THRESHOLDS))  # pieces, hangover included
        self._since = np.full(len(_THRESHOLDS), np.inf)  # pieces since it was above
        self._hangover = round(HANGOVER_SECS / PIECE_SECS)

    def note(self, samples: Float32) -> None:
        """Take what is said: float32 at int16's scale, a whole number of 5 ms."""
        pieces = samples.reshape(-1, self._piece)
        magnitudes = np.abs(pieces).mean(axis=1)
        self._squares += float(np.square(pieces, dtype=np.float64).mean(axis=1).sum())
        if self._second < 0.5 and not magnitudes.any():
            self._since += len(pieces)
            self._active += self._since - len(pieces) < self._hangover
            return
        for magnitude in magnitudes.tolist():
            self._first += (1 - self._keeps) * (magnitude - self._first)
            self._second += (1 - self._keeps) * (self._first - self._second)
            self._since += 1
            self._since[self._second >= _THRESHOLDS] = 0
            self._active += self._since < self._hangover

    @property
    def dbov(self) -> float | None:
        """The active speech level in dB of overload (a full-scale square wave is 0); None yet."""
        if self._active[0] * PIECE_SECS < KNOWN_SECS or self._squares <= 0:
            return None
        counted = self._active > 0
        levels = 10 * np.log10(self._squares / self._active[counted])
        limits = 20 * np.log10(_THRESHOLDS[counted])
        above = levels - limits - MARGIN_DB
        under = int(np.argmax(above <= 0))
        if above[under] > 0:  # louder than the last threshold by more than the margin
            return float(levels[-1]) - 20 * math.log10(FULL_SCALE)
        if under == 0:
            return float(levels[0]) - 20 * math.log10(FULL_SCALE)
        part = above[under - 1] / (above[under - 1] - above[under])
        level = levels[under - 1] + part * (levels[under] - levels[under - 1])
        return float(level) - 20 * math.log10(FULL_SCALE)
