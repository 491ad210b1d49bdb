"""How loud the caller is in turns of their own, and how much lower a voice is than that. Pure.

Somebody else in the room, or a caller who has turned away from the phone, is heard lower than the
caller who speaks into it. Levels are mean powers of the sound in which there was a voice, so
neither pauses nor the noise in them count.
"""

from __future__ import annotations

import math

import numpy as np

from piopiy_lab.sound.pcm import Int16

#: Seconds of a caller's own voice that are remembered: louder or lower ones of long ago fade.
MEMORY_SECS = 10.0
#: Seconds of it without which nothing is known of it, and seconds of a voice to judge it by.
LEAST_OWN_SECS, LEAST_SECS = 0.6, 0.16
#: By how much the caller's own level is thought lower for each voice that was left alone: who has
#: moved away from the microphone is heard at the second or third try.
DOUBT_DB = 3.0


class OwnLevel:
    """The caller's own level, and that of the voice that is heard now."""

    def __init__(self) -> None:
        """Know nothing."""
        self._own = self._own_secs = 0.0  # power times seconds, and seconds; by take()
        self._energy = self._secs = 0.0  # the same of this voice; by take() and begin()

    def begin(self) -> None:
        """Another voice is heard."""
        self._energy = self._secs = 0.0

    def take(self, power: float, secs: float, *, own: bool) -> None:
        """Take a piece of a voice.

        Args:
            power: Its mean power, of samples of -32768 to 32767.
            secs: Its length.
            own: Whether it is of a turn of the caller's.
        """
        self._energy += power * secs
        self._secs += secs
        if own:
            kept = math.exp(-secs / MEMORY_SECS)
            self._own = self._own * kept + power * secs
            self._own_secs = self._own_secs * kept + secs

    def claim(self) -> None:
        """This voice, and what was heard of it so far, is a turn of the caller's."""
        self._own += self._energy
        self._own_secs += self._secs

    def doubt(self) -> None:
        """Think the caller's own level lower than it was: this voice may have been theirs."""
        self._own *= 10 ** (-DOUBT_DB / 10)

    @property
    def lower_db(self) -> float | None:
        """By how many dB this voice is lower than the caller's own; None: nobody can say yet."""
        if self._own_secs < LEAST_OWN_SECS or self._secs < LEAST_SECS - 1e-9:
            return None
        if not self._own or not self._energy:
            return None
        return 10 * math.log10(self._own / self._own_secs / (self._energy / self._secs))


def power_of(samples: Int16) -> float:
    """Return the mean power of int16 samples, (n,)."""
    return float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
