"""One run of a VoiceAgent: its pipeline from start to end, and the commands that act on it.

Runs on the session's loop. What a Call or user code reaches may be called from any thread:
``prepare``, ``switch_service``, ``replace_instructions`` and ``offer``.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Protocol

from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputDTMFFrame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
    LLMRunFrame,
    LLMSetToolsFrame,
    LLMUpdateSettingsFrame,
    TTSSpeakFrame,
    VADParamsUpdateFrame,
)
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.settings import LLMSettings
from pipecat.workers.runner import WorkerRunner

from piopiy_lab import events
from piopiy_lab.errors import CallControlError
from piopiy_lab.events.values import InterruptionCause, TransferCause
from piopiy_lab.listening import vad
from piopiy_lab.listening.tuning import Tuning
from piopiy_lab.pipeline import seams
from piopiy_lab.pipeline.chain import (
    READY_SECS,
    Chain,
    RealtimeMessageFrame,
    build_chain,
    make_worker,
)
from piopiy_lab.pipeline.failures import failure, not_ready
from piopiy_lab.pipeline.hearing_out import HearingOut
from piopiy_lab.pipeline.parts import Parts
from piopiy_lab.pipeline.run_observer import RunObserver
from piopiy_lab.pipeline.switch import SwitchRequestFrame
from piopiy_lab.pipeline.switchboard import Switchboard
from piopiy_lab.services import modelled_latency
from piopiy_lab.services.connection_watch import watch_connection
from piopiy_lab.services.realtime import greeting_request, line_request
from piopiy_lab.session import transferring
from piopiy_lab.session.commands import (
    AgentCommand,
    Interrupt,
    Press,
    Say,
    SwitchService,
    Transfer,
    Tune,
    UserSays,
)
from piopiy_lab.session.session import Act, Session, TransportSettings
from piopiy_lab.tools import Tool, register_with


class Described(Protocol):
    """What a run reads of its VoiceAgent, each time anew: they may change while it talks."""

    @property
    def instructions(self) -> str:
        """Return what the LLM is told to do."""
        ...

    @property
    def greeting(self) -> str | None:
        """Return what is said first."""
        ...

    @property
    def idle_timeout_secs(self) -> int:
        """Return the seconds of silence that end the call."""
        ...


class AgentRun:
    """A VoiceAgent at work in one call."""

    def __init__(
        self,
        agent: Described,
        session: Session,
        parts: Parts,
        tools: list[Tool],
        offered: ToolsSchema,
    ) -> None:
        """Get everything ready for :meth:`run`."""
        self.agent = agent
        self._session = session
        self._parts = parts
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._set_up: set[str] = set()  # processors that are ready; written by the observer
        self._observer = RunObserver(session, self._set_up)
        self._observer.instructions = agent.instructions
        for llm in parts.members["llm"]:
            seams.instruct(llm, agent.instructions)
        self._context = LLMContext(tools=offered)
        for tool in tools:
            self._register(tool)
        if parts.mode != "cascaded":
            for llm in parts.members["llm"]:
                watch_connection(llm)
        if session.latency:
            for kind, services in parts.members.items():
                for service in services:
                    modelled_latency.slow_down({kind: service}, session.latency)
        settings = TransportSettings(
            audio_in_sample_rate=parts.audio_in_sample_rate,
            audio_out_sample_rate=parts.audio_out_sample_rate,
            room_params=parts.room_params,
        )
        if session.origin != "room" and parts.off_phone_notice:
            session.notice(parts.off_phone_notice)
        self.transport = session.open_transport(session, settings)
        self._turns = parts.turns.strategies(parts.active.values())
        self._acting: set[asyncio.Task[None]] = set()  # the loop holds its tasks only weakly
        self._untap: Callable[[], None] | None = None
        self._chain = self._build()
        self._tuning = Tuning(self._chain.analyzer, self._turns)
        self._worker = self._make_worker()
        self._hearing_out = HearingOut(
            session, self._observer, self.transport.output(), self._worker.queue_frame
        )

    @property
    def services(self) -> Mapping[str, object]:
        """The services by name: the one at work in each part, and all of the switchers."""
        return self._parts.services

    def _register(self, tool: Tool) -> None:
        for llm in self._parts.members["llm"]:
            register_with(llm, tool, self)

    def _build(self) -> Chain:
        chain = build_chain(self._parts, self._context, self.transport, self._turns)
        if chain.analyzer is not None:
            self._untap = vad.tap(chain.analyzer, self._session.log)
        self._observer.watch_output(self.transport.output())
        self.switchboard = Switchboard(self._parts, self._session, self.transport.output())
        if self.switchboard.switches:
            self._observer.switchboard = self.switchboard
        return chain

    def _make_worker(self) -> PipelineWorker:
        worker = make_worker(self._chain, self._parts, self._session, self._observer)

        async def on_started(worker: PipelineWorker, frame: Frame) -> None:
            await self._started()

        async def on_error(worker: PipelineWorker, frame: ErrorFrame) -> None:
            self._service_failed(frame)

        async def on_not_ready(worker: PipelineWorker, *frame: Frame) -> None:
            if self._session.reason is None:
                self._not_ready()

        worker.add_event_handler("on_pipeline_started", on_started)
        worker.add_event_handler("on_pipeline_error", on_error)
        worker.add_event_handler("on_setup_timeout", on_not_ready)
        worker.add_event_handler("on_pipeline_timeout", on_not_ready)
        return worker

    # --- the run -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the pipeline to its end.

        Raises:
            asyncio.CancelledError: The task was cancelled (pipecat's runner would swallow it).
            RoomError: The call's room could not be joined, or was lost.
        """
        runner = WorkerRunner(handle_sigint=False, check_dangling_tasks=False)
        await runner.add_workers(self._worker)
        self._session.agents.append(self)
        self._session.latest_agent = self
        task = asyncio.current_task()
        idle = asyncio.create_task(self._watch_idle(), name="piopiy_lab.idle")
        try:
            await runner.run()
        finally:
            idle.cancel()
            self._session.agents.remove(self)
            if self._untap is not None:
                self._untap()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        if (failure := getattr(self.transport, "failure", None)) is not None:
            raise failure  # the room could not be joined, or was lost

    async def stop(self, *, graceful: bool) -> None:
        """End the pipeline: let queued speech play out, or at once."""
        if graceful:
            await self._worker.queue_frame(EndFrame())
        else:
            await self._worker.cancel()

    async def _watch_idle(self) -> None:
        """End the call when neither side has spoken for the agent's idle time."""
        limit = self.agent.idle_timeout_secs
        await self._session.wait_until_listening()
        self._observer.active_at = self._session.now()
        while limit:
            left = self._observer.active_at + limit - self._session.now()
            if left <= 1e-6:
                self._session.end("idle_timeout")
                return
            await asyncio.sleep(left)

    async def _started(self) -> None:
        session, parts = self._session, self._parts
        session.log.append(
            events.PipelineStarted(
                at=session.now(),
                services={name: type(part).__name__ for name, part in parts.active.items()},
                vad=None if parts.vad is None else type(parts.vad).__name__,
                vad_params=self._tuning.detector(),
                turn_params=self._tuning.turns(),
                audio_in_sample_rate=parts.audio_in_sample_rate,
                audio_out_sample_rate=parts.audio_out_sample_rate,
                greeting=self.agent.greeting,
                switchers=self.switchboard.describe(),
            )
        )
        if (wait := getattr(self.transport, "wait_until_open", None)) is not None:
            await wait()  # a device that opens, a browser's user who presses the button
            if session.reason is not None:
                return
        session.listening()
        answered = getattr(self.transport, "wait_until_answered", None)  # a room's, say
        if answered is not None and (self.agent.greeting or parts.mode != "cascaded"):
            await answered()
            if session.reason is not None:
                return
        if parts.mode != "cascaded":
            await self._open_realtime()
        elif self.agent.greeting:
            await self._worker.queue_frame(
                TTSSpeakFrame(self.agent.greeting, append_to_context=True)
            )

    async def _open_realtime(self) -> None:
        """Give a realtime model the context: it speaks first, with the greeting if there is one.

        It learns its instructions and tools from its first context, and answers that at once.
        """
        if self.agent.greeting:
            self._context.add_message(greeting_request(self.agent.greeting))  # type: ignore[arg-type]
        await self._worker.queue_frame(LLMRunFrame())

    def _service_failed(self, frame: ErrorFrame) -> None:
        """End the call when a service can't go on."""
        error = failure(frame, self._session)
        if error is not None:
            self._session.end("error", error)

    def _not_ready(self) -> None:
        waiting = [
            type(p).__name__ for p in self._chain.processors if p.name not in self._set_up
        ] or ["the pipeline"]
        self._session.end("error", not_ready(waiting, READY_SECS))

    # --- commands ----------------------------------------------------------------------------

    def prepare(self, command: AgentCommand) -> Act:
        """Check a command and return what does it, on the session's loop; any thread.

        Raises:
            ArgumentError: A setting or service that this call doesn't have.
            ServiceError: The service can no longer do its job.
        """
        match command:
            case Say(text=text):
                return partial(self.say, text)
            case UserSays(text=text):
                return partial(self.user_says, text)
            case Press(digits=digits):
                return partial(self._press, digits)
            case Interrupt():
                return partial(self._interrupt, "command")
            case Transfer(to=to):
                return partial(self._transfer_if_possible, to)
            case Tune(settings=settings):
                self._tuning.check(settings)
                return partial(self._tune, settings)
            case SwitchService(service=wanted):
                service = self.switchboard.find(wanted)
                if service is None:
                    return partial(self._nothing_switched, wanted)
                return partial(self._worker.queue_frame, SwitchRequestFrame(service=service))

    # --- what they do, on the session's loop -------------------------------------------------

    async def say(self, text: str, *, in_context: bool = True) -> None:
        """Speak a text, after what is being spoken; a realtime model is asked to.

        Args:
            text: What to say.
            in_context: Whether the LLM is to know of it.
        """
        if self._parts.mode == "speech":
            self._hearing_out.expect_speech()
            await self._worker.queue_frame(RealtimeMessageFrame(message=line_request(text)))
            return
        await self._worker.queue_frame(TTSSpeakFrame(text, append_to_context=in_context))

    async def remark(self, text: str) -> None:
        """Speak a text while a tool works.

        It stays out of the context: behind a tool's result it would be the last message, and a
        language model takes that for the beginning of its own answer.
        """
        await self.say(text, in_context=False)

    async def user_says(self, text: str) -> None:
        """Take a typed user turn: stop what the agent says, and answer."""
        session = self._session
        session.log.append(events.UserTextTyped(at=session.now(), text=text))
        await self._interrupt("typed")
        message: Any = {"role": "user", "content": text}
        if self._parts.mode != "cascaded":
            await self._worker.queue_frame(RealtimeMessageFrame(message=message))
            return
        await self._worker.queue_frame(LLMMessagesAppendFrame(messages=[message], run_llm=True))

    @property
    def over(self) -> bool:
        """Whether the call is ending."""
        return self._session.reason is not None

    async def heard_out(self) -> None:
        """Wait until all that the agent is about to say has been heard, or the call ends."""
        await self._hearing_out.wait()

    async def end_call(self) -> None:
        """End the call once the agent has been heard out."""
        await self.heard_out()
        self._session.end("agent_ended")

    async def transfer(self, to: str, cause: TransferCause) -> None:
        """Hand the caller over once the agent has been heard out.

        Raises:
            CallControlError: The platform refused. The call goes on.
        """
        await self.heard_out()
        if self._session.reason is None:
            await transferring.transfer(self._session, to, cause)

    async def _press(self, digits: str) -> None:
        """Press keys for the caller, as if they came from the phone."""
        for digit in digits:
            await self.transport.input().push_frame(InputDTMFFrame(button=KeypadEntry(digit)))

    async def _transfer_if_possible(self, to: str) -> None:
        with contextlib.suppress(CallControlError):  # the log has it, and the call goes on
            await self.transfer(to, "command")

    async def _nothing_switched(self, wanted: Any) -> None:
        self._session.notice(
            f"switch_service({wanted if isinstance(wanted, str) else wanted.name!r}): a "
            "replacement stands in its switcher's place, so nothing was switched"
        )

    async def _interrupt(self, cause: InterruptionCause) -> None:
        self._observer.next_cause = cause
        await self._worker.queue_frame(InterruptionFrame())

    async def _tune(self, settings: Mapping[str, float]) -> None:
        """Change detector and turn settings, checked ones."""
        old, params = self._tuning.apply(settings)
        if params is not None:
            await self._worker.queue_frame(VADParamsUpdateFrame(params=params))
        session = self._session
        session.log.append(events.SettingsChanged(at=session.now(), old=old, new=dict(settings)))

    # --- changes from user code, any thread --------------------------------------------------

    async def switch_service(self, wanted: object) -> None:
        """Ask for another service of a switcher; from any thread or event loop.

        Raises:
            ArgumentError: There is no such service in a switcher of this call.
            ServiceError: It can no longer do its job.
        """
        switch = self.prepare(SwitchService(wanted))
        if self._here():  # in its order among what else is queued
            await switch()
        else:
            self._on_loop(lambda: self._soon(switch()))

    def replace_instructions(self, old: str, new: str) -> None:
        """Give the LLM other instructions from its next turn on."""

        def replace() -> None:
            self._observer.instructions = new
            session = self._session
            session.log.append(events.InstructionsChanged(at=session.now(), old=old, new=new))
            active = self._parts.active["llm"]
            for llm in self._parts.members["llm"]:
                if self._parts.mode == "cascaded" or llm is not active:
                    seams.instruct(llm, new)
            if self._parts.mode != "cascaded":  # it is told, for it reads none per turn
                seams.keep_for_connecting(active, new)
                delta = LLMSettings(system_instruction=seams.whole_instruction(active, new))
                self._soon(self._worker.queue_frame(LLMUpdateSettingsFrame(delta=delta)))

        self._on_loop(replace)

    def offer(self, tool: Tool, offered: ToolsSchema) -> None:
        """Offer a tool from the LLM's next turn on."""

        def offer() -> None:
            self._register(tool)
            self._context.set_tools(offered)
            if self._parts.mode != "cascaded":  # it is told, for it reads no context per turn
                self._soon(self._worker.queue_frame(LLMSetToolsFrame(tools=offered)))

        self._on_loop(offer)

    def _soon(self, act: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(act)
        self._acting.add(task)
        task.add_done_callback(self._acting.discard)

    def _here(self) -> bool:
        return threading.get_ident() == self._thread

    def _on_loop(self, function: Callable[[], None]) -> None:
        if self._here():
            function()
        else:
            self._loop.call_soon_threadsafe(function)
