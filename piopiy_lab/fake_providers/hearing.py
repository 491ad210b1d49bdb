"""Where speech is in a stream of samples, by loudness: what a fake recogniser hears. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: RMS of 10 ms in int16 steps from which on it counts as speech (-40 dBFS).
LOUD = 330.0
#: Seconds of speech that an utterance has at least; shorter sounds are clicks.
SHORTEST_SECS = 0.08
#: Seconds kept from before an utterance's first loud sample.
LEAD_SECS = 0.2

_BLOCK_SECS = 0.01


@dataclass(frozen=True, eq=False)
class Utterance:
    """A stretch of speech; seconds count from the stream's first sample.

    Attributes:
        start: When it began.
        end: When it was last loud.
        samples: int16, shape (n,), from `LEAD_SECS` before its start.
    """

    start: float
    end: float
    samples: npt.NDArray[np.int16]


class Ear:
    """Finds utterances in a stream of int16 samples, shape (n,), mono."""

    def __init__(self, sample_rate: int, pause_secs: float) -> None:
        """Listen.

        Args:
            sample_rate: Hz.
            pause_secs: Seconds of silence that end an utterance.
        """
        self.sample_rate = sample_rate
        self._pause = pause_secs
        self._block = round(sample_rate * _BLOCK_SECS)
        self._rest = np.zeros(0, np.int16)  # samples short of a block
        self._kept: list[npt.NDArray[np.int16]] = []  # the lead, or the open utterance
        self._blocks = 0  # blocks heard so far
        self._loud = 0  # loud blocks of the open utterance
        self._start: float | None = None
        self._last_loud = 0.0

    @property
    def heard_secs(self) -> float:
        """Seconds of sound heard so far."""
        return self._blocks * _BLOCK_SECS

    @property
    def open_secs(self) -> float | None:
        """Seconds since the open utterance began; None when there is none."""
        sure = self._start is not None and self._loud * _BLOCK_SECS >= SHORTEST_SECS
        return self.heard_secs - self._start if sure and self._start is not None else None

    def feed(self, samples: npt.NDArray[np.int16]) -> list[Utterance]:
        """Hear samples; return the utterances that a pause has ended."""
        ended = []
        self._rest = np.concatenate([self._rest, samples])
        while len(self._rest) >= self._block:
            block, self._rest = self._rest[: self._block], self._rest[self._block :]
            if (utterance := self._hear(block)) is not None:
                ended.append(utterance)
        return ended

    def finish(self) -> Utterance | None:
        """End the open utterance now, if there is one."""
        if self._start is None:
            return None
        whole = np.concatenate(self._kept)
        utterance = Utterance(round(self._start, 3), round(self._last_loud, 3), whole)
        click = self._loud * _BLOCK_SECS < SHORTEST_SECS
        self._start, self._loud = None, 0
        self._kept = [whole[-round(LEAD_SECS * self.sample_rate) :]]
        return None if click else utterance

    def _hear(self, block: npt.NDArray[np.int16]) -> Utterance | None:
        began = self.heard_secs
        self._blocks += 1
        self._kept.append(block)
        if float(np.sqrt((block.astype(np.float64) ** 2).mean())) >= LOUD:
            if self._start is None:
                self._start = began
            self._loud += 1
            self._last_loud = self.heard_secs
        elif self._start is None:
            del self._kept[: -round(LEAD_SECS / _BLOCK_SECS)]
        elif self.heard_secs - self._last_loud >= self._pause - 1e-9:
            return self.finish()
        return None


def spread(text: str, start: float, end: float) -> list[tuple[str, float, float]]:
    """Give each word of a text its part of a stretch of time, by its length.

    Returns:
        ``(word, start, end)`` for each word.
    """
    words = text.split()
    total = sum(len(word) for word in words)
    spans, at = [], start
    for word in words:
        until = at + (end - start) * len(word) / total
        spans.append((word, round(at, 3), round(until, 3)))
        at = until
    return spans
