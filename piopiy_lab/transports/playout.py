"""The playout schedule: what the listener has heard, hears now, and will hear.

Pure: it knows no I/O, thread or clock; every method is told what time it is.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from piopiy_lab.sound.pcm import Int16

#: int16 peak from which on a piece of audio counts as heard (about -56 dBFS): below it a service
#: streams silence, not speech.
AUDIBLE_PEAK = 50


class Playout:
    """Audio that was handed over for playing, piece by piece, each with the time it starts."""

    def __init__(self, sample_rate: int) -> None:
        """Make an empty schedule.

        Args:
            sample_rate: Hz of the int16 mono audio.
        """
        self.sample_rate = sample_rate  # may be changed before the first piece
        self.ends_at = 0.0  # seconds: when the last sample handed over will have been heard
        self.audible_until = 0.0  # seconds: the same for the last audible sample; inf: held
        self.lag_secs = 0.0  # what a stretch of audio waits for its start
        self.speech_starts: list[float] = []  # when audible audio began after silence
        self._pieces: deque[tuple[float, Int16]] = deque()

    def write(self, now: float, samples: Int16) -> float:
        """Hand over a piece; it is heard after what is scheduled already.

        Args:
            now: Seconds.
            samples: int16, shape (n,).

        Returns:
            When its first sample is heard, in seconds.
        """
        start = max(now, self.ends_at)
        self.ends_at = start + len(samples) / self.sample_rate
        if len(samples) and int(np.abs(samples.astype(np.int32)).max()) >= AUDIBLE_PEAK:
            if start > self.audible_until + 0.25 or not self.speech_starts:
                self.speech_starts.append(start)
            self.audible_until = self.ends_at
        self._pieces.append((start, samples))
        return start

    def take_played(self, now: float) -> list[tuple[float, Int16]]:
        """Return the pieces that have been heard to the end, each once: (start, samples)."""
        played: list[tuple[float, Int16]] = []
        while self._pieces:
            start, samples = self._pieces[0]
            if start + len(samples) / self.sample_rate > now + 1e-9:
                break
            played.append(self._pieces.popleft())
        return played

    def next_start(self, now: float) -> float:
        """Return when what is handed over at ``now`` is heard, in seconds."""
        return max(now, self.ends_at)

    def left(self, now: float) -> list[Int16]:
        """Return what is not heard by ``now``: int16 pieces, the first one cut there."""
        cut = (
            samples[max(0, round((now - start) * self.sample_rate)) :]
            for start, samples in self._pieces
        )
        return [samples for samples in cut if len(samples)]

    def clear(self, now: float) -> tuple[list[tuple[float, Int16]], float]:
        """Forget what was not heard yet.

        Returns:
            What had been heard and was not taken yet (the last piece cut at ``now``), and the
            seconds that were dropped.
        """
        played = self.take_played(now)
        dropped = max(0.0, self.ends_at - now)
        if self._pieces and self._pieces[0][0] < now:
            start, samples = self._pieces[0]
            heard = samples[: round((now - start) * self.sample_rate)]
            if len(heard):
                played.append((start, heard))
        self._pieces.clear()
        self.ends_at = min(self.ends_at, now)
        self.audible_until = min(self.audible_until, now)
        if self.speech_starts and self.speech_starts[-1] > now:
            self.speech_starts.pop()
        return played, dropped
