"""What a bot's pipeline is made of: found by walking through it, before it starts.

Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pipecat.audio.vad.vad_analyzer import VADAnalyzer
from pipecat.pipeline.service_switcher import ServiceSwitcher, ServiceSwitcherStrategy
from pipecat.processors.aggregators.llm_response_universal import (
    LLMAssistantAggregator,
    LLMUserAggregator,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.processors.frameworks.rtvi import RTVIProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab.bots import seams
from piopiy_lab.events.values import SERVICE_KINDS, ServiceKind
from piopiy_lab.pipeline.parts import name_services
from piopiy_lab.pipeline.seams import analyzer_in
from piopiy_lab.pipeline.service_switcher import AnySwitcher
from piopiy_lab.services.realtime import Mode, is_realtime

T = TypeVar("T", bound=FrameProcessor)

#: The classes of the services of each kind.
CLASSES: Mapping[ServiceKind, type[FrameProcessor]] = {
    "stt": STTService,
    "llm": LLMService,
    "tts": TTSService,
}


def kind_of_service(cls: type) -> ServiceKind | None:
    """Return which kind of service a class is of; None of any other."""
    return next((kind for kind in SERVICE_KINDS if issubclass(cls, CLASSES[kind])), None)


@dataclass(kw_only=True)
class Found:
    """A bot's pipeline, as far as it shows itself.

    Attributes:
        processors: All of them, in the order in which frames pass; those of branches one after
            the other.
        services: By kind, those that stand in the pipeline; not those inside of a switcher.
        switchers: By kind, the first switcher of it.
        names: Of each switcher the services by name.
        user: The user's side of the context.
        assistant: The agent's side of the context.
        analyzer: The detector, where one shows itself.
        rtvi: What answers a browser's client.
        replaced: As for a VoiceAgent; nothing of a bot's is found and replaced.
    """

    processors: list[FrameProcessor]
    services: dict[ServiceKind, list[FrameProcessor]]
    switchers: dict[str, AnySwitcher]
    names: dict[str, dict[str, FrameProcessor]]
    user: LLMUserAggregator | None
    assistant: LLMAssistantAggregator | None
    analyzer: VADAnalyzer | None
    rtvi: RTVIProcessor | None
    replaced: tuple[tuple[object, str], ...] = field(default=())

    @property
    def active(self) -> dict[ServiceKind, FrameProcessor]:
        """The service at work of each kind: that of the switcher, else the first."""
        working: dict[ServiceKind, FrameProcessor] = {}
        for kind in SERVICE_KINDS:
            if (switcher := self.switchers.get(kind)) is not None:
                working[kind] = switcher.strategy.active_service
            elif self.services.get(kind):
                working[kind] = self.services[kind][0]
        return working

    @property
    def all_services(self) -> dict[str, FrameProcessor]:
        """Every service by a name: its kind, a switcher's own name, or kind and number."""
        named: dict[str, FrameProcessor] = {**self.active}
        for kind, services in self.services.items():
            others = [one for one in services if one is not named.get(kind)]
            named |= {f"{kind}-{number}": one for number, one in enumerate(others, start=2)}
        for services in self.names.values():
            named |= services
        return named

    @property
    def members(self) -> dict[ServiceKind, list[FrameProcessor]]:
        """All services of each kind, those of the switcher among them."""
        return {
            kind: [*self.services.get(kind, ()), *self.names.get(kind, {}).values()]
            for kind in SERVICE_KINDS
        }

    @property
    def llms(self) -> list[LLMService]:
        """The language models."""
        return [llm for llm in self.members["llm"] if isinstance(llm, LLMService)]

    @property
    def mode(self) -> Mode:
        """What hears and what speaks."""
        llm = self.active.get("llm")
        if llm is None or "stt" in self.active or not is_realtime(llm):
            return "cascaded"
        return "hybrid" if "tts" in self.active else "speech"

    @property
    def strategies(self) -> UserTurnStrategies | None:
        """What begins and ends the user's turns."""
        return None if self.user is None else seams.strategies_of(self.user)

    @property
    def bridged(self) -> bool:
        """Whether other pipelines take part, over pipecat's bus or the one that it was made of."""
        return any(type(one).__name__ == "BusBridgeProcessor" for one in self.processors)

    @property
    def unseen(self) -> list[str]:
        """What this pipeline doesn't tell, and why."""
        told: list[str] = []
        if self.analyzer is None:
            told.append("a detector's judgements (it has no voice activity detector)")
        if self.user is None:
            told.append("user turns (it has no LLMUserAggregator)")
        if self.assistant is None:
            told.append("the agent's turns in the context (it has no LLMAssistantAggregator)")
        if self.bridged:
            told.append(
                "which services stand behind its bus, in pipelines of their own (what crosses it "
                "is seen)"
            )
        elif "llm" not in self.active:
            told.append("what a language model answers (it has no LLMService)")
        if "stt" not in self.active and self.mode == "cascaded":
            told.append("transcripts (nothing in it recognises speech)")
        if "tts" not in self.active and self.mode != "speech":
            told.append("words and synthesis (it has no TTSService)")
        return told


def look(pipeline: FrameProcessor) -> Found:
    """Walk through a pipeline."""
    everyone = list(_walk(pipeline))
    switchers: dict[str, AnySwitcher] = {}
    inside: set[int] = set()
    for switcher in everyone:
        if isinstance(switcher, ServiceSwitcher):
            inside |= {id(service) for service in switcher.services}
            kind = _kind_of_switcher(switcher)
            if kind is not None:
                switchers.setdefault(kind, switcher)
    services: dict[ServiceKind, list[FrameProcessor]] = {}
    for processor in everyone:
        kind = kind_of_service(type(processor))
        if kind is not None and id(processor) not in inside:
            services.setdefault(kind, []).append(processor)
    user = _first(everyone, LLMUserAggregator)
    detectors = [analyzer for p in everyone if (analyzer := analyzer_in(p)) is not None]
    if user is not None and (own := seams.analyzer_of(user)) is not None:
        detectors.insert(0, own)
    return Found(
        processors=everyone,
        services=services,
        switchers=switchers,
        names=name_services(switchers),
        user=user,
        assistant=_first(everyone, LLMAssistantAggregator),
        analyzer=detectors[0] if detectors else None,
        rtvi=_first(everyone, RTVIProcessor),
    )


def _kind_of_switcher(switcher: ServiceSwitcher[ServiceSwitcherStrategy]) -> ServiceKind | None:
    services = switcher.services
    return next(
        (kind for kind in SERVICE_KINDS if all(isinstance(s, CLASSES[kind]) for s in services)),
        None,
    )


def _walk(processor: FrameProcessor) -> Iterator[FrameProcessor]:
    yield processor
    for inner in processor.processors:
        yield from _walk(inner)


def _first(everyone: list[FrameProcessor], cls: type[T]) -> T | None:
    return next((one for one in everyone if isinstance(one, cls)), None)
