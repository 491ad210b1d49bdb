"""Voice activity detection: the ``vad=`` argument, a cheap Silero, and what the detector thinks.

pipecat's frames say only when speech starts and stops. How sure the detector was is taken from
the analyzer itself: :func:`tap` wraps two methods of the *instance*, the user's own too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams
from pipecat.audio.volume import AudioVolumeTracker
from pipecat.processors.frame_processor import FrameProcessor

from piopiy_lab import events
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.events.log import EventLog

#: The four keys of a ``vad`` dict, with the range of each.
RANGES: dict[str, tuple[float, float]] = {
    "confidence": (0.0, 1.0),
    "start_secs": (0.0, 10.0),
    "stop_secs": (0.0, 10.0),
    "min_volume": (0.0, 1.0),
}


def check_params(params: Mapping[str, Any], *, what: str = "vad") -> dict[str, float]:
    """Check detector settings.

    Args:
        params: Some of ``confidence`` (0..1), ``start_secs`` and ``stop_secs`` (0..10 s),
            ``min_volume`` (0..1).
        what: How the message names them.

    Raises:
        ArgumentError: A key or a value is not accepted; the message names it and what is.
    """
    checked: dict[str, float] = {}
    for key, value in params.items():
        if key not in RANGES:
            raise ArgumentError(f"{what} has no key {key!r}: the keys are {', '.join(RANGES)}")
        low, high = RANGES[key]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not low <= value <= high:
            raise ArgumentError(
                f"{what}: {key}={value!r} is out of range: give a number from {low:g} to {high:g}"
            )
        checked[key] = float(value)
    return checked


def make_vad(vad: object) -> VADAnalyzer | FrameProcessor | None:
    """Turn the ``vad=`` argument into an analyzer, a processor, or None.

    Args:
        vad: True (Silero with pipecat's defaults), a dict of settings, an analyzer or a processor
            of pipecat's, or False or None (off).

    Raises:
        ArgumentError: A dict with an unknown key or a value out of range.
        ArgumentTypeError: Anything else; ``1`` and ``"yes"`` too, rather than silently off.
    """
    if vad is None or vad is False:
        return None
    if vad is True:
        return SharedSileroVADAnalyzer()
    if isinstance(vad, Mapping):
        return SharedSileroVADAnalyzer(params=VADParams(**check_params(vad)))
    if isinstance(vad, VADAnalyzer | FrameProcessor):
        return vad
    raise ArgumentTypeError(
        f"vad={vad!r}: give True, False, a dict with {', '.join(RANGES)}, "
        "a SileroVADAnalyzer, or a processor"
    )


_prototype: SileroVADAnalyzer | None = None

#: What Silero makes of a window of digital silence, by the state it is in: (rate, state, context)
#: -> (confidence, next state, next context). The model is a function of these, so it is exact.
_silences: dict[tuple[int, bytes, bytes], tuple[Any, Any, Any]] = {}
_MOST_SILENCES = 4096


class SharedSileroVADAnalyzer(SileroVADAnalyzer):
    """pipecat's Silero analyzer, whose ONNX session is loaded once per process.

    Loading the model takes about 35 ms; every analyzer has a state of its own all the same.
    The model's answer to a window of digital silence is remembered by the state it was in: that
    is exact, because the model is a function of both, and makes long silences cheap.
    """

    _ATTRIBUTES = frozenset({"_model", "_windows_since_reset", "_low_confidence_windows"})

    def __init__(self, *, sample_rate: int | None = None, params: VADParams | None = None) -> None:
        """Make an analyzer; arguments as for ``SileroVADAnalyzer``."""
        global _prototype
        if _prototype is None:
            _prototype = SileroVADAnalyzer()
            _prototype._executor.shutdown(wait=False)
        VADAnalyzer.__init__(self, sample_rate=sample_rate, params=params)
        missing = set(vars(_prototype)) - set(vars(self))
        if missing != self._ATTRIBUTES:  # another pipecat: take its own, slower way
            self._executor.shutdown(wait=False)
            super().__init__(sample_rate=sample_rate, params=params)
            return
        for name in missing:
            setattr(self, name, copy.copy(getattr(_prototype, name)))
        self._model.reset_states()
        self._windows_since_reset = self._low_confidence_windows = 0
        self._volume_tracker = SilenceAwareVolumeTracker()

    def voice_confidence(self, buffer: bytes) -> Any:
        """Return the model's confidence for one window, 0..1; the executor's thread."""
        model = self._model
        if buffer.count(0) != len(buffer) or model._last_sr != self.sample_rate:
            return super().voice_confidence(buffer)
        key = (self.sample_rate, model._state.tobytes(), model._context.tobytes())
        known = _silences.get(key)
        if known is None:
            confidence = super().voice_confidence(buffer)
            # Just reset, the next state is the reset's doing and not the model's.
            if self._windows_since_reset and len(_silences) < _MOST_SILENCES:
                _silences[key] = (confidence, model._state, model._context)
            return confidence
        confidence, model._state, model._context = known
        self._maybe_reset_model(float(confidence.item()))
        return confidence


class SilenceAwareVolumeTracker(AudioVolumeTracker):
    """pipecat's volume tracker, which measures a window of digital silence once per process."""

    _of_silence: ClassVar[dict[tuple[int, int], float]] = {}  # (rate, bytes) -> volume

    @property
    def volume(self) -> float:
        """The volume of the rolling window, 0..1."""
        if self._volume is None and self._buffer.count(0) == len(self._buffer):
            key = (self._sample_rate, len(self._buffer))
            if key not in self._of_silence:
                self._of_silence[key] = super().volume
            self._volume = self._of_silence[key]
        return super().volume


def tap(analyzer: VADAnalyzer, log: EventLog) -> Callable[[], None]:
    """Write every judgement of an analyzer into the log as ``VADSampled``.

    The analyzer's model runs on its executor thread; the numbers are collected there and handed
    over when ``analyze_audio`` is back on the session's loop.

    Returns:
        A function that takes the wrapping off again.
    """
    judged: list[tuple[float, float | None]] = []
    confidence_of = analyzer.voice_confidence
    volume_of = getattr(analyzer, "_get_smoothed_volume", None)
    analyze = analyzer.analyze_audio

    def voice_confidence(buffer: bytes) -> Any:
        confidence = confidence_of(buffer)
        judged.append((_number(confidence), None))
        return confidence

    def smoothed_volume(audio: bytes) -> float:
        assert volume_of is not None
        volume = volume_of(audio)
        if judged:
            judged[-1] = (judged[-1][0], volume)
        return volume

    async def analyze_audio(buffer: bytes) -> Any:
        came = log.now()
        state = await analyze(buffer)
        windows, judged[:] = list(judged), []
        secs = analyzer.num_frames_required() / analyzer.sample_rate
        for index, (confidence, volume) in enumerate(windows):
            # The last window ends with what came; the ones before it are a window apart.
            log.append(
                events.VADSampled(
                    at=max(0.0, came - (len(windows) - 1 - index) * secs),
                    confidence=round(confidence, 4),
                    volume=None if volume is None else round(volume, 4),
                )
            )
        return state

    wrapped: dict[str, Any] = {"voice_confidence": voice_confidence, "analyze_audio": analyze_audio}
    if volume_of is not None:
        wrapped["_get_smoothed_volume"] = smoothed_volume
    for name, function in wrapped.items():
        setattr(analyzer, name, function)

    def untap() -> None:
        for name in wrapped:
            vars(analyzer).pop(name, None)

    return untap


def _number(confidence: Any) -> float:
    """Return a confidence as a float; Silero gives an array of one."""
    return float(confidence.item() if hasattr(confidence, "item") else confidence)


def params_of(analyzer: VADAnalyzer) -> dict[str, float]:
    """Return an analyzer's settings by name."""
    return {name: float(getattr(analyzer.params, name)) for name in RANGES}
