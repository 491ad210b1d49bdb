"""Voice activity detection: the ``vad=`` argument, and what the detector thinks.

pipecat's frames say only when speech starts and stops. How sure the detector was is taken from
the analyzer itself: :func:`tap` wraps methods of the *instance*, the user's own too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams
from pipecat.processors.frame_processor import FrameProcessor

from piopiy_lab import events
from piopiy_lab.checks.arguments import is_number
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.events.log import EventLog
from piopiy_lab.listening.seams import SharedSileroVADAnalyzer, wrap_judgement

#: The four keys of a ``vad`` dict, with the range of each.
RANGES: dict[str, tuple[float, float]] = {
    "confidence": (0.0, 1.0),
    "start_secs": (0.0, 10.0),
    "stop_secs": (0.0, 10.0),
    "min_volume": (0.0, 1.0),
}


def check_params(params: Mapping[str, object], *, what: str = "vad") -> dict[str, float]:
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
        if not is_number(value) or not low <= value <= high:
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


def tap(
    analyzer: VADAnalyzer, log: EventLog, heard: Iterable[Callable[[events.VADSampled], None]] = ()
) -> Callable[[], None]:
    """Write every judgement of an analyzer into the log as ``VADSampled``.

    A user's own analyzer runs its model on its executor thread, ours on the loop; the numbers are
    collected there and handed over when ``analyze_audio`` is back on the session's loop.

    Args:
        analyzer: The analyzer.
        log: The call's events: of all its analyzers, where several agents listen.
        heard: Functions that take those of this one, on the session's loop.

    Returns:
        A function that takes the wrapping off again.
    """
    judged: list[tuple[float, float | None]] = []
    confidence_of = analyzer.voice_confidence
    analyze = analyzer.analyze_audio

    def voice_confidence(buffer: bytes) -> Any:
        confidence = confidence_of(buffer)
        judged.append((_number(confidence), None))
        return confidence

    def heard_volume(volume: float) -> None:
        if judged:
            judged[-1] = (judged[-1][0], volume)

    async def analyze_audio(buffer: bytes) -> object:
        came = log.now()
        state = await analyze(buffer)
        windows, judged[:] = list(judged), []
        secs = analyzer.num_frames_required() / analyzer.sample_rate
        for index, (confidence, volume) in enumerate(windows):
            # The last window ends with what came; the ones before it are a window apart.
            judgement = events.VADSampled(
                at=max(0.0, came - (len(windows) - 1 - index) * secs),
                confidence=round(confidence, 4),
                volume=None if volume is None else round(volume, 4),
            )
            log.append(judgement)
            for take in heard:
                take(judgement)
        return state

    return wrap_judgement(
        analyzer,
        voice_confidence=voice_confidence,
        analyze_audio=analyze_audio,
        heard_volume=heard_volume,
    )


def _number(confidence: Any) -> float:
    """Return a confidence as a float; Silero gives an array of one."""
    return float(confidence.item() if hasattr(confidence, "item") else confidence)


def params_of(analyzer: VADAnalyzer) -> dict[str, float]:
    """Return an analyzer's settings by name."""
    return {name: float(getattr(analyzer.params, name)) for name in RANGES}
