"""What a VoiceAgent's pipeline is made of, and which of it an earlier call has used.

Runs on the session's loop.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipecat.audio.vad.vad_analyzer import VADAnalyzer
from pipecat.pipeline.service_switcher import ServiceSwitcher
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.turns.user_mute import BaseUserMuteStrategy

from piopiy_lab.errors import ArgumentError, ServiceError
from piopiy_lab.services.realtime import Mode

#: Services, analyzers and processors that a pipeline has used: pipecat's can't be used again.
_used: weakref.WeakSet[Any] = weakref.WeakSet()


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What ``Action`` was given, checked."""

    mode: Mode
    stt: FrameProcessor | None  # the part in the pipeline: a service, or a switcher
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
    interruption_strategy: Any = None
    mute_strategies: tuple[BaseUserMuteStrategy, ...] = ()
    telecmi_params: Any = None
    ignored: tuple[str, ...] = field(default=())

    switchers: Mapping[str, ServiceSwitcher[Any]] = field(default_factory=dict)
    #: Of each switcher the services by name.
    names: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Services (with their names) that a replacement stands in the place of.
    replaced: tuple[tuple[Any, str], ...] = ()

    @property
    def members(self) -> dict[str, list[Any]]:
        """All services of each part: one, or those of its switcher."""
        named = {"stt": self.stt, "llm": self.llm, "tts": self.tts}
        return {
            kind: list(self.names[kind].values()) if kind in self.names else [part]
            for kind, part in named.items()
            if part is not None
        }

    @property
    def active(self) -> dict[str, Any]:
        """The service at work in each part."""
        return {
            kind: self.switchers[kind].strategy.active_service
            if kind in self.switchers
            else services[0]
            for kind, services in self.members.items()
        }

    @property
    def services(self) -> dict[str, Any]:
        """The service at work by its part's name, and every service of a switcher by its own."""
        named = {name: s for names in self.names.values() for name, s in names.items()}
        return {**self.active, **named}

    @property
    def usable_once(self) -> tuple[Any, ...]:
        """Everything that one pipeline uses up, unless it says that it is reusable."""
        services = [service for members in self.members.values() for service in members]
        parts = (*services, *self.switchers.values(), self.vad)
        return tuple(part for part in parts if part is not None)


def name_services(switchers: Mapping[str, ServiceSwitcher[Any]]) -> dict[str, dict[str, Any]]:
    """Return each switcher's services by a name that is the same in every run.

    A service's name is the one it was made with (``name="anna"``), else its class's name; where
    two of a call have one class, with their place in the switcher: "EspeakTTSService-2".

    Raises:
        ArgumentError: Two services have one name, or one is named like a part.
    """
    everyone = [service for switcher in switchers.values() for service in switcher.services]
    classes = [type(service).__name__ for service in everyone if not _given_name(service)]
    names: dict[str, dict[str, Any]] = {}
    taken = {"stt", "llm", "tts"}
    for kind, switcher in switchers.items():
        names[kind] = {}
        for place, service in enumerate(switcher.services, start=1):
            name = type(service).__name__
            several = classes.count(name) > 1
            name = _given_name(service) or (f"{name}-{place}" if several else name)
            if name in taken:
                raise ArgumentError(
                    f"Action({kind}_switcher=...): a service is named {name!r}, and "
                    + (
                        "that is a part's name"
                        if name in ("stt", "llm", "tts")
                        else "another one is too"
                    )
                    + "; give each service a name of its own"
                )
            taken.add(name)
            names[kind][name] = service
    return names


def _given_name(service: Any) -> str | None:
    """Return the name that a service was made with, None where pipecat numbered it."""
    numbered = re.fullmatch(rf"{re.escape(type(service).__name__)}#\d+", service.name)
    return None if numbered else service.name


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
    if isinstance(part, ServiceSwitcher) and part in _used:
        raise ServiceError(
            f"this {type(part).__name__} was used in an earlier call, and a switcher can't be "
            "used twice: make it, with its services, inside create_session"
        )
    if part is not None and part in _used and not getattr(part, "reusable", False):
        raise ServiceError(
            f"this {type(part).__name__} was used in an earlier call, and pipecat's services "
            "can't be used twice: make it inside create_session, so that each call has its own"
        )
