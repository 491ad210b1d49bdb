"""The outline of both voices: one byte for each side and 20 ms, made as the sound comes in.

Pure but for reading the recording. A view that draws one pixel for 20 ms needs no samples.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from piopiy_lab.sound.pcm import Int16
from piopiy_lab.sound.recording import SampleSource

#: Seconds of sound in one bin.
BIN_SECS = 0.02
#: The last bins may still change (the agent's audio is recorded when it has been heard, and a
#: resampler holds samples back), so that much is measured again.
UNSETTLED_BINS = 25
#: Frames read at once while catching up with a long recording.
_READ_SECS = 20.0


class Envelope:
    """Peaks of a call's two sides, as they stand. For one thread at a time."""

    def __init__(self, source: SampleSource) -> None:
        """Outline a recording.

        Args:
            source: The call's sound; asked again at each :meth:`update`.
        """
        self._source = source
        self._peaks = np.zeros((1024, 2), np.uint8)  # grows by doubling; written by update()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def update(self) -> int:
        """Measure what is new.

        Returns:
            The first bin that may have changed; from there on :meth:`since` is news.
        """
        rate = self._source.sample_rate
        size = max(1, round(BIN_SECS * rate))
        total = self._source.frames // size
        first = max(0, min(self._count, total) - UNSETTLED_BINS)
        step = max(1, int(_READ_SECS / BIN_SECS))
        for start in range(first, total, step):
            stop = min(total, start + step)
            frames = self._source.read(start * size, stop * size)
            bins = len(frames) // size
            if bins == 0:
                break
            self._write(start, _bytes(frames[: bins * size].reshape(bins, size, 2)))
        return first

    def since(self, first: int) -> bytes:
        """Return the bins from ``first`` on: uint8, caller and agent by turns.

        A byte is 255 times the square root of the peak's part of full scale, so that quiet
        speech can be seen too.
        """
        return self._peaks[first : self._count].tobytes()

    def _write(self, start: int, peaks: npt.NDArray[np.uint8]) -> None:
        end = start + len(peaks)
        if end > len(self._peaks):
            more = np.zeros((max(end, 2 * len(self._peaks)), 2), np.uint8)
            more[: self._count] = self._peaks[: self._count]
            self._peaks = more
        self._peaks[start:end] = peaks
        self._count = max(self._count, end)


def _bytes(frames: Int16) -> npt.NDArray[np.uint8]:
    """Return the peak bytes of int16 frames, shape (bins, size, 2) to (bins, 2)."""
    high = frames.max(axis=1).astype(np.int32)
    low = frames.min(axis=1).astype(np.int32)
    peak = np.maximum(high, -low) / 32768.0
    return np.rint(255 * np.sqrt(np.minimum(peak, 1.0))).astype(np.uint8)
