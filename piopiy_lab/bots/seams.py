"""What running a bot touches of pipecat's insides, and why.

Missing in pipecat: a way to have what a bot makes itself, a transport or a service, made otherwise.
Whoever makes one calls its class; so ``__new__`` of pipecat's base classes is set once, and asks
whoever runs the bot. Outside of a bot's own call it does what ``object`` does.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADAnalyzer
from pipecat.observers.base_observer import (
    BaseObserver,
    FrameProcessed,
    FramePushed,
    ProcessorSetUp,
)
from pipecat.pipeline.worker import PipelineWorker
from pipecat.pipeline.worker_observer import WorkerObserver
from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregator
from pipecat.processors.frame_processor import FrameProcessor, FrameProcessorSetup
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_transport import BaseTransport
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.base_object import BaseObject

from piopiy_lab.listening.seams import SharedSileroVADAnalyzer, SharedSmartTurn
from piopiy_lab.listening.turn_taking import load_models
from piopiy_lab.services.fitting import attributes, expect, method, refuse

_STANDING_IN = "standing in for what a bot makes"
_READING = "reading a bot's pipeline"
_SEEING = "seeing what happens in a bot's pipeline"
_TELLING = "telling a bot who has joined its call"

RELIED_ON = (
    *attributes(LLMUserAggregator, "_params", "_user_turn_controller", needed_by=_READING),
    *attributes(LLMService, "_base_system_instruction", needed_by=_READING),
    method(WorkerObserver, "on_push_frame", "data", needed_by=_SEEING),
    method(WorkerObserver, "on_process_frame", "data", needed_by=_SEEING),
    method(WorkerObserver, "on_processor_setup", "data", needed_by=_SEEING),
    method(BaseObserver, "on_process_frame", "data", needed_by=_SEEING),
    *attributes(WorkerObserver, "_observers", needed_by=_SEEING),
    *attributes(BaseObject, "_event_handlers", "_event_tasks", needed_by=_TELLING),
    *attributes(PipelineWorker, "_cancel_on_idle_timeout", needed_by=_READING),
    *attributes(FrameProcessor, "_FrameProcessor__start_received", needed_by=_READING),
    method(BaseObject, "_register_event_handler", "event_name", needed_by=_TELLING),
    method(BaseObject, "_call_event_handler", "event_name", needed_by=_TELLING),
)
expect(RELIED_ON)

#: Returns what to have in place of an object that is being made, None for the object itself: of its
#: class, and of all that the class is given.
StandIn = Callable[[type, Sequence[object]], object | None]

#: Who is asked about what the running code makes; set in the context of a bot's call.
_stand_in: ContextVar[StandIn | None] = ContextVar("piopiy_lab_stand_in", default=None)

#: The classes of what may be stood in for.
MADE = (BaseTransport, STTService, LLMService, TTSService)


def check_made() -> None:
    """Check that nobody else decides what pipecat's classes make.

    Raises:
        IncompatibleVersionError: One of them has a ``__new__`` of its own.
    """
    for cls in (*MADE, *_SHARED):
        if cls.__new__ is not object.__new__ and not hasattr(cls.__new__, "asks"):
            refuse(
                cls,
                f"{{package}}'s {cls.__name__} has a __new__ of its own, and {_STANDING_IN} needs "
                "to be the only one",
            )


def stand_in_by(ask: StandIn | None) -> None:
    """Have somebody asked about all that is made in this context from now on; None: nobody."""
    check_made()
    for cls in MADE:
        if not hasattr(cls.__new__, "asks"):
            cls.__new__ = _new  # type: ignore[method-assign] - see above
        _ask_where_deprecated(cls)
    for cls in _SHARED:
        if not hasattr(cls.__new__, "asks"):
            cls.__new__ = _new_shared  # type: ignore[method-assign] - see above
    _stand_in.set(ask)


def somebody_is_asked() -> bool:
    """Whether the code that runs is a bot's."""
    return _stand_in.get() is not None


@contextmanager
def nobody_asked() -> Iterator[None]:
    """Let what the block makes be what it is: it is the lab's own."""
    before = _stand_in.set(None)
    try:
        yield
    finally:
        _stand_in.reset(before)


def _new(cls: type, /, *given: object, **named: object) -> object:
    ask = _stand_in.get()
    found = None if ask is None else ask(cls, (*given, *named.values()))
    return object.__new__(cls) if found is None else _not_made_again(found, cls)


_new.asks = True  # type: ignore[attr-defined] - to know it again


#: Detectors whose model is loaded once for the process: the same judgements, cheaper.
_SHARED: Mapping[type, type] = {
    SileroVADAnalyzer: SharedSileroVADAnalyzer,
    LocalSmartTurnAnalyzerV3: SharedSmartTurn,
}


def _new_shared(cls: type, /, *_: object, **__: object) -> object:
    """Make a detector; in a bot's call one on the loaded model, with the arguments it is given."""
    shared = _SHARED.get(cls)
    if shared is None or _stand_in.get() is None:
        return object.__new__(cls)
    with nobody_asked():
        load_models()
    return object.__new__(shared)


_new_shared.asks = True  # type: ignore[attr-defined] - to know it again


