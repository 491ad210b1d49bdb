"""Word errors, and what Whisper hears: for tests and benchmarks with real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from piopiy_lab.experiments.figures.word_errors import WordErrors as WordErrors
from piopiy_lab.experiments.figures.word_errors import count_errors as count_errors
from piopiy_lab.experiments.figures.word_errors import word_errors as word_errors
from piopiy_lab.offline.wording import spoken_form


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
