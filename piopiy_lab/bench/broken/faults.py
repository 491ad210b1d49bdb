"""The faults' own parts: a recogniser, a detector and turn rules as nobody should have them."""

from __future__ import annotations

import numpy as np
from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer, BaseTurnParams, EndOfTurnState
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    TranscriptionFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import MetricsData
from pipecat.processors.frame_processor import FrameDirection
from pipecat.turns.types import ProcessFrameResult
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import BaseUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.time import time_now_iso8601

from piopiy_lab.simulation.screenplay_stt import ScreenplaySTTService

#: Words after which the hasty desk has heard enough.
ENOUGH_WORDS = 3
#: RMS of what the deaf detector takes for a voice, of 32767.
LOUD = 300.0


class HastyRecogniser(ScreenplaySTTService):
    """Hands on each word as it is said, while the caller goes on."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Look for new words at every piece of the caller's sound."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self._hand_on()


class AfterSomeWords(BaseUserTurnStopStrategy):
    """Takes a turn for over after some words, though the caller goes on."""

    def __init__(self) -> None:
        super().__init__()
        self._words = 0

    async def handle_user_turn_started(self) -> None:
        """Count anew."""
        self._words = 0

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Count words."""
        if isinstance(frame, TranscriptionFrame):
            self._words += len(frame.text.split())
            if self._words >= ENOUGH_WORDS:
                self._words = 0
                await self.trigger_user_turn_stopped()
        return ProcessFrameResult.CONTINUE


class InventingRecogniser(ScreenplaySTTService):
    """Hears a word in every sound."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Hand on what was said, and "hm" where nothing was."""
        said = self._handed_on
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame) and self._handed_on == said:
            self.request_finalize()
            self.confirm_finalize()
            await self.push_frame(TranscriptionFrame("hm", "", time_now_iso8601()))


class LoudnessDetector(VADAnalyzer):
    """Takes any loud sound for a voice."""

    def __init__(self, stop_secs: float) -> None:
        """Make it.

        Args:
            stop_secs: Seconds of silence after which a voice is over.
        """
        super().__init__(params=VADParams(start_secs=0.1, stop_secs=stop_secs, min_volume=0.1))

    def num_frames_required(self) -> int:
        """Return the samples of a window: 32 ms."""
        return self.sample_rate * 32 // 1000

    def voice_confidence(self, buffer: bytes) -> float:
        """Return 1 for what is loud, 0 for what isn't."""
        samples = np.frombuffer(buffer, np.int16).astype(np.float64)
        return float(np.sqrt(np.mean(samples**2)) > LOUD)


class AlwaysComplete(BaseTurnAnalyzer):
    """A turn model for which every silence is the end."""

    @property
    def speech_triggered(self) -> bool:
        """Whether somebody speaks: it doesn't care."""
        return False

    @property
    def params(self) -> BaseTurnParams:
        """Nothing."""
        return BaseTurnParams()

    def append_audio(self, buffer: bytes, is_speech: bool) -> EndOfTurnState:
        """Take no notice."""
        return EndOfTurnState.INCOMPLETE

    async def analyze_end_of_turn(self) -> tuple[EndOfTurnState, MetricsData | None]:
        """Say that the turn is over."""
        return EndOfTurnState.COMPLETE, None

    def clear(self) -> None:
        """Forget nothing, for nothing was kept."""


def hasty_turns() -> UserTurnStrategies:
    """Return turn rules that end a turn after some words, and that nobody can interrupt."""
    return UserTurnStrategies(
        start=[VADUserTurnStartStrategy(enable_interruptions=False)], stop=[AfterSomeWords()]
    )