def _ask_where_deprecated(cls: type) -> None:
    """Have the question asked of deprecated classes, too.

    Python's decorator for those gives a class a ``__new__`` of its own, which warns, and goes on
    with what the base class had when its module was imported.
    """
    for sub in cls.__subclasses__():
        warns = getattr(vars(sub).get("__new__"), "__func__", None)
        if getattr(warns, "__wrapped__", None) is object.__new__:
            sub.__new__ = _asking_first(sub)  # type: ignore[method-assign] - see above
        _ask_where_deprecated(sub)


def _asking_first(deprecated: type) -> Callable[..., object]:
    def new(cls: type, /, *given: object, **named: object) -> object:
        ask = _stand_in.get()
        found = None if ask is None else ask(cls, (*given, *named.values()))
        if found is not None:
            return _not_made_again(found, cls)
        if cls is deprecated and (why := getattr(cls, "__deprecated__", None)):
            warnings.warn(why, DeprecationWarning, stacklevel=2)
        return object.__new__(cls)

    return new


def _not_made_again(found: object, cls: type) -> object:
    """Keep Python from calling ``__init__`` of an object that is one of the class asked for."""
    own = type(found)
    if issubclass(own, cls):  # isinstance() asks the object, and a transport of ours says yes
        found.__class__ = type(
            own.__name__, (own,), {"__init__": _nothing, "__module__": own.__module__}
        )
    return found


def _nothing(self: object, *_: object, **__: object) -> None:
    """The object is made already."""


# --- a bot's pipeline -----------------------------------------------------------------------------


def ends_when_idle(worker: PipelineWorker) -> bool:
    """Whether a worker cancels itself when nothing has happened for long. Missing: a property."""
    return worker._cancel_on_idle_timeout


def has_begun(processor: FrameProcessor) -> bool:
    """Whether a processor was told that its pipeline starts. Missing: a property."""
    return bool(getattr(processor, "_FrameProcessor__start_received"))  # noqa: B009 - mangled


def analyzer_of(user: LLMUserAggregator) -> VADAnalyzer | None:
    """Return the detector that a user's side of the context has. Missing: a property."""
    return user._params.vad_analyzer


def strategies_of(user: LLMUserAggregator) -> UserTurnStrategies:
    """Return the strategies that end and begin the user's turns. Missing: a property."""
    return user._user_turn_controller.user_turn_strategies


def instruction_of(llm: LLMService) -> str | None:
    """Return the instruction that a language model was made with. Missing: a property."""
    told = llm._base_system_instruction
    return told if isinstance(told, str) and told else None


# --- seeing what happens --------------------------------------------------------------------------


def observe_in_line(setup: FrameProcessorSetup, observer: BaseObserver) -> None:
    """Tell an observer of each frame's first push where it is pushed.

    ``add_observer`` gives each observer a queue and a task, and hands both every push and every
    frame that a processor has taken; for ours, which only appends to a list, that was a quarter of
    a bot's simulation. Missing: an observer that is called in line, and one that is told of pushes
    only. The bot's own keep pipecat's queues, but for what they have no method to take.

    Args:
        setup: Of a processor in the bot's pipeline, before anything was pushed.
        observer: Ours.
    """
    shown = setup.observer
    if not isinstance(shown, WorkerObserver):  # a worker of somebody's own making
        setup.pipeline_worker.add_observer(observer)
        return
    push, take, get_ready = shown.on_push_frame, shown.on_process_frame, shown.on_processor_setup

    async def on_push_frame(data: FramePushed) -> None:
        await push(data)
        if data.first_push:
            await observer.on_push_frame(data)

    async def on_process_frame(data: FrameProcessed) -> None:
        if any(_takes_processed(one) for one in shown._observers):
            await take(data)

    async def on_processor_setup(data: ProcessorSetUp) -> None:
        await get_ready(data)
        await observer.on_processor_setup(data)

    shown.on_push_frame = on_push_frame
    shown.on_process_frame = on_process_frame
    shown.on_processor_setup = on_processor_setup


def _takes_processed(observer: BaseObserver) -> bool:
    return type(observer).on_process_frame is not BaseObserver.on_process_frame


# --- what is not a bot's to do --------------------------------------------------------------------


def ignore_signals(loop: asyncio.AbstractEventLoop, told: Callable[[], bool]) -> None:
    """Keep bots from taking the process's signals: the loop's own way to set a handler asks first.

    Args:
        loop: The session's loop.
        told: Says, and notes, whether it is a bot that wants one.
    """
    own = loop.add_signal_handler
    if hasattr(own, "asks"):
        return

    def add_signal_handler(sig: int, callback: Callable[..., object], *args: Any) -> None:
        if not told():
            own(sig, callback, *args)

    add_signal_handler.asks = True  # type: ignore[attr-defined] - to know it again
    loop.add_signal_handler = add_signal_handler  # type: ignore[method-assign] - on this one loop


# --- a transport's events -------------------------------------------------------------------------


def offer_event(transport: BaseObject, name: str) -> None:
    """Let handlers of an event be added, if they could not be."""
    if name not in transport._event_handlers:
        transport._register_event_handler(name)


def handled_events(transport: BaseObject) -> Iterator[str]:
    """Give the names of those events that somebody handles."""
    handlers: Mapping[str, Any] = transport._event_handlers
    return (name for name, event in handlers.items() if event.handlers)


async def tell(transport: BaseObject, name: str, *args: object) -> None:
    """Have an event's handlers called; each runs in a task of its own, as pipecat's do."""
    await transport._call_event_handler(name, *args)
