"""What is needed of the insides of pipecat's services: checked when a call gets one.

The services are not imported here: each needs its provider's package. Whatever replaces a method
replaces it on one object, for its life; on the session's loop, or before it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from piopiy_lab.services.fitting import Reliance, attributes, expect, method

if TYPE_CHECKING:
    from pipecat.processors.frame_processor import FrameProcessor
    from pipecat.services.tts_service import TTSService

#: The task in which a realtime service reads from its provider, and whether its mere end means that
#: the connection is gone (Gemini Live's also ends when it has connected again).
READERS = {"_receive_task_handler": True, "_connection_task_handler": False}

#: Where that task is in pipecat's realtime services. Any other class (a user's) is watched if it
#: has one of the two.
KNOWN_READERS = {
    "AWSNovaSonicLLMService": "_receive_task_handler",
    "AzureVoiceLiveLLMService": "_receive_task_handler",
    "GeminiLiveLLMService": "_connection_task_handler",
    "GrokRealtimeLLMService": "_receive_task_handler",
    "InworldRealtimeLLMService": "_receive_task_handler",
    "OpenAIRealtimeLLMService": "_receive_task_handler",
}


def relied_on_of(service_class: type) -> Iterator[Reliance]:
    """Return what watching the connection of a service relies on."""
    for cls in service_class.__mro__:
        if cls.__module__.startswith("pipecat.") and cls.__name__ in KNOWN_READERS:
            what = f"the watch over {cls.__name__}'s connection"
            yield from attributes(
                cls, KNOWN_READERS[cls.__name__], "_disconnecting", needed_by=what
            )


_ADDRESS = ("url", "server", "endpoint")


def clear_addresses_of(service: object) -> set[str]:
    """Return the unencrypted addresses that a service was made with, and its OpenAI client's.

    Missing: a property; each service keeps them under a name of its own, in which there is "url",
    "server" or "endpoint". It is to warn of those that are not encrypted, and returns no others: a
    service that keeps its own elsewhere goes without.
    """
    own = vars(service)
    named = [own[name] for name in own if any(word in name for word in _ADDRESS)]
    texts = {text for text in named if isinstance(text, str)}
    texts.add(str(getattr(own.get("_client"), "base_url", "")))
    return {text for text in texts if text.lower().startswith(("http://", "ws://"))}


def replace_readers(
    llm: object, reporting: Callable[[Callable[..., object], bool], Callable[..., object]]
) -> None:
    """Put functions of ours in the place of a service's readers, on this object alone.

    Missing: an event, or an error frame, when the connection is lost.

    Args:
        llm: The service; one that has no reader, or ours already, stays as it is.
        reporting: Makes ours of a reader, and of whether its mere end is a loss.

    Raises:
        IncompatibleVersionError: A service of pipecat's has no reader where it used to be.
    """
    expect(relied_on_of(type(llm)))
    for name, end_is_loss in READERS.items():
        read = getattr(llm, name, None)
        if read is not None and name not in vars(llm):
            setattr(llm, name, reporting(read, end_is_loss))


def is_leaving(llm: object) -> bool:
    """Whether a realtime service closes its connection itself. Missing: a property."""
    return bool(getattr(llm, "_disconnecting", False))


# --- methods replaced on one service ------------------------------------------------------------

_LATENCY = "the latency of a simulated service"


def _relied_on_of_processors(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what latencies, and closing with a service, rely on in any processor."""
    processor = module.FrameProcessor
    return (
        method(processor, "process_frame", "frame", "direction", needed_by=_LATENCY),
        method(processor, "push_frame", "frame", "direction", needed_by=_LATENCY),
        method(processor, "cleanup", needed_by="closing the HTTP session of a service"),
    )


def _relied_on_of_voices(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what a voice's latency and its words rely on."""
    words = "the words of a reply that was cut off"
    voice = module.TTSService
    return (
        method(voice, "run_tts", "text", "context_id", needed_by=_LATENCY),
        method(voice, "add_word_timestamps", "word_times", "context_id", needed_by=words),
        *attributes(voice, "_push_text_frames", needed_by=words),
    )


def _relied_on_of_models(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what a language model's latency relies on, where it is asked ahead."""
    return attributes(module.LLMService, "_speculation_gate", needed_by=_LATENCY)


#: What is checked only when its module is there.
LATE = {
    "pipecat.services.llm_service": _relied_on_of_models,
    "pipecat.processors.frame_processor": _relied_on_of_processors,
    "pipecat.services.tts_service": _relied_on_of_voices,
}

#: A method as its object has it, whatever it takes.
Method = Callable[..., Any]
#: Makes a method of the one that it takes the place of.
Making = Callable[[Method], Method]


def replace_processing(llm: FrameProcessor, making: Making) -> None:
    """Replace what a language model does with frames. Missing: a hook before its request."""
    _replace(llm, "process_frame", making)


def begin_speculation(llm: FrameProcessor) -> None:
    """Let a model know that it answers a turn that may not be over, before its modelled latency.

    So a withdrawal finds something to withdraw, as it does of a request that is under way. Missing:
    a hook before its request.
    """
    gate = getattr(llm, "_speculation_gate", None)
    if gate is not None:
        gate.begin_speculation(True)


def replace_speaking(tts: TTSService, making: Making) -> None:
    """Replace what makes a voice's speech. Missing: a hook before its request."""
    _replace(tts, "run_tts", making)


def take_words_apart(tts: TTSService) -> bool:
    """Let a voice take the times of its words; whether it took none before.

    Missing: a setter of ``push_text_frames``, which its constructor takes.
    """
    apart, tts._push_text_frames = tts._push_text_frames, False
    return bool(apart)


def leave_words_together(tts: TTSService) -> None:
    """Let a voice hand on its sentences whole again, as without :func:`take_words_apart`."""
    tts._push_text_frames = True


def takes_words(tts: TTSService) -> bool:
    """Whether a voice takes the times of its words."""
    return not tts._push_text_frames


def replace_pushing(stt: FrameProcessor, making: Making) -> None:
    """Replace what hands on a recogniser's frames. Missing: a hook before a transcript."""
    _replace(stt, "push_frame", making)


def after_cleanup(service: object, close: Callable[[], Awaitable[None]]) -> None:
    """Call ``close`` after a service's clean-up. Missing: an event at its end."""

    def making(cleanup: Method) -> Method:
        async def cleanup_and_close() -> None:
            try:
                await cleanup()
            finally:
                await close()

        return cleanup_and_close

    _replace(service, "cleanup", making)


def _replace(service: object, name: str, making: Making) -> None:
    for module, relied_on_of_module in LATE.items():
        if (loaded := sys.modules.get(module)) is not None:
            expect(relied_on_of_module(loaded))
    setattr(service, name, making(getattr(service, name)))
