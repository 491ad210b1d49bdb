"""The checks of ``VoiceAgent.Action``: what is wrong with the parts, in the API's words.

Runs on the session's loop, before anything of the pipeline is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import SegmentedSTTService

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, ServiceError
from piopiy_lab.parts import was_used


def made(service: Any) -> Any:
    """Return a service that was put in place, made now if it is a function that makes one."""
    if callable(service) and not isinstance(service, FrameProcessor):
        return service()
    return service


def check_text(name: str, text: Any) -> None:
    """Refuse what is no text, or says nothing."""
    if not isinstance(text, str):
        raise ArgumentTypeError(f"{name}={text!r}: give a text")
    if not text.strip():
        raise ArgumentError(f"{name}={text!r} is empty: say something")


def check_services(chosen: dict[str, Any]) -> None:
    """Refuse services that are missing, or no services, or one in two places."""
    if chosen["llm"] is None:
        raise ArgumentTypeError("Action() is missing 'llm': an llm is required")
    for name, service in chosen.items():
        if service is not None and not isinstance(service, FrameProcessor):
            raise ArgumentTypeError(
                f"Action({name}={service!r}): give one of pipecat's services, made like "
                f"DeepgramSTTService(...) or taken from offline_stack()"
            )
    if not isinstance(chosen["llm"], LLMService):
        raise ArgumentTypeError(
            f"Action(llm={type(chosen['llm']).__name__}): that is no LLM service of pipecat's"
        )
    named = [(name, service) for name, service in chosen.items() if service is not None]
    for index, (name, service) in enumerate(named):
        for other, same in named[:index]:
            if service is same:
                raise ArgumentError(f"Action(): {other} and {name} are the same object")


def check_vad(services: Iterable[Any], vad: Any) -> None:
    """Refuse a service that needs a detector where there is none."""
    for service in services:
        needs = isinstance(service, SegmentedSTTService) or getattr(service, "needs_vad", False)
        if needs and vad is None:
            raise ArgumentError(
                f"{type(service).__name__} needs voice activity detection to know where speech "
                "ends: Action(..., vad=True)"
            )


def check_loop(name: str, part: Any) -> None:
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


def _loop_of(value: Any) -> asyncio.AbstractEventLoop | None:
    loop = getattr(value, "_loop", None)  # asyncio's own objects, and aiohttp's session
    return loop if isinstance(loop, asyncio.AbstractEventLoop) else None
