"""What a cassette touches of the insides of pipecat's services.

Missing: a hook between a service and its provider. What a service gets from its provider it hands
to its base class; those calls are what a cassette records and makes again. Methods are replaced on
one object, for its life; on the session's loop, or before it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.ai_service import AIService
from pipecat.services.llm_service import FunctionCallRegistryItem, LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.services.websocket_service import WebsocketService
from pipecat.utils.errors import classify_http_exception

from piopiy_lab.checks.json_values import Record
from piopiy_lab.services.fitting import attributes, expect, method

_TAPING = "a cassette"

#: What services call on their base class when something came from their provider.
UPCALLS: Mapping[str, tuple[str, ...]] = {
    "stt": (
        "push_frame", "request_finalize", "confirm_finalize", "emit_stt_usage_metrics",
        "stop_ttfb_metrics", "start_ttfb_metrics", "push_error", "push_error_frame",
    ),
    "llm": (
        "push_frame", "_push_llm_text", "run_function_calls", "start_ttfb_metrics",
        "stop_ttfb_metrics", "start_processing_metrics", "stop_processing_metrics",
        "start_llm_usage_metrics", "push_error", "push_error_frame",
    ),
    "tts": (
        "append_to_audio_context", "add_word_timestamps", "remove_audio_context",
        "create_audio_context", "start_tts_usage_metrics", "start_ttfb_metrics",
        "stop_ttfb_metrics", "stop_all_metrics", "push_frame", "push_error", "push_error_frame",
    ),
    "realtime": (
        "push_frame", "broadcast_frame", "broadcast_interruption", "run_function_calls",
        "start_ttfb_metrics", "stop_ttfb_metrics", "start_processing_metrics",
        "stop_processing_metrics", "stop_all_metrics", "start_llm_usage_metrics", "push_error",
        "push_error_frame",
    ),
}  # fmt: skip
#: Of these what a cassette plays when an answer is cut off: what was begun is ended.
ENDING = ("stop_processing_metrics", "stop_ttfb_metrics")
#: Methods in which services reach for their provider; at play their base class's stand there.
REACHING = (
    "setup", "start", "stop", "cancel", "cleanup", "process_frame", "flush_audio",
    "on_audio_context_interrupted", "on_audio_context_completed", "on_turn_context_created",
    "on_turn_context_completed", "_update_settings", "_handle_interruption",
    "process_audio_frame", "_handle_vad_user_started_speaking",
    "_handle_vad_user_stopped_speaking", "_process_assistant_turn",
)  # fmt: skip
_KINDS: Mapping[str, type[AIService]] = {
    "stt": STTService, "llm": LLMService, "tts": TTSService, "realtime": LLMService,
}  # fmt: skip
#: Modules of what every service has in common: what they call is no provider's doing.
_COMMON = {
    "pipecat.processors.frame_processor",
    *(f"pipecat.services.{name}_service" for name in ("ai", "stt", "llm", "tts", "websocket")),
    "piopiy_lab.services.modelled_latency",
}
_OURS = "piopiy_lab.cassette."

RELIED_ON = (
    *(
        method(_KINDS[kind], name, needed_by=_TAPING)
        if name in ("request_finalize", "confirm_finalize")
        else attributes(_KINDS[kind], name, needed_by=_TAPING)[0]
        for kind, names in UPCALLS.items()
        for name in names
    ),
    *attributes(AIService, "_settings", needed_by=_TAPING),
    *attributes(AIService, "_update_settings", needed_by=_TAPING),
    *attributes(LLMService, "_functions", needed_by=_TAPING),
    *attributes(FrameProcessor, "_classify_error", needed_by=_TAPING),
    *attributes(TTSService, "_push_text_frames", needed_by=_TAPING),
    method(TTSService, "run_tts", "text", "context_id", needed_by=_TAPING),
    method(STTService, "run_stt", "audio", needed_by=_TAPING),
    method(TTSService, "on_audio_context_interrupted", "context_id", needed_by=_TAPING),
)
expect(RELIED_ON)

Method = Callable[..., Any]


def base_of(service: object, kind: str) -> type:
    """Return the nearest base class of a service that has no connection of its own."""
    for cls in type(service).__mro__:
        if cls.__module__ in _COMMON and not issubclass(cls, WebsocketService):
            return cls
    return _KINDS[kind]


def is_of_kind(service: object, kind: str) -> bool:
    """Whether a part is a service of pipecat's of this kind."""
    return isinstance(service, _KINDS[kind])


def replace_methods(service: object, **methods: Method) -> None:
    """Replace methods on one service."""
    for name, by in methods.items():
        setattr(service, name, by)


def restorer(service: Any, kind: str) -> Callable[[], None]:
    """Return what puts a service's own methods back: one that serves again is no longer taped."""
    names = {*UPCALLS[kind], *REACHING, "run_tts", "run_stt", "setup", "start"}
    own = {name: vars(service)[name] for name in names if name in vars(service)}
    whole = getattr(service, "_push_text_frames", None)  # a voice's: whether it takes no words

    def restore() -> None:
        if whole is not None:
            service._push_text_frames = whole
        for name in names:
            vars(service).pop(name, None)
        vars(service).update(own)
        if hasattr(service, "_left_behind"):  # an offline one, whose own cleanup did not run
            service._left_behind = True
        if kind in ("llm", "realtime"):
            for key, item in list(service._functions.items()):
                if (was := getattr(item.handler, "taped", None)) is not None:
                    service._functions[key] = replace(item, handler=was)

    return restore


def cut_off(service: object, kind: str) -> None:
    """Cut a service off from its provider: its base class's methods stand over its own."""
    base = base_of(service, kind)
    for name in REACHING:
        if (found := getattr(base, name, None)) is not None:
            setattr(service, name, found.__get__(service))


def base_method(service: object, kind: str, name: str) -> Method:
    """Return a method as the base class has it, for a service that has its own."""
    return getattr(base_of(service, kind), name).__get__(service)


def by_the_service() -> bool:
    """Whether the caller of the method that asks this is a service's own code.

    Missing: a mark on what comes from a provider. A service's base class calls the same methods.
    """
    frame = sys._getframe(2)
    module = frame.f_globals.get("__name__", "")
    if module.startswith(_OURS):
        return False
    return module not in _COMMON or frame.f_code.co_name == "_report_error"  # of a lost socket


def settings_of(service: Any) -> Record:
    """Return the settings that a service was given, by name."""
    given = getattr(service._settings, "given_fields", None)
    return dict(given()) if given is not None else {}


def instruction_of(llm: Any) -> object:
    """Return the system instruction of a language model."""
    return getattr(llm._settings, "system_instruction", None)


def detects_turns(llm: Any) -> bool:
    """Whether a realtime model's own detector finds the caller's turns."""
    disabled = getattr(llm, "_vad_disabled", None)  # Gemini's
    if isinstance(disabled, bool):
        return not disabled
    told = llm.service_metadata_frame()
    return getattr(told, "user_turn_strategies", None) is not None


def category_of(service: Any, error: Exception) -> object:
    """Return what kind of failure a service takes an exception for."""
    return service._classify_error(error) or classify_http_exception(error)


def tools_of(llm: Any) -> dict[str | None, FunctionCallRegistryItem]:
    """Return what is registered with a language model, by name; changes take effect."""
    return llm._functions
