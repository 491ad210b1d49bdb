"""One run of a VoiceAgent: its pipeline from start to end.

Runs on the session's loop, but for ``prepare``, which any thread may call. What the agent can be
told while it runs is in ``acts``, what its own code can change of it in ``changes``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from logging import Logger

from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMRunFrame,
    LLMTextFrame,
    TTSSpeakFrame,
)
from pipecat.pipeline.worker import PipelineWorker
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from piopiy_lab import events
from piopiy_lab.listening import vad
from piopiy_lab.listening.tuning import Tuning
from piopiy_lab.logs import safe_logger, warn_of_clear_address
from piopiy_lab.pipeline import seams
from piopiy_lab.pipeline.acts import Acts
from piopiy_lab.pipeline.chain import (
    READY_SECS,
    Chain,
    ContextAggregators,
    build_chain,
    make_worker,
)
from piopiy_lab.pipeline.changes import Changes
from piopiy_lab.pipeline.ears import lend_ears
from piopiy_lab.pipeline.failures import failure, not_ready
from piopiy_lab.pipeline.floor import hold_floor
from piopiy_lab.pipeline.lost_turns import LostTurns
from piopiy_lab.pipeline.parts import Parts
from piopiy_lab.pipeline.run_observer import RunObserver
from piopiy_lab.pipeline.switchboard import Switchboard
from piopiy_lab.pipeline.taping import tape
from piopiy_lab.pipeline.tool_groups import ToolGroups
from piopiy_lab.pipeline.user_code import CallTasks, report_handler
from piopiy_lab.pipeline.valid_text import ValidContext, speak_valid_text
from piopiy_lab.services.connection_watch import watch_connection
from piopiy_lab.services.realtime import greeting_request
from piopiy_lab.services.seams import clear_addresses_of
from piopiy_lab.services.spread_words import spread_words
from piopiy_lab.session.call_control import TransferNews
from piopiy_lab.session.commands import (
    AgentCommand,
)
from piopiy_lab.session.running_agent import Act, AgentInCall
from piopiy_lab.session.session import Session
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.tools import Tool, keep_arguments
from piopiy_lab.tools.doubles import Doubles

log: Logger = safe_logger("piopiy_lab.call")


class AgentRun:
    """A VoiceAgent at work in one call."""

    def __init__(
        self,
        agent: AgentInCall,
        session: Session,
        parts: Parts,
        tools: list[Tool],
        offered: ToolsSchema,
    ) -> None:
        """Get everything ready for :meth:`run`.

        Raises:
            ArgumentError: A tool has a double, and the agent has no such tool.
        """
        self.agent = agent
        self._session = session
        self._parts = parts
        self._doubles = Doubles(session.settings.replace.tools)
        self._doubles.check(tools, parts.llms)
        self._set_up: set[str] = set()  # processors that are ready; written by the observer
        self._lost_turns = LostTurns(session)
        self._observer = RunObserver(session, self._set_up, self._lost_turns)
        self._observer.instructions = agent.instructions
        seams.report_handlers(report_handler)
        self._prepare_services()
        self._context = ValidContext(tools=offered)
        if session.settings.origin != "room" and parts.off_phone_notice:
            session.notice(parts.off_phone_notice)
        if parts.vad_notice:
            session.notice(parts.vad_notice)
        self._transport = session.settings.open_transport(
            session,
            TransportSettings(
                audio_in_sample_rate=parts.audio_in_sample_rate,
                audio_out_sample_rate=parts.audio_out_sample_rate,
                room_params=parts.room_params,
            ),
        )
        turns = parts.turns.strategies(parts.active.values())
        self._untap: Callable[[], None] | None = None  # off the detector; written by _build()
        #: Of the detector's windows, and of the floor; written by _build().
        self._let_go: list[Callable[[], None] | None] = []
        self._chain = self._build(turns)
        self._switchboard = Switchboard(parts, session, self._chain.output)
        if self._switchboard.switches:
            self._observer.switchboard = self._switchboard
        self._tuning = Tuning(self._chain.analyzer, turns)
        self._worker = self._make_worker()
        queue_frame = self._worker.queue_frame
        self.acts = Acts(
            session,
            parts.mode,
            self._chain,
            queue_frame,
            observer=self._observer,
            tuning=self._tuning,
            switchboard=self._switchboard,
        )
        self.changes = Changes(
            session,
            parts,
            self._context,
            queue_frame,
            observer=self._observer,
            acts=self.acts,
            doubles=self._doubles,
        )
        ToolGroups(lambda: self.acts.over, session.notice).watch(self._chain.assistant)
        for tool in tools:
            self.changes.register(tool)
        self._doubles.stand_in(parts.llms, self.acts)

    @property
    def services(self) -> Mapping[str, object]:
        """The services by name: the one at work in each part, and all of the switchers."""
        return self._parts.services

    @property
    def context_aggregators(self) -> ContextAggregators:
        """Both sides of the context."""
        return ContextAggregators(self._chain.user, self._chain.assistant)

    def prepare(self, command: AgentCommand) -> Act:
        """Check a command and return what does it; any thread. See :meth:`Acts.prepare`."""
        return self.acts.prepare(command)

    # --- getting ready -----------------------------------------------------------------------

    def _prepare_services(self) -> None:
        parts = self._parts
        for llm in parts.llms:
            keep_arguments(llm)
            seams.instruct(llm, self.agent.instructions)
            if parts.mode != "cascaded":
                watch_connection(llm)
        speak_valid_text(parts.members.get("tts", ()))
        spread_words(parts.members.get("tts", ()))
        for kind, services in parts.members.items():
            for service in services:
                for address in clear_addresses_of(service):
                    what = f"what {type(service).__name__} is asked, and its key,"
                    warn_of_clear_address(log, address, what)
                named = parts.names.get(kind, {})
                name = next((name for name, one in named.items() if one is service), None)
                tape(self._session, kind, name, service)

    def _build(self, turns: UserTurnStrategies | None) -> Chain:
        chain = build_chain(self._parts, self._context, self._transport, turns)
        if chain.analyzer is not None:
            self._untap = vad.tap(chain.analyzer, self._session.log, chain.heard)
        self._let_go = [
            lend_ears(turns, chain, self._parts, self._session),
            hold_floor(turns, chain, self._parts, self._session),
        ]
        self._observer.watch_output(chain.output)
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
        assert self._session.on_loop(), "only on the session's loop"
        runner = WorkerRunner(
            handle_sigint=False, check_dangling_tasks=False, task_manager=CallTasks()
        )
        await runner.add_workers(self._worker)
        self._session.agents.append(self)
        self._session.latest_agent = self
        task = asyncio.current_task()
        idle = asyncio.create_task(self._watch_idle(), name="piopiy_lab.idle")
        self._lost_turns.watch()
        try:
            await runner.run()
        finally:
            idle.cancel()
            self._lost_turns.stop()
            self._session.agents.remove(self)
            self._doubles.leave()
            for done in (self._untap, *self._let_go):
                if done is not None:
                    done()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        if (failure := self._transport.failure) is not None:
            raise failure  # the room could not be joined, or was lost

    async def narrate(self, news: TransferNews) -> None:
        """Tell the caller and the LLM how a transfer stands."""
        await self.acts.narrate(news, self.agent.transfer_lines)

    async def stop(self, *, graceful: bool) -> None:
        """End the pipeline: let queued speech play out, or at once."""
        if graceful:
            await self._worker.queue_frame(EndFrame())
        else:
            await self._worker.cancel()

    async def _watch_idle(self) -> None:
        """End the call when neither side has spoken for the agent's idle time.

        A transfer that rings is no idling: its outcome begins the time anew.
        """
        limit = self.agent.idle_timeout_secs
        await self._session.wait_until_listening()
        self._observer.active_at = self._session.now()
        while limit:
            left = self._observer.active_at + limit - self._session.now()
            if left > 1e-6:
                await asyncio.sleep(left)
            elif (transfer := self._session.transfers.current) is not None:
                await asyncio.shield(transfer.outcome)
                self._observer.active_at = self._session.now()
            else:
                self._session.end("idle_timeout")
                return

    async def _started(self) -> None:
        session, parts = self._session, self._parts
        detector = self._chain.analyzer or parts.vad  # what is in a VADProcessor, not that
        session.log.append(
            events.PipelineStarted(
                at=session.now(),
                services={name: type(part).__name__ for name, part in parts.active.items()},
                vad=None if detector is None else type(detector).__name__,
                vad_params=self._tuning.detector(),
                turn_model=self._tuning.turn_model(),
                turn_params=self._tuning.turns(),
                audio_in_sample_rate=parts.audio_in_sample_rate,
                audio_out_sample_rate=parts.audio_out_sample_rate,
                greeting=self.agent.greeting,
                switchers=self._switchboard.describe(),
            )
        )
        await self._transport.wait_until_open()
        if session.reason is not None:
            return
        session.listening()
        if self.agent.greeting or parts.mode != "cascaded":
            await self._transport.wait_until_answered()
            if session.reason is not None:
                return
        if parts.mode != "cascaded":
            await self._open_realtime()
        elif self.agent.greeting:
            await self._worker.queue_frames(
                _greeting(self.agent.greeting, written=session.settings.written)
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


def _greeting(text: str, *, written: bool) -> list[Frame]:
    """Return what greets: words for the voice, or an answer that only a client reads."""
    if not written:
        return [TTSSpeakFrame(text, append_to_context=True)]
    answer = (LLMFullResponseStartFrame(), LLMTextFrame(text), LLMFullResponseEndFrame())
    for frame in answer:
        frame.skip_tts = True
    return list(answer)
