"""Makes one side of a recording of chunks whose times jitter: the sound keeps to the clock.

Each side's chunks come with the second at which their first sample was heard. That time
jitters, and a sound card's crystal is not the loop's clock, so a side is a :class:`Track`: a
chunk continues the one before it as long as the two agree within :data:`TOLERANCE_SECS`. What
many chunks disagree by is made good slowly, by stretching or squeezing chunks by about half a
percent, which nobody hears. When chunk and clock agree to the sample (in a simulation) not one
sample is changed.
"""

from __future__ import annotations

import math

import numpy as np

from piopiy_lab.sound.pcm import Int16, StreamResampler

#: A chunk further than this from where the side stands is a gap, or is too late: twice the
#: jitter that a busy event loop shows.
TOLERANCE_SECS = 0.06
#: Which of a block's disagreements counts. Chunks are handled late more often than early, so it
#: lies below the median: 20 ms are kept with jitter of 0..30 ms and of -30..30 ms alike.
QUANTILE = 0.33
#: What that of a block of chunks may disagree by before it is made good.
DEADBAND_SECS = 0.005
#: Chunks in a block.
BLOCK_CHUNKS = 32
#: How much a chunk may be stretched or squeezed: 0.5 % is nine hundredths of a semitone.
SLEW = 0.005
#: A chunk of fewer samples isn't stretched: one sample would be too much.
SHORT = 64


class Track:
    """Where one side of a recording stands. For one thread at a time."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._stream: StreamResampler | None = None  # None: the next chunk begins anew
        self._start = 0  # frame of the stream's first sample
        self._waiting: list[Int16] = []  # chunks for the stream: few long ones cost less
        self._given = 0  # samples since _start, at the chunks' rate, waiting ones included
        self._errors: list[float] = []  # seconds by which the clock was ahead of the chunks
        self._owed = 0.0  # seconds to stretch by, still

    def write(self, at: float, samples: Int16, rate: int) -> list[tuple[int, Int16]]:
        """Take a chunk and return what is ready: frame numbers, and samples from there on.

        Args:
            at: The second of the call's clock of the first sample.
            samples: int16, (n,).
            rate: Theirs, in Hz.
        """
        pieces: list[tuple[int, Int16]] = []
        if at < 0:  # heard before the call's clock began
            samples, at = samples[math.ceil(-at * rate) :], 0.0
        if self._stream is not None and self._stream.from_rate != rate:
            pieces += self.finish()
        if self._stream is not None:
            ahead = at - self._position(self._stream)
            if ahead > TOLERANCE_SECS:  # nothing was heard in between
                pieces += self.finish()
            elif ahead < -TOLERANCE_SECS:  # it overlaps what is there: keep to the clock
                samples = samples[round(-ahead * rate) :]
                self._forget()
            else:
                samples = self._adjusted(samples, ahead, rate)
        if self._stream is None:
            self._stream = StreamResampler(rate, self._rate)
            self._start, self._given = round(at * self._rate), 0
        self._waiting.append(samples.copy())  # the giver may use its buffer again
        self._given += len(samples)
        if self._stream.to_rate == rate or self._given - self._stream.samples_in >= rate // 10:
            pieces.append(self._pass_on(self._stream))
        return pieces

    def finish(self) -> list[tuple[int, Int16]]:
        """Give what the resampler holds back; the next chunk begins anew."""
        if self._stream is None:
            return []
        first = self._pass_on(self._stream)
        frame = self._start + self._stream.samples_out
        held = self._stream.flush()
        self._stream = None
        self._forget()
        return [first, (frame, held)]

    def _pass_on(self, stream: StreamResampler) -> tuple[int, Int16]:
        frame = self._start + stream.samples_out
        samples = np.concatenate(self._waiting) if self._waiting else np.zeros(0, np.int16)
        self._waiting.clear()
        return frame, stream.process(samples)

    def _position(self, stream: StreamResampler) -> float:
        """The second at which the next chunk belongs if it follows the last one."""
        return self._start / self._rate + self._given / stream.from_rate

    def _adjusted(self, samples: Int16, ahead: float, rate: int) -> Int16:
        """Stretch (or squeeze) a chunk by a little of what the clock is ahead (or behind) by."""
        self._errors.append(ahead - self._owed)
        if len(self._errors) == BLOCK_CHUNKS:
            if max(map(abs, self._errors)) >= DEADBAND_SECS:  # else any quantile is within
                error = float(np.quantile(self._errors, QUANTILE))
                if abs(error) > DEADBAND_SECS:
                    self._owed += error
            self._errors.clear()
        most = max(1.0, len(samples) * SLEW)
        if len(samples) < SHORT:
            return samples
        count = math.trunc(min(most, max(-most, self._owed * rate)))
        if count == 0:
            return samples
        self._owed -= count / rate
        places = np.linspace(0, len(samples) - 1, len(samples) + count)
        return np.rint(np.interp(places, np.arange(len(samples)), samples)).astype(np.int16)

    def _forget(self) -> None:
        self._errors.clear()
        self._owed = 0.0
