"""The playout of a real device: the schedule is corrected by what was really played.

Pure, like :class:`~piopiy_lab.transports.playout.Playout`: every method is told what time it is.
"""

from __future__ import annotations

from collections import deque

from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports.playout import Playout

#: Seconds by which the schedule may be wrong before it is corrected: less than a listener notices,
#: and more than a report's own jitter, so that the recording is not cut up.
SLACK_SECS = 0.02


class LivePlayout(Playout):
    """A schedule that a device's reports keep true."""

    def __init__(self, sample_rate: int, latency_secs: float = 0.1) -> None:
        """Make an empty schedule.

        Args:
            sample_rate: Hz of the int16 mono audio.
            latency_secs: Seconds from handing a sample over to hearing it, when nothing else
                waits; a first guess, which reports replace.
        """
        super().__init__(sample_rate)
        self.latency_secs = latency_secs  # written by the transport, from reports
        self.written = 0  # samples ever handed over; the first sample has the number 0
        self.lag_secs = latency_secs  # what the current stretch of audio waited for its start
        self.gap_secs = 0.0  # of silence before the last piece, unless what was there was cleared
        self._goes_on = False  # what is written next comes after something, in the same stretch
        self._numbers: deque[int] = deque()  # each piece's first sample, beside _pieces

    def next_start(self, now: float) -> float:
        """Return when what is handed over at ``now`` is heard, in seconds."""
        return max(now + self.latency_secs, self.ends_at)

    def write(self, now: float, samples: Int16) -> float:
        """Hand over a piece; it is heard after what is scheduled, or after the latency."""
        idle, before = self.ends_at <= now, self.ends_at
        start = super().write(max(now + self.latency_secs, self.ends_at), samples)
        self.gap_secs = start - before if self._goes_on else 0.0
        self._goes_on = True
        if idle:
            self.lag_secs = start - now
        self._numbers.append(self.written)
        self.written += len(samples)
        return start

    def take_played(self, now: float) -> list[tuple[float, Int16]]:
        """Return the pieces that have been heard to the end, each once: (start, samples)."""
        played = super().take_played(now)
        for _ in played:
            self._numbers.popleft()
        return played

    def clear(self, now: float) -> tuple[list[tuple[float, Int16]], float]:
        """Forget what is not heard by ``now``, which may lie a little ahead."""
        cleared = super().clear(now)
        self._numbers.clear()
        self._goes_on = False
        return cleared

    def report(self, number: int, heard_at: float) -> float:
        """Correct the schedule: sample ``number`` is heard at ``heard_at``.

        Args:
            number: A sample's number among all that were written, from 0. One that is heard to
                the end already, or was cleared, corrects nothing.
            heard_at: Seconds.

        Returns:
            By how many seconds the schedule was moved; 0.0 if it was right.
        """
        if not self._numbers or not self._numbers[0] <= number < self.written:
            return 0.0
        index = sum(first <= number for first in self._numbers) - 1
        start, _ = self._pieces[index]
        scheduled = start + (number - self._numbers[index]) / self.sample_rate
        shift = heard_at - scheduled
        if abs(shift) <= SLACK_SECS:
            return 0.0
        for later in range(index, len(self._pieces)):
            start, samples = self._pieces[later]
            self._pieces[later] = (start + shift, samples)
        self.ends_at += shift
        self.audible_until += shift
        if self.speech_starts and self.speech_starts[-1] >= scheduled - 1e-6:
            self.speech_starts[-1] += shift
        self.lag_secs += shift
        return shift
