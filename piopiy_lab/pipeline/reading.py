"""Reads what ``Action`` was given: checks it, once, and makes the :class:`Parts` of it.

Behind this nobody asks what a value might be. Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer
from pipecat.observers.base_observer import BaseObserver
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.turns.user_mute import BaseUserMuteStrategy
from pipecat.turns.user_start import BaseUserTurnStartStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab.events.values import HoldManner
from piopiy_lab.interruptions import BaseInterruptionStrategy
from piopiy_lab.listening.ahead_options import Ahead, read_speculate
from piopiy_lab.listening.hold_options import read_hold
from piopiy_lab.listening.lexicon import Lexicon
from piopiy_lab.listening.turn_taking import check_turns, realtime_interruption
from piopiy_lab.listening.vad import make_vad
from piopiy_lab.pipeline.part_checks import (
    check_loop,
    check_placeholders,
    check_services,
    check_vad,
    put_in_place,
)
from piopiy_lab.pipeline.parts import (
    Parts,
    ServiceParts,
    TurnRules,
    check_unused,
    language_of,
    name_services,
)
from piopiy_lab.pipeline.service_switcher import AnySwitcher
from piopiy_lab.services.realtime import find_mode

#: Hz of both sides, where the room's parameters say nothing else.
AUDIO_IN_RATE = 16000
AUDIO_OUT_RATE = 24000
#: The room parameters that act everywhere.
_EVERYWHERE = frozenset(
    "audio_in_enabled audio_in_sample_rate audio_out_enabled audio_out_sample_rate "
    "vad_analyzer turn_analyzer vad_enabled vad_audio_passthrough".split()
)


@dataclass(frozen=True)
class RoomParams:
    """``telecmi_params``, read: pydantic's, or any object with some of these attributes."""

    audio_in_sample_rate: int
    audio_out_sample_rate: int
    vad_analyzer: object
    turn_analyzer: BaseTurnAnalyzer | None
    chosen: Mapping[str, object]  # the fields that the user set

    @classmethod
    def read(cls, params: object) -> RoomParams:
        """Read what ``Action`` was given; None sets nothing."""
        return cls(
            audio_in_sample_rate=getattr(params, "audio_in_sample_rate", None) or AUDIO_IN_RATE,
            audio_out_sample_rate=getattr(params, "audio_out_sample_rate", None) or AUDIO_OUT_RATE,
            vad_analyzer=getattr(params, "vad_analyzer", None),
            turn_analyzer=getattr(params, "turn_analyzer", None),
            chosen={
                name: getattr(params, name) for name in getattr(params, "model_fields_set", ())
            },
        )

    @property
    def notice(self) -> str | None:
        """What to say off the phone, where some of them mean nothing."""
        ignored = sorted(set(self.chosen) - _EVERYWHERE)
        return f"telecmi_params: {', '.join(ignored)} act on the phone only" if ignored else None


def read_services(
    chosen: Mapping[str, FrameProcessor | None],
    switchers: Mapping[str, AnySwitcher | None],
    replace: Mapping[str, object],
) -> ServiceParts:
    """Check the services and name those of switchers.

    Args:
        chosen: What was given as "stt", "llm" and "tts".
        switchers: What was given as "stt_switcher", ... by the same names.
        replace: What stands in their place in this call.

    Raises:
        ArgumentTypeError: ``llm`` is missing, or something is no service.
        ArgumentError: A part is missing, or there are two in one place.
    """
    chosen = dict(chosen)
    switching = {kind: switcher for kind, switcher in switchers.items() if switcher is not None}
    replaced: tuple[tuple[object, str], ...] = ()
    if replace:
        check_services({**chosen, "llm": chosen["llm"] or replace.get("llm")}, switching)
        replaced = put_in_place(chosen, switching, replace)
    check_services(chosen, switching)
    names = name_services(switching)
    check_placeholders(
        {
            kind: names[kind].values() if kind in names else [service]
            for kind, service in chosen.items()
        }
    )
    first = {k: next(iter(names[k].values())) if k in names else s for k, s in chosen.items()}
    parts: dict[str, Any] = {kind: switching.get(kind, one) for kind, one in chosen.items()}
    return ServiceParts(
        mode=find_mode(**first),
        **parts,  # checked: there is an llm
        switchers=switching,
        names=names,
        replaced=replaced,
    )


