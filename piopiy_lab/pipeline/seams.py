"""What a call's pipeline touches of pipecat's insides, and why.

Each seam names the public hook that is missing. What it relies on is checked when this is imported,
or when ``Action`` is given the object; ``IncompatibleVersionError`` says what does not fit.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from pipecat.audio.vad.vad_analyzer import VADAnalyzer
from pipecat.audio.vad.vad_controller import VADController
from pipecat.frames.frames import ErrorFrame, Frame, LLMFullResponseStartFrame
from pipecat.observers.base_observer import BaseObserver
from pipecat.pipeline.service_switcher import ServiceSwitcher, ServiceSwitcherStrategy
from pipecat.pipeline.worker import PipelineWorker
from pipecat.pipeline.worker_observer import WorkerObserver
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.filters.function_filter import FunctionFilter
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.turns.speculation_gate import GatedFrame, SpeculationGate
from pipecat.utils.base_object import BaseObject

from piopiy_lab.services.fitting import Reliance, attributes, expect, expect_text, method, refuse
from piopiy_lab.tools.calling import is_being_cancelled


class TakesFrame(Protocol):
    """A processor's ``process_frame``."""

    async def __call__(self, frame: Frame, direction: FrameDirection) -> None:
        """Take a frame."""
        ...


class PushesFrame(Protocol):
    """A processor's ``push_frame``."""

    async def __call__(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        """Push a frame."""
        ...


_SWITCHING = "switching between services"
_ENDING = "the end of a call whose service raised"
_OBSERVING = "the log of a call"
_HANDLING = "the report of an event handler that raises"
_DETECTOR = "the log of a detector in a VADProcessor"
_INSTRUCTING = "telling a language model its instructions"
_AHEAD = "Action(speculate='sound')"

#: What a service was told before we told it something: its maker's own system instruction.
_own_instruction: weakref.WeakKeyDictionary[LLMService, str] = weakref.WeakKeyDictionary()

#: What pipecat calls an exception that a processor let out of its hands, and where it says so.
_UNCAUGHT = {
    "_FrameProcessor__process_frame": "Error processing frame: ",
    "_FrameProcessor__internal_push_frame": "Uncaught exception: ",
    "_start_interruption": "Uncaught exception handling _start_interruption: ",
}
#: The tasks in which a processor takes its frames.
_FRAME_TASKS = (
    "_FrameProcessor__input_frame_task_handler",
    "_FrameProcessor__process_frame_task_handler",
)
#: Frames whose ids pipecat's switcher may remember before it is made to forget them; each frame
#: passes within milliseconds, and without this a call's audio would pile up there.
_MOST_SEEN = 4096


RELIED_ON = (
    method(ServiceSwitcher, "process_frame", "frame", "direction", needed_by=_SWITCHING),
    method(ServiceSwitcher, "push_frame", "frame", "direction", needed_by=_SWITCHING),
    *attributes(ServiceSwitcher, "_seen_ids", needed_by=_SWITCHING),
    method(FunctionFilter, "process_frame", "frame", "direction", needed_by=_SWITCHING),
    *attributes(FrameProcessor, *_UNCAUGHT, needed_by=_ENDING),
    *attributes(PipelineWorker, "_observer", needed_by=_OBSERVING),
    *attributes(WorkerObserver, "_observers", needed_by=_OBSERVING),
    method(WorkerObserver, "_proxy_task_handler", "queue", "observer", needed_by=_OBSERVING),
    *attributes(FrameProcessor, *_FRAME_TASKS, needed_by=_ENDING),
    method(BaseObject, "_run_handler", "event_name", "handler", needed_by=_HANDLING),
    *attributes(VADProcessor, "_vad_controller", needed_by=_DETECTOR),
    *attributes(VADController, "_vad_analyzer", needed_by=_DETECTOR),
    *attributes(LLMService, "_settings", "_base_system_instruction", needed_by=_INSTRUCTING),
    method(LLMService, "_compose_system_instruction", needed_by=_INSTRUCTING),
    *attributes(LLMService, "_speculation_gate", needed_by=_AHEAD),
    method(SpeculationGate, "_begin", needed_by=_AHEAD),
)

#: Where services keep the instructions of their constructor, with which they connect; each needs
#: its provider's package, and is checked when it is told something.
KEPT_INSTRUCTIONS = {"GeminiLiveLLMService": "_system_instruction_from_init"}


def relied_on_of(service_class: type) -> Iterator[Reliance]:
    """Return what telling a service its instructions relies on, beside what all of them have."""
    for cls in service_class.__mro__:
        if cls.__module__.startswith("pipecat.") and cls.__name__ in KEPT_INSTRUCTIONS:
            yield from attributes(cls, KEPT_INSTRUCTIONS[cls.__name__], needed_by=_INSTRUCTING)


def check_messages() -> None:
    """Check that an exception which a processor let out of its hands can be told from others.

    Raises:
        IncompatibleVersionError: pipecat calls it otherwise.
    """
    for name, text in _UNCAUGHT.items():
        expect_text(getattr(FrameProcessor, name), text, needed_by=_ENDING)


expect(RELIED_ON)
check_messages()

# --- switching ------------------------------------------------------------------------------


def check_switcher(switcher: ServiceSwitcher[ServiceSwitcherStrategy]) -> None:
    """Check that a user's switcher has what a switch without a lost word needs.

    Raises:
        IncompatibleVersionError: Its services do not stand between two filters, each in reach.
    """
    for service in switcher.services:
        if not all(isinstance(gate, FunctionFilter) for gate in _gates(service)):
            refuse(
                switcher,
                f"{{package}}'s {type(switcher).__name__} does not set each service between two "
                f"FunctionFilters, which {_SWITCHING} needs",
            )


def take_over(
    switcher: ServiceSwitcher[ServiceSwitcherStrategy], process: TakesFrame, push: PushesFrame
) -> tuple[TakesFrame, PushesFrame]:
    """Stand between a user's switcher and the pipeline: its two methods are replaced.

    Observers and event handlers can look at a frame, not hold or drop it; processors around the
    switcher would not see what it queues for itself; and a subclass would leave out pipecat's own
    switchers, which ``Action`` takes as well.

    Args:
        switcher: The switcher.
        process: Called instead of its ``process_frame``.
        push: Called instead of its ``push_frame``.

    Returns:
        Its own two methods.
    """
    own = switcher.process_frame, switcher.push_frame
    switcher.process_frame, switcher.push_frame = process, push
    return own


def drop_late(service: FrameProcessor, is_late: Callable[[Frame], bool]) -> None:
    """Drop on both sides of a switcher's service what it gives late.

    The filters there close the way in only. pipecat makes them itself, with no hook for others.
    """
    before, behind = _gates(service)
    _drop_at(before, FrameDirection.UPSTREAM, is_late)
    _drop_at(behind, FrameDirection.DOWNSTREAM, is_late)


def _gates(service: FrameProcessor) -> tuple[FrameProcessor | None, FrameProcessor | None]:
    return service.previous, service.next


def _drop_at(
    gate: FrameProcessor | None, outward: FrameDirection, is_late: Callable[[Frame], bool]
) -> None:
    assert gate is not None, "check_switcher() lets none through without"
    passing = gate.process_frame

    async def process_frame(frame: Frame, direction: FrameDirection) -> None:
        if direction != outward or not is_late(frame):
            await passing(frame, direction)

    gate.process_frame = process_frame


def instruct(llm: LLMService, instructions: str) -> None:
    """Give a service its system instruction; it acts from its next answer on.

    Missing: a way to give it to a service that is made already. pipecat's frame for that
    (``LLMUpdateSettingsFrame``) reaches a running service only, and of a switcher the one at work;
    ``append_system_instruction`` can't be taken back, and instructions change.
    """
    llm._settings.system_instruction = llm._base_system_instruction = whole_instruction(
        llm, instructions
    )
    llm._compose_system_instruction()
    keep_for_connecting(llm, instructions)


def whole_instruction(llm: LLMService, instructions: str) -> str:
    """Return the instructions, behind what the service's maker has told it."""
    own = _own_instruction.setdefault(llm, llm._base_system_instruction or "")
    return f"{own}\n\n{instructions}" if own else instructions


def keep_for_connecting(llm: Any, instructions: str) -> None:
    """Let a service connect with these instructions, if it keeps those of its constructor.

    Raises:
        IncompatibleVersionError: A service that did keeps them no longer, or elsewhere.
    """
    expect(relied_on_of(type(llm)))
    for reliance in relied_on_of(type(llm)):
        setattr(llm, reliance.name, whole_instruction(llm, instructions))


def forget_seen(switcher: ServiceSwitcher[ServiceSwitcherStrategy]) -> None:
    """Let a switcher forget the ids of frames that have passed: it never does by itself."""
    if len(switcher._seen_ids) > _MOST_SEEN:
        switcher._seen_ids.clear()


# --- errors ---------------------------------------------------------------------------------


def is_uncaught(error: ErrorFrame) -> bool:
    """Whether an error is an exception that a processor let out of its hands.

    Its message alone tells: ``ErrorFrame.exception`` is set as well for one that was caught.
    """
    uncaught = ("Error processing frame", "Uncaught exception")
    return error.exception is not None and str(error.error).startswith(uncaught)


def takes_frames(coroutine: object) -> bool:
    """Whether a task's coroutine takes the frames of a processor: nothing goes on without it.

    Missing: a word from pipecat when such a task ends by itself.
    """
    code = getattr(coroutine, "cr_code", None)
    return any(code is getattr(FrameProcessor, name).__code__ for name in _FRAME_TASKS)


def report_handlers(report: Callable[[str, object, BaseException], bool]) -> None:
    """Have what event handlers raise reported, once for the process.

    Missing: a hook for it. pipecat writes it into its own log, if it can be written.

    Args:
        report: Takes the event's name, the handler and the exception; returns whether it was ours
            to report. Otherwise pipecat does as ever.
    """
    original = BaseObject._run_handler
    if hasattr(original, "reports"):
        return

    async def _run_handler(
        self: BaseObject, event_name: str, handler: Any, *args: Any, **kwargs: Any
    ) -> None:
        try:
            if inspect.iscoroutinefunction(handler):
                await handler(self, *args, **kwargs)
            else:
                handler(self, *args, **kwargs)
        except (Exception, asyncio.CancelledError) as error:
            cancelled = isinstance(error, asyncio.CancelledError)
            if cancelled and is_being_cancelled():
                raise
            if report(event_name, handler, error):
                return
            raised = error

            def again(*_: object, **__: object) -> None:
                raise raised

            await original(self, event_name, again, *args, **kwargs)

    _run_handler.reports = report  # type: ignore[attr-defined] - to know it again
    BaseObject._run_handler = _run_handler


# --- observing ------------------------------------------------------------------------------


def replace_observer(
    worker: PipelineWorker, make: Callable[[list[BaseObserver]], WorkerObserver]
) -> None:
    """Replace the one observer that a worker's processors tell of each frame.

    pipecat gives each observer of a worker's a queue and a task; there is no way to have one
    called where the frame is pushed.

    Args:
        worker: The worker, not set up yet.
        make: Makes the other one, of the observers that the worker was given.
    """
    worker._observer = make(worker._observer._observers)


def analyzer_in(processor: FrameProcessor) -> VADAnalyzer | None:
    """Return the analyzer of a ``VADProcessor``, which shows it to nobody; None of others."""
    if not isinstance(processor, VADProcessor):
        return None
    return processor._vad_controller._vad_analyzer


# --- an answer that is spoken before the turn is over -----------------------------------------

#: Of a frame's metadata: it begins an answer to a turn that may not be over.
_MARK = "piopiy_lab_ahead"


class MarkingGate(SpeculationGate):
    """pipecat's gate, which holds no text: it marks an answer, and keeps tools from running.

    Missing: a gate for what is made of the text.
    """

    def _begin(self) -> list[GatedFrame]:
        return []

    def process(self, frame: Frame, direction: FrameDirection) -> list[GatedFrame]:
        """Pass a frame on, an answer's beginning marked if its turn may not be over."""
        if isinstance(frame, LLMFullResponseStartFrame) and self.is_speculating:
            frame.metadata[_MARK] = True
        return super().process(frame, direction)


def let_through(llm: LLMService) -> None:
    """Let a language model's answers ahead through, marked. Missing: a parameter for it."""
    llm._speculation_gate = MarkingGate(name=f"{llm}::MarkingGate")


def is_ahead(frame: LLMFullResponseStartFrame) -> bool:
    """Whether an answer is to a turn that was not over when it began."""
    return _MARK in frame.metadata
