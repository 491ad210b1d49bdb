"""Who speaks and who listens for pipecat's harness offline: a voice, and words as they were spoken.

Each function is a ``factory:`` of an eval file, so pipecat's own harness takes them too::

    user: {modality: audio, speech: {factory: piopiy_lab.evals.espeak, voice: caller}}
    judge: {modality: audio, transcription: {factory: piopiy_lab.evals.spoken_words}}

On the loop of the eval.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

from pipecat.frames.frames import Frame, TranscriptionFrame, TTSTextFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import SegmentedSTTService, STTService
from pipecat.services.tts_service import TTSService
from pipecat.utils.time import time_now_iso8601

from piopiy_lab.errors import EvalFileError

#: Hz of the user's voice where a file gives none; pipecat's own default.
SAMPLE_RATE = 16000


def espeak(config: Mapping[str, object]) -> TTSService:
    """Return the user's offline voice for a file's ``speech:``.

    Args:
        config: ``voice`` ("caller" if there is none; see ``speech.voices()``) and ``sample_rate``.

    Raises:
        ArgumentError: There is no such voice.
        MissingExtraError: The ``offline`` extra isn't installed.
    """
    from piopiy_lab.offline import EspeakTTSService
    from piopiy_lab.sound.speech import find_voice

    rate = config.get("sample_rate") or SAMPLE_RATE
    if not isinstance(rate, int):
        raise EvalFileError(f"speech.sample_rate is {rate!r}: give a whole number of Hz")
    voice = find_voice(str(config.get("voice") or "caller"))
    return EspeakTTSService(voice=voice, sample_rate=rate)


def spoken_words(config: Mapping[str, object]) -> STTService:
    """Return what hands on the bot's words as its own voice reports them, for ``transcription:``.

    No recogniser: what its audio sounds like is not looked at, only when it sounds.
    """
    return SpokenWordsService()


class SpokenWordsService(SegmentedSTTService):
    """A "recogniser" of the bot's speech that reads what the bot's TTS says it speaks."""

    def __init__(self) -> None:
        """Make the service."""
        super().__init__(
            settings=STTSettings(model="spoken words", language=None), trailing_silence_secs=0
        )
        self._words: list[str] = []  # spoken since the last segment was handed on

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Keep what the bot's voice reports, which pipecat's client makes frames of."""
        if isinstance(frame, TTSTextFrame) and direction is FrameDirection.DOWNSTREAM:
            self._words.append(frame.text)
        await super().process_frame(frame, direction)

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Hand on the words of a segment."""
        words, self._words = self._words, []
        if words:
            yield TranscriptionFrame(" ".join(words), "", time_now_iso8601())
