"""What a VoiceAgent's pipeline is made of, and which of it an earlier call has used.

Runs on the session's loop.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipecat.audio.vad.vad_analyzer import VADAnalyzer
from pipecat.processors.frame_processor import FrameProcessor

from piopiy_lab.errors import ServiceError
from piopiy_lab.modes import Mode

#: Services, analyzers and processors that a pipeline has used: pipecat's can't be used again.
_used: weakref.WeakSet[Any] = weakref.WeakSet()


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What ``Action`` was given, checked."""

    mode: Mode
    stt: FrameProcessor | None
    llm: Any
    tts: FrameProcessor | None
    vad: VADAnalyzer | FrameProcessor | None
    enable_metrics: bool
    enable_usage_metrics: bool
    allow_interruptions: bool
    audio_in_sample_rate: int = 16000
    audio_out_sample_rate: int = 24000
    observers: tuple[Any, ...] = ()
    turn_strategies: Any = None
    telecmi_params: Any = None
    ignored: tuple[str, ...] = field(default=())

    @property
    def services(self) -> dict[str, FrameProcessor]:
        """The services by their part's name."""
        named = {"stt": self.stt, "llm": self.llm, "tts": self.tts}
        return {name: service for name, service in named.items() if service is not None}

    @property
    def usable_once(self) -> tuple[Any, ...]:
        """Everything that one pipeline uses up, unless it says that it is reusable."""
        return tuple(part for part in (*self.services.values(), self.vad) if part is not None)


def was_used(part: Any) -> bool:
    """Whether a pipeline has had this part."""
    return part in _used


def mark_used(parts: Iterable[Any]) -> None:
    """Note that a pipeline has these parts now."""
    _used.update(parts)


def check_unused(part: Any) -> None:
    """Refuse a part that an earlier call has used up.

    Raises:
        ServiceError: It can't be used again.
    """
    if part is not None and part in _used and not getattr(part, "reusable", False):
        raise ServiceError(
            f"this {type(part).__name__} was used in an earlier call, and pipecat's services "
            "can't be used twice: make it inside create_session, so that each call has its own"
        )
