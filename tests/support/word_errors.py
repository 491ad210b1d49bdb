"""Word errors, and what Whisper hears: for tests and benchmarks with real weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from piopiy_lab.offline.wording import spoken_form


@dataclass(frozen=True)
class WordErrors:
    """Errors in words: substitutions, deletions and insertions, over the words that were said."""

    errors: int
    words: int

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(self.errors + other.errors, self.words + other.words)

    @property
    def rate(self) -> float:
        """Errors over words; may exceed 1."""
        return self.errors / max(1, self.words)

    def __str__(self) -> str:
        return f"{100 * self.rate:.0f} % ({self.errors} of {self.words})"


def word_errors(said: str, heard: str) -> WordErrors:
    """Count the fewest errors that make one text of another, both as one says them."""
    return count_errors(spoken_form(said).split(), spoken_form(heard).split())


def count_errors(said: Sequence[str], heard: Sequence[str]) -> WordErrors:
    """Count by Levenshtein's distance, in words."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        above, row = row, [i]
        for j, other in enumerate(heard, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (word != other)))
    return WordErrors(row[-1], len(said))


class Judge:
    """Whisper on a recording, in words with times: what a listener hears."""

    def __init__(self, models: Path) -> None:
        from faster_whisper import WhisperModel

        self._model = WhisperModel(str(models / "whisper-base"), compute_type="int8")

    def words(self, samples: npt.NDArray[np.int16], rate: int) -> list[tuple[str, float]]:
        """Return the words, as one says them, and where each begins, in seconds."""
        import soxr

        sound = soxr.resample(samples.astype(np.float32) / 32768, rate, 16000)
        found, _ = self._model.transcribe(
            sound.astype(np.float32), language="en", word_timestamps=True
        )
        words = [word for segment in found for word in segment.words or ()]
        return [(w, word.start) for word in words for w in spoken_form(word.word).split()]
