"""One bot at work in one call: its own pipeline, which we join, look at, and can speak to.

Nothing of the pipeline is made here. The bot makes its transport, and gets ours; when its pipeline
sets that up, we learn whose pipeline it is, and the observer joins. Runs on the session's loop, but
for ``prepare``, which any thread may call.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping, Sequence

from pipecat.frames.frames import EndFrame, ErrorFrame, Frame, InputTransportMessageFrame
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor, FrameProcessorSetup
from pipecat.services.llm_service import LLMService

from piopiy_lab import events
from piopiy_lab.bots import seams
from piopiy_lab.bots.acts import BotActs
from piopiy_lab.bots.call import BotCall
from piopiy_lab.bots.detector import bring_detector
from piopiy_lab.bots.found import Found, kind_of_service, look
from piopiy_lab.bots.observer import BotObserver
from piopiy_lab.bots.transport import ROOMS, BotTransport
from piopiy_lab.errors import BotError, CassetteError
from piopiy_lab.listening import vad
from piopiy_lab.listening.tuning import Tuning
from piopiy_lab.pipeline.chain import Ends
from piopiy_lab.pipeline.failures import failure, not_ready
from piopiy_lab.pipeline.lost_turns import LostTurns
from piopiy_lab.pipeline.seams import report_handlers
from piopiy_lab.pipeline.switchboard import Switchboard
from piopiy_lab.pipeline.taping import tape
from piopiy_lab.pipeline.user_code import report, report_handler
from piopiy_lab.services.connection_watch import watch_connection
from piopiy_lab.session.call_control import TransferNews
from piopiy_lab.session.commands import AgentCommand
from piopiy_lab.session.running_agent import Act
from piopiy_lab.session.session import Session
from piopiy_lab.tools.doubles import Doubles

#: Seconds that a bot gets to end its pipeline by itself when the caller has left: less than the
#: host waits for a pipeline to stop.
LEAVING_SECS = 1.0
#: What a browser's client says when it is there; ids and versions as pipecat's JavaScript client
#: sends them (protocol 1.x).
CLIENT_READY = {
    "label": "rtvi-ai",
    "type": "client-ready",
    "id": "1",
    "data": {"version": "1.0.0", "about": {"library": "piopiy-lab"}},
}
#: Transports whose clients speak that protocol: not telephone lines.
_CLIENTS = ("SmallWebRTCTransport", "WebsocketServerTransport", *ROOMS)


class BotRun:
    """A bot's pipeline in a call; one of ``Session.agents`` while it runs."""

    def __init__(
        self,
        session: Session,
        transport: BotTransport,
        *,
        check: Callable[[Found], None],
        made: Sequence[object] = (),
    ) -> None:
        """Wait for the pipeline that has the transport.

        Args:
            session: The call.
            transport: What the bot made.
            check: Raises a BotError where the pipeline is not what the call wants.
            made: The services that the bot got in place of its own, those in other pipelines behind
                its bus among them.
        """
        self._session = session
        self._transport = transport
        self._check = check
        self._made = made
        self._context = contextvars.copy_context()  # the bot's: who is told, who may be made
        self._worker: PipelineWorker | None = None  # whose pipeline it is; by _set_up()
        self._found: Found | None = None
        self._detector: FrameProcessor | None = None  # where the bot has none and needs one
        self._acts: BotActs | None = None
        self._lost_turns = LostTurns(session)
        self._doubles = Doubles(session.settings.replace.tools)
        self._untap: Callable[[], None] | None = None
        self._over = asyncio.Event()  # set when the pipeline was cleaned up
        self.listening: BotCall | None = None  # what a vendor's bot was given; by its session
        transport.on_ends = self._watch

    # --- a RunningAgent ----------------------------------------------------------------------

    @property
    def agent(self) -> None:
        """There is no VoiceAgent."""

    @property
    def services(self) -> Mapping[str, object]:
        """The services by name."""
        return {} if self._found is None else self._found.all_services

    def prepare(self, command: AgentCommand) -> Act:
        """Check a command and return what does it; any thread. See :meth:`BotActs.prepare`."""
        assert self._acts is not None, "a bot is one of Session.agents when it has joined"
        return self._acts.prepare(command)

    async def narrate(self, news: TransferNews) -> None:
        """Tell the caller and the LLM how a transfer stands, where the pipeline can.

        A bot of the vendor's that listens for it itself is told as in its room, and says it.
        """
        if self.listening is not None and await self.listening.hear(news, self._listener_failed):
            return
        if self._acts is not None and self._found is not None and "tts" in self._found.active:
            await self._acts.narrate(news, {})

    def _listener_failed(self, whose: str, error: BaseException) -> None:
        self._context.copy().run(report, whose, error)  # who narrates may be out of the call

    async def stop(self, *, graceful: bool) -> None:
        """End the pipeline: the caller has left, says its transport; then it is cancelled."""
        worker = self._worker
        assert worker is not None, "a bot is one of Session.agents when it has joined"
        if graceful:
            await worker.queue_frame(EndFrame())
            return
        loop = asyncio.get_running_loop()
        await loop.create_task(self._transport.left(), context=self._context)
        try:
            async with asyncio.timeout(LEAVING_SECS):
                await self._over.wait()
        except TimeoutError:
            await worker.cancel(reason="the call is over")

    # --- joining -----------------------------------------------------------------------------

    def _watch(self, source: FrameProcessor, sink: FrameProcessor) -> None:
        """Have the two ends tell of the pipeline that they are in."""
        set_up_source, set_up_sink, clean_up = source.setup, sink.setup, source.cleanup

        async def setup(setup: FrameProcessorSetup) -> None:
            self._join(setup, source, sink)
            await set_up_source(setup)
            if self._detector is not None:
                await self._detector.setup(setup)

        async def setup_sink(setup: FrameProcessorSetup) -> None:
            self._join(setup, source, sink)
            await set_up_sink(setup)

        async def cleanup() -> None:
            try:
                await clean_up()
                if self._detector is not None:
                    await self._detector.cleanup()
            finally:
                self._end()

        source.setup, sink.setup, source.cleanup = setup, setup_sink, cleanup

    def _join(
        self, setup: FrameProcessorSetup, source: FrameProcessor, sink: FrameProcessor
    ) -> None:
        session, worker = self._session, setup.pipeline_worker
        if self._worker is worker:  # by its other end
            return
        assert session.on_loop(), "only on the session's loop"
        if self._worker is not None:
            error = BotError(
                "the bot runs a second pipeline on the transport that its first one has: a call "
                "here has one line; make the pipeline once, or switch inside of it"
            )
            session.end("error", error)  # pipecat waits for a set-up that has raised
            raise error
        self._worker = worker
        self._transport.run_at(setup)
        found = self._found = look(worker.pipeline)
        try:
            if source not in found.processors:
                raise BotError(
                    "the bot's pipeline has no transport.input(), and nothing would hear the "
                    "caller: put it where the pipeline begins"
                )
            self._check(found)
            if found.bridged and not found.llms and not self._doubles.idle:
                raise BotError(
                    "replace={'tools': ...} does not reach a language model that stands behind the "
                    "bot's bus, in a pipeline of its own: its tools would run themselves"
                )
            self._detector = bring_detector(found, source, session)
            report_handlers(report_handler)
            observer = self._observe(setup, found, source, sink)
        except (BotError, CassetteError) as error:
            session.end("error", error)  # pipecat waits for a set-up that has raised
            raise
        tuning = Tuning(found.analyzer, found.strategies)
        switchboard = Switchboard(found, session, sink)
        if switchboard.switches:
            observer.switchboard = switchboard
        self._acts = BotActs(
            found,
            session,
            found.mode,
            Ends(source, sink),
            worker.queue_frame,
            observer=observer,
            tuning=tuning,
            switchboard=switchboard,
        )
        made = [one for one in self._made if isinstance(one, LLMService)]
        llms = [*found.llms, *(one for one in made if one not in found.llms)]
        self._doubles.stand_in(llms, self._acts)
        self._follow(worker, observer, tuning, switchboard)
        session.agents.append(self)
        session.latest_agent = self
        self._lost_turns.watch()

    def _observe(
        self,
        setup: FrameProcessorSetup,
        found: Found,
        source: FrameProcessor,
        sink: FrameProcessor,
    ) -> BotObserver:
        session = self._session
        observer = BotObserver(session, source, self._lost_turns)
        observer.began = round(session.now() * 1e9) - setup.clock.get_time()
        observer.watch_output(sink)
        for llm in found.llms:
            if found.mode != "cascaded":
                watch_connection(llm)
            observer.instructions = observer.instructions or seams.instruction_of(llm)
        if found.analyzer is not None:
            self._untap = vad.tap(found.analyzer, session.log)
        there = [service for services in found.members.values() for service in services]
        elsewhere = [service for service in self._made if service not in there]
        named = {id(one): name for names in found.names.values() for name, one in names.items()}
        kinds: list[str] = []
        for service in (*there, *elsewhere):
            if (kind := kind_of_service(type(service))) is not None:
                kinds.append(kind)
                number = kinds.count(kind)
                name = named.get(id(service)) or (None if number == 1 else str(number))
                tape(session, kind, name, service)
        seams.observe_in_line(setup, observer)
        return observer

    def _follow(
        self,
        worker: PipelineWorker,
        observer: BotObserver,
        tuning: Tuning,
        switchboard: Switchboard,
    ) -> None:
        session = self._session

        async def on_started(worker: PipelineWorker, frame: Frame) -> None:
            await self._started(tuning, switchboard)

        async def on_error(worker: PipelineWorker, frame: ErrorFrame) -> None:
            error = failure(frame, session)
            if error is not None:
                session.end("error", error)

        async def on_not_ready(worker: PipelineWorker, *frame: Frame) -> None:
            if session.reason is None:
                assert self._found is not None, "it was found when the pipeline was joined"
                waiting = observer.waiting(self._found.processors) or ["the pipeline"]
                session.end("error", not_ready(waiting, round(session.now(), 1)))

        async def on_idle(worker: PipelineWorker) -> None:
            if seams.ends_when_idle(worker):  # else the bot decides what becomes of it
                session.end("idle_timeout")

        worker.add_event_handler("on_pipeline_started", on_started)
        worker.add_event_handler("on_pipeline_error", on_error)
        worker.add_event_handler("on_setup_timeout", on_not_ready)
        worker.add_event_handler("on_pipeline_timeout", on_not_ready)
        worker.add_event_handler("on_idle_timeout", on_idle)

    # --- while it runs -----------------------------------------------------------------------

    async def _started(self, tuning: Tuning, switchboard: Switchboard) -> None:
        session, found, transport = self._session, self._found, self._transport
        assert found is not None, "it has joined"
        assert self._worker is not None, "it has joined"
        params = self._worker.params
        session.log.append(
            events.PipelineStarted(
                at=session.now(),
                services={name: type(part).__name__ for name, part in found.active.items()},
                vad=None if found.analyzer is None else type(found.analyzer).__name__,
                vad_params=tuning.detector(),
                turn_model=tuning.turn_model(),
                turn_params=tuning.turns(),
                audio_in_sample_rate=params.audio_in_sample_rate,
                audio_out_sample_rate=params.audio_out_sample_rate,
                greeting=None,
                switchers=switchboard.describe(),
            )
        )
        if found.unseen:
            session.notice(f"this bot's pipeline doesn't tell {'; '.join(found.unseen)}")
        if transport.never_told:
            session.notice(
                f"{transport.stands_for}: nothing in this call brings about "
                f"{', '.join(transport.never_told)}, which the bot handles"
            )
        await transport.inner.wait_until_open()
        if session.reason is not None:
            return
        session.listening()
        await transport.inner.wait_until_answered()
        if session.reason is not None:
            return
        await transport.joined()
        has_client = session.settings.rtvi  # who says so itself
        if found.rtvi is not None and transport.stands_for in _CLIENTS and not has_client:
            # both ways, as a real transport does: what listens may stand before the transport
            await transport.input().broadcast_frame(
                InputTransportMessageFrame, message=CLIENT_READY
            )

    def _end(self) -> None:
        """Note that the pipeline is gone."""
        session = self._session
        if self not in session.agents:
            return
        session.agents.remove(self)
        self._lost_turns.stop()
        if self._untap is not None:
            self._untap()
        if (missing := self._doubles.missing()) is not None:
            session.fail(missing, "replace")
        self._doubles.leave()
        self._over.set()
        if (lost := self._transport.inner.failure) is not None:
            session.end("error", lost)
        else:
            session.end("agent_ended")
