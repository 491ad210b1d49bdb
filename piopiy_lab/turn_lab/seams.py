"""What the lab needs of pipecat's analyzers: checked here, when this is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams, VADState

from piopiy_lab.listening.seams import SharedSileroVADAnalyzer, shared_smart_turn
from piopiy_lab.listening.turn_models import Asking
from piopiy_lab.services.fitting import attributes, expect, method
from piopiy_lab.sound.pcm import Float32

RELIED_ON = (
    *attributes(SileroVADAnalyzer, "_model", needed_by="the turn lab"),
    method(LocalSmartTurnAnalyzerV3, "_predict_endpoint", "audio_array", needed_by="the turn lab"),
    method(VADAnalyzer, "_run_analyzer", "buffer", needed_by="the turn lab"),
    method(VADAnalyzer, "_get_smoothed_volume", "audio", needed_by="the turn lab"),
)
expect(RELIED_ON)


class ReplayedAnalyzer(SharedSileroVADAnalyzer):
    """The analyzer with settings of its own, on a model and volumes that others share.

    Missing: a way to give an analyzer its model, and an ``analyze_audio`` without a thread (one
    call of it is a window; a minute of sound has 1,900).
    """

    def __init__(
        self,
        rate: int,
        settings: Mapping[str, float],
        known: Callable[[Any], object],
        volumes: list[float],
    ) -> None:
        """Make the analyzer.

        Args:
            rate: Hz.
            settings: ``confidence``, ``start_secs``, ``stop_secs``, ``min_volume``.
            known: Returns the model to ask in the place of the given one.
            volumes: The smoothed volume of each window: what is missing is added.
        """
        super().__init__(sample_rate=rate, params=VADParams(**settings))
        self._model = known(self._model)
        self._volumes = volumes
        self._judged = 0  # windows whose volume was taken
        self.set_sample_rate(rate)

    def judge(self, window: bytes) -> VADState:
        """Return what it takes the caller to be doing after a window; in this thread."""
        return self._run_analyzer(window)

    def voice_confidence(self, buffer: bytes) -> Any:
        """Return the model's confidence for one window, 0..1, digital silence or not."""
        return SileroVADAnalyzer.voice_confidence(self, buffer)

    def _get_smoothed_volume(self, audio: bytes) -> float:
        if self._judged == len(self._volumes):
            self._volumes.append(super()._get_smoothed_volume(audio))
        self._judged += 1
        return self._volumes[self._judged - 1]


class TurnModel:
    """A turn model on a stretch of sound, in this thread. Missing: a public way to ask it that."""

    def __init__(self, rate: int, asked: Asking | None = None) -> None:
        """Take a model, for sound of a rate in Hz; None: the process's one Smart Turn."""
        self._asked, self._rate = asked, rate
        self._analyzer: Any = shared_smart_turn(SmartTurnParams())
        self._analyzer.set_sample_rate(rate)
        #: Seconds of sound that it is given at the most.
        self.most_secs: float = self._analyzer.params.max_duration_secs
        if asked is not None:
            self.most_secs = asked.most_secs

    def judge(self, samples: Float32) -> float:
        """Return how sure it is that a turn is over, 0 to 1, after float32 samples of -1 to 1."""
        if self._asked is not None:
            return self._asked(samples, self._rate)
        return float(self._analyzer._predict_endpoint(samples)["probability"])
