"""What a VoiceAgent's pipeline is made of, and which of it an earlier call has used.

Runs on the session's loop.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer
from pipecat.audio.vad.vad_analyzer import VADAnalyzer
from pipecat.observers.base_observer import BaseObserver
from pipecat.pipeline.service_switcher import ServiceSwitcher
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.turns.user_mute import BaseUserMuteStrategy
from pipecat.turns.user_start import BaseUserTurnStartStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab.errors import ArgumentError, ServiceError
from piopiy_lab.interruptions import BaseInterruptionStrategy
from piopiy_lab.listening.ahead_options import Ahead
from piopiy_lab.listening.hold_rules import HoldRules
from piopiy_lab.listening.turn_taking import make_strategies, recommended_by
from piopiy_lab.pipeline.service_switcher import AnySwitcher
from piopiy_lab.services.realtime import Mode

#: Services, analyzers and processors that a pipeline has used: pipecat's can't be used again.
_used: weakref.WeakSet[object] = weakref.WeakSet()


@dataclass(frozen=True, kw_only=True)
class TurnRules:
    """What says when the caller's turns start and end."""

    vad: bool  # whether there is a detector
    allow_interruptions: bool
    given: UserTurnStrategies | None  # the user's own; they stand as they are
    interruption: BaseInterruptionStrategy | BaseUserTurnStartStrategy | None
    turn_analyzer: BaseTurnAnalyzer | None  # in place of Smart Turn
    realtime: bool  # whether a realtime model hears the caller
    hold: HoldRules | None = None  # how the agent's sound is held before it is cut; None: it isn't
    hold_asked: bool = False  # whether somebody asked for that
    ahead: Ahead | None = None  # what works at a likely end of a turn

    def strategies(self, services: Iterable[FrameProcessor]) -> UserTurnStrategies | None:
        """Make the strategies of one run; None leaves them to a service that recommends some."""
        given = {name: value for name, value in vars(self).items() if name != "hold_asked"}
        return make_strategies(**given, recommended=recommended_by(services))


@dataclass(frozen=True, kw_only=True)
class ServiceParts:
    """The services of a pipeline."""

    mode: Mode
    stt: FrameProcessor | None  # the part in the pipeline: a service, or a switcher
    llm: FrameProcessor
    tts: FrameProcessor | None
    switchers: Mapping[str, AnySwitcher]
    names: Mapping[str, Mapping[str, FrameProcessor]]  # of each switcher the services by name
    #: Services (with their names) that a replacement stands in the place of.
    replaced: tuple[tuple[object, str], ...]

    @property
    def members(self) -> dict[str, list[FrameProcessor]]:
        """All services of each part: one, or those of its switcher."""
        named = {"stt": self.stt, "llm": self.llm, "tts": self.tts}
        return {
            kind: list(self.names[kind].values()) if kind in self.names else [part]
            for kind, part in named.items()
            if part is not None
        }

    @property
    def llms(self) -> list[LLMService]:
        """The language models: one, or those of its switcher."""
        return [llm for llm in self.members["llm"] if isinstance(llm, LLMService)]

    @property
    def active(self) -> dict[str, FrameProcessor]:
        """The service at work in each part."""
        return {
            kind: self.switchers[kind].strategy.active_service
            if kind in self.switchers
            else services[0]
            for kind, services in self.members.items()
        }

    @property
    def services(self) -> dict[str, FrameProcessor]:
        """The service at work by its part's name, and every service of a switcher by its own."""
        named = {name: s for names in self.names.values() for name, s in names.items()}
        return {**self.active, **named}


@dataclass(frozen=True, kw_only=True)
class Parts(ServiceParts):
    """What ``Action`` was given, read: nothing here is still to be checked."""

    vad: VADAnalyzer | FrameProcessor | None
    turns: TurnRules
    mute_strategies: tuple[BaseUserMuteStrategy, ...]
    enable_metrics: bool
    enable_usage_metrics: bool
    audio_in_sample_rate: int  # Hz
    audio_out_sample_rate: int  # Hz
    room_params: Mapping[str, object]  # what the user set of the room's parameters, by name
    off_phone_notice: str | None  # what to say of them where there is no room
    vad_notice: str | None  # what to say of a detector that nobody asked for
    observers: tuple[BaseObserver, ...]

    @property
    def usable_once(self) -> tuple[object, ...]:
        """Everything that one pipeline uses up, unless it says that it is reusable."""
        services = [service for members in self.members.values() for service in members]
        parts = (*services, *self.switchers.values(), self.vad)
        return tuple(part for part in parts if part is not None)


def language_of(services: ServiceParts) -> object:
    """Return the language that the recogniser was told to hear; None if it doesn't say."""
    recogniser = next(iter(services.members.get("stt", ())), None)
    return getattr(getattr(recogniser, "settings", None), "language", None)


def name_services(switchers: Mapping[str, AnySwitcher]) -> dict[str, dict[str, FrameProcessor]]:
    """Return each switcher's services by a name that is the same in every run.

    A service's name is the one it was made with (``name="anna"``), else its class's name; where
    two of a call have one class, with their place in the switcher: "EspeakTTSService-2".

    Raises:
        ArgumentError: Two services have one name, or one is named like a part.
    """
    everyone = [service for switcher in switchers.values() for service in switcher.services]
    classes = [type(service).__name__ for service in everyone if not _given_name(service)]
    names: dict[str, dict[str, FrameProcessor]] = {}
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


def _given_name(service: FrameProcessor) -> str | None:
    """Return the name that a service was made with, None where pipecat numbered it."""
    numbered = re.fullmatch(rf"{re.escape(type(service).__name__)}#\d+", service.name)
    return None if numbered else service.name


def was_used(part: object) -> bool:
    """Whether a pipeline has had this part."""
    return part in _used


def mark_used(parts: Iterable[object]) -> None:
    """Note that a pipeline has these parts now."""
    _used.update(parts)


def check_unused(part: object) -> None:
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
