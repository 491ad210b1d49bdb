"""The checks of ``VoiceAgent.Action``: what is wrong with the parts, in the API's words.

Runs on the session's loop, before anything of the pipeline is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from pipecat.pipeline.service_switcher import ServiceSwitcher
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import SegmentedSTTService, STTService
from pipecat.services.tts_service import TTSService

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, ServiceError
from piopiy_lab.pipeline import seams
from piopiy_lab.pipeline.parts import name_services, was_used
from piopiy_lab.pipeline.service_switcher import AnySwitcher
from piopiy_lab.services.realtime import is_realtime


def put_in_place(
    chosen: dict[str, Any], switchers: dict[str, AnySwitcher], replace: Mapping[str, object]
) -> tuple[tuple[object, str], ...]:
    """Put other services in the place of what the session chose, switchers too.

    Args:
        chosen: Services by part; changed.
        switchers: Switchers by part; changed.
        replace: By part a service, a switcher, or a function that makes one.

    Returns:
        The services of switchers that one service now stands in the place of, with their names:
        the session may still ask for them.
    """
    gone: list[tuple[object, str]] = []
    for kind, given in replace.items():
        service = given
        if callable(given) and not isinstance(given, FrameProcessor):
            service = given()
        before = switchers.pop(kind, None)
        if isinstance(before, ServiceSwitcher):
            named = name_services({kind: before})[kind]
            gone += [(service, name) for name, service in named.items()]
        if isinstance(service, ServiceSwitcher):
            chosen[kind], switchers[kind] = None, service
        else:
            chosen[kind] = service
    return tuple(gone)


#: What a part must not be: one of pipecat's services of another kind.
_KINDS: dict[str, type[FrameProcessor]] = {"stt": STTService, "llm": LLMService, "tts": TTSService}


def check_services(chosen: Mapping[str, object], switchers: Mapping[str, object]) -> None:
    """Refuse services that are missing, or no services, or in a wrong place, or in two.

    Args:
        chosen: What was given as "stt", "llm" and "tts"; None where nothing was.
        switchers: What was given as "stt_switcher", ... by the same names; without None.
    """
    if chosen["llm"] is None and "llm" not in switchers:
        raise ArgumentTypeError("Action() is missing 'llm': an llm is required")
    places: list[tuple[str, str, object]] = []
    for kind, service in chosen.items():
        if service is None:
            continue
        if isinstance(service, ServiceSwitcher):
            raise ArgumentTypeError(
                f"Action({kind}=...) is a {type(service).__name__}: give it as {kind}_switcher="
            )
        places.append((kind, kind, service))
    for kind, switcher in switchers.items():
        where = f"{kind}_switcher"
        if not isinstance(switcher, ServiceSwitcher):
            raise ArgumentTypeError(
                f"Action({where}={switcher!r}): give ServiceSwitcher(services=[a, b]), from "
                "piopiy_lab.pipeline.service_switcher"
            )
        if not switcher.services:
            raise ArgumentError(f"Action({where}=...) has no services: give it at least one")
        seams.check_switcher(switcher)
        for service in switcher.services:
            places.append((where, kind, service))
    for index, (where, _, service) in enumerate(places):
        for other, _, same in places[:index]:
            if service is same:
                raise ArgumentError(
                    f"Action(): {other} and {where} are the same object"
                    if other != where
                    else f"Action({where}=...) holds the same {type(service).__name__} twice"
                )
    for where, kind, service in places:
        _check_kind(where, kind, service)
    for kind in switchers:
        if chosen[kind] is not None:
            raise ArgumentError(
                f"Action({kind}=..., {kind}_switcher=...): give one of them; a service that is to "
                "be switched to goes into the switcher"
            )
    check_llms(switchers)


def check_llms(switchers: Mapping[str, object]) -> None:
    """Refuse a switcher that mixes realtime models with others: they hear differently."""
    switcher = switchers.get("llm")
    if isinstance(switcher, ServiceSwitcher):
        kinds = {is_realtime(llm): type(llm).__name__ for llm in switcher.services}
        if len(kinds) > 1:
            raise ArgumentError(
                f"Action(llm_switcher=...): {kinds[True]} is a realtime model and {kinds[False]} "
                "is none; all of a switcher must be of one sort"
            )


def _check_kind(where: str, kind: str, service: object) -> None:
    """Refuse what is no service, or one of another kind."""
    if not isinstance(service, FrameProcessor):
        raise ArgumentTypeError(
            f"Action({where}={service!r}): give one of pipecat's services, made like "
            "DeepgramSTTService(...) or taken from offline_stack()"
        )
    name = type(service).__name__
    if kind == "llm" and not isinstance(service, LLMService):
        raise ArgumentTypeError(f"Action({where}={name}): that is no LLM service of pipecat's")
    for other, service_class in _KINDS.items():
        if other != kind and isinstance(service, service_class):
            raise ArgumentTypeError(
                f"Action({where}={name}): that is a service for {other}; give it as {other}="
            )


def check_placeholders(members: Mapping[str, Iterable[object]]) -> None:
    """Refuse what only stands for a service that isn't here (``piopiy_alias.placeholders``)."""
    for kind, services in members.items():
        for service in services:
            if name := getattr(service, "placeholder_for", ""):
                raise ServiceError(
                    f"Action({kind}={type(service).__name__}): {name} is a service of Piopiy's SDK "
                    "that isn't here, and this is its placeholder: give another service, or put "
                    f'one in its place for a simulation, simulate(..., replace={{"{kind}": ...}})'
                )


def check_vad(services: Iterable[object], vad: object) -> None:
    """Refuse a service that needs a detector where there is none."""
    for service in services:
        needs = isinstance(service, SegmentedSTTService) or getattr(service, "needs_vad", False)
        if needs and vad is None:
            raise ArgumentError(
                f"{type(service).__name__} needs voice activity detection to know where speech "
                "ends: Action(..., vad=True)"
            )


def check_loop(name: str, part: object) -> None:
    """Refuse what was bound to another event loop: awaiting it here would hang or raise."""
    if part is None or was_used(part):  # one that may be used again starts afresh
        return
    here = asyncio.get_running_loop()
    for attribute, value in vars(part).items():
        loop = value.get_loop() if isinstance(value, asyncio.Future) else _loop_of(value)
        if loop is not None and loop is not here:
            raise ServiceError(
                f"Action({name}=...): the {attribute.strip('_')!r} of this "
                f"{type(part).__name__} is bound to another event loop "
                f"({type(loop).__name__}), and this call runs on a loop of its own: make the "
                "service inside create_session"
            )


def _loop_of(value: object) -> asyncio.AbstractEventLoop | None:
    loop = getattr(value, "_loop", None)  # asyncio's own objects, and aiohttp's session
    return loop if isinstance(loop, asyncio.AbstractEventLoop) else None
