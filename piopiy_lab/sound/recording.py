"""What a call sounded like, as an array that knows its sample rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from piopiy_lab.sound.heard import Heard
from piopiy_lab.sound.pcm import Int16


class Recording(np.ndarray[tuple[int, ...], np.dtype[np.int16]]):
    """An int16 array of shape (n, 2): caller left, agent right.

    Sample ``i`` was heard at ``i / sample_rate`` seconds of the call's clock. Slices and results
    of arithmetic are arrays as ever, and keep ``sample_rate``.
    """

    sample_rate: int = 0  # Hz; written by recording_of() and handed on by numpy

    def __array_finalize__(self, source: object) -> None:
        self.sample_rate = getattr(source, "sample_rate", 0)

    @property
    def duration(self) -> float:
        """Its length in seconds."""
        return len(self) / self.sample_rate if self.sample_rate and self.ndim else 0.0

    @property
    def caller(self) -> Int16:
        """The caller's side: int16, shape (n,)."""
        return np.asarray(self)[:, 0]

    @property
    def agent(self) -> Int16:
        """The agent's side: int16, shape (n,)."""
        return np.asarray(self)[:, 1]

    def __repr__(self) -> str:
        if self.ndim != 2:
            return repr(np.asarray(self))
        return f"<Recording: {self.duration:.2f} s, {self.sample_rate} Hz, caller and agent>"

    def __str__(self) -> str:
        return repr(self) if self.ndim == 2 else str(np.asarray(self))

    def __reduce__(self) -> tuple[Callable[[Int16, int], Recording], tuple[Int16, int]]:
        return recording_of, (np.asarray(self), self.sample_rate)


class SampleSource(Protocol):
    """Where a call's sound is kept: a Recorder while it runs, a file once it is loaded."""

    @property
    def sample_rate(self) -> int:
        """Hz."""
        ...

    @property
    def frames(self) -> int:
        """How many samples of one side there are so far."""
        ...

    def read(self, start: int, end: int) -> Int16:
        """Return frames ``start`` to ``end``, as far as there are any: int16, shape (n, 2)."""
        ...

    def samples(self) -> Int16:
        """Return what there is so far: int16, shape (n, 2). Safe from any thread."""
        ...

    def blocks(self) -> Iterable[Int16]:
        """Yield the same in pieces."""
        ...

    def heard(self) -> Heard | None:
        """Return what the pipeline heard of the caller; None where that isn't kept."""
        ...


def recording_of(samples: Int16, sample_rate: int) -> Recording:
    """Return the samples, int16 of shape (n, 2), as a Recording; nothing is copied."""
    recording = samples.view(Recording)
    recording.sample_rate = sample_rate
    return recording