def read_parts(
    *,
    chosen: Mapping[str, FrameProcessor | None],
    switchers: Mapping[str, AnySwitcher | None],
    replace: Mapping[str, object],
    vad: object,
    enable_metrics: bool,
    enable_usage_metrics: bool,
    allow_interruptions: bool,
    interruption_strategy: BaseInterruptionStrategy | BaseUserTurnStartStrategy | None,
    telecmi_params: object,
    turn_strategies: UserTurnStrategies | None,
    observers: Iterable[BaseObserver] | None,
    mute_strategies: Iterable[BaseUserMuteStrategy] | None,
    hold_backchannels: bool | None = None,
    hold: HoldManner | None = None,
    lexicon: str | Lexicon | Sequence[str] | None = None,
    aside_db: float | None = None,
    speculate: Ahead | None = None,
) -> Parts:
    """Check everything that ``Action`` was given; what is raised is in its docstring.

    Args:
        chosen: What was given as "stt", "llm" and "tts".
        switchers: What was given as "stt_switcher", ... by the same names.
        replace: What stands in their place in this call.
        vad: As for ``Action``, and so are the rest.
        enable_metrics: As there.
        enable_usage_metrics: As there.
        allow_interruptions: As there.
        interruption_strategy: As there.
        telecmi_params: As there.
        turn_strategies: As there.
        observers: As there.
        mute_strategies: As there.
        hold_backchannels: As there.
        hold: As there.
        lexicon: As there.
        aside_db: As there.
        speculate: As there.
    """
    mutes = check_turns(
        allow_interruptions=allow_interruptions,
        interruption_strategy=interruption_strategy,
        turn_strategies=turn_strategies,
        mute_strategies=mute_strategies,
    )
    services = read_services(chosen, switchers, replace)
    if services.mode != "cascaded":
        interruption_strategy = realtime_interruption(interruption_strategy)
    room = RoomParams.read(telecmi_params)
    detector = room.vad_analyzer if room.vad_analyzer is not None and not vad else vad
    bringing = None if detector is not None else _bringing_vad(services)
    analyzer = make_vad(detector if bringing is None else True)
    _check_usable(services, analyzer)
    hold_rules = read_hold(
        hold_backchannels,
        hold,
        lexicon,
        aside_db,
        vad=analyzer is not None,
        turn_strategies=turn_strategies,
        interruption_strategy=interruption_strategy,
        realtime=services.mode != "cascaded",
        language=language_of(services),
    )
    return Parts(
        **vars(services),
        vad=analyzer,
        turns=TurnRules(
            vad=analyzer is not None,
            allow_interruptions=allow_interruptions,
            given=turn_strategies,
            interruption=interruption_strategy,
            turn_analyzer=room.turn_analyzer,
            realtime=services.mode != "cascaded",
            hold=hold_rules,
            hold_asked=hold_backchannels is True,
            ahead=read_speculate(
                speculate,
                vad=analyzer is not None,
                turn_strategies=turn_strategies,
                realtime=services.mode != "cascaded",
            ),
        ),
        mute_strategies=mutes,
        enable_metrics=enable_metrics,
        enable_usage_metrics=enable_usage_metrics,
        audio_in_sample_rate=room.audio_in_sample_rate,
        audio_out_sample_rate=room.audio_out_sample_rate,
        room_params=room.chosen,
        off_phone_notice=room.notice,
        vad_notice=None
        if bringing is None
        else (
            f"no vad= was given, and {bringing} stands in for a service that hears where speech "
            "ends: it brings a detector (Silero); vad=True says so, vad=False is off"
        ),
        observers=tuple(observers or ()),
    )


def _bringing_vad(services: ServiceParts) -> str | None:
    """Return the name of a stand-in that brings a detector, where the cloud's service needs none.

    A session that runs with a provider's service must run with what stands in its place.
    """
    everyone = (service for members in services.members.values() for service in members)
    return next((type(one).__name__ for one in everyone if getattr(one, "brings_vad", False)), None)


def _check_usable(services: ServiceParts, analyzer: object) -> None:
    """Refuse what an earlier call or another loop has, and a service that lacks a detector."""
    members = [(kind, one) for kind, of_kind in services.members.items() for one in of_kind]
    check_vad((service for _, service in members), analyzer)
    for name, part in (*members, *services.switchers.items(), ("vad", analyzer)):
        check_unused(part)
        check_loop(name, part)
