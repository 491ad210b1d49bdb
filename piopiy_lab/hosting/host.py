"""Runs one session from its first moment to its end, whatever it is on and whatever clock it has.

``start_call``, ``simulate`` and ``Agent`` differ only in loop, clock and transport; the life of a
call is here: the callback is started in its own context, whatever ends the call first gives the
reason, everything is wound down within a few seconds, and the recording is closed before the log
says ``CallEnded``.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from piopiy_lab import events
from piopiy_lab.call.call import Call
from piopiy_lab.checks.arguments import check_secs
from piopiy_lab.checks.texts import described
from piopiy_lab.errors import ArgumentTypeError, CallError
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import Direction, EndReason
from piopiy_lab.hosting.commands import CallCommands, CallOnLoop
from piopiy_lab.hosting.containment import contained, end_for, is_of_a_signal
from piopiy_lab.hosting.hurry import Hurry
from piopiy_lab.hosting.loop_thread import LoopThread
from piopiy_lab.hosting.ready import load_imports
from piopiy_lab.hosting.short_pauses import short_pauses
from piopiy_lab.hosting.told import model_of, versions, wall_time
from piopiy_lab.screenplay.undone import undone_error
from piopiy_lab.session import transferring
from piopiy_lab.session.callback import SessionCallback, is_bot, supported_fields
from piopiy_lab.session.places import place_of
from piopiy_lab.session.session import AFTER_CALL_SECS, Session, SessionSettings, enter, session_of
from piopiy_lab.sound.recorder import Recorder

if TYPE_CHECKING:
    from piopiy_lab.call.saved import CallFolder

#: Hz of every recording: the agent's default rate, so that its voice is kept as it is.
RECORDING_RATE = 24000
#: Seconds that a pipeline gets to stop, that ``start()`` then gets to return, and that the callback
#: gets after it was cancelled: together less than the 5 s in which a call must have ended, but for
#: what the callback does after it (``SessionSettings.after_call_secs``).
STOP_SECS = 1.5
FINISH_SECS = 1.5
CANCEL_SECS = 1.0
#: How many times it is looked whether ``start()`` has returned.
STARTED_LOOKS = 30


@dataclass(frozen=True, kw_only=True)
class CallFields:
    """What a session callback may be told of its call."""

    agent_id: str = "local"
    call_id: str
    from_number: str | None = None
    to_number: str | None = None
    metadata: object = None
    direction: Direction | None = None
    variables: Mapping[str, str] | None = None
    sip_headers: Mapping[str, str] | None = None
    trace_id: str | None = None
    room_name: str | None = None

    @property
    def told(self) -> dict[str, object]:
        """What ``meta.json`` has of it: what every call has, and what this one has besides."""
        usual = ("agent_id", "call_id", "from_number", "to_number", "metadata")
        fields = vars(self)
        return {name: fields[name] for name in fields if name in usual or fields[name] is not None}


class CallHost(CallCommands):
    """One call: its log, recorder and session, and the way from a Call's commands to them.

    Made on any thread; :meth:`run` runs on the session's loop. The commands (the ``CommandPort``
    methods) are thread-safe and return at once.
    """

    def __init__(
        self,
        create_session: SessionCallback,
        fields: CallFields,
        settings: SessionSettings,
        *,
        clock: Callable[[], float],
        call_on_loop: CallOnLoop,
        record: bool | str | Path = True,
        thread: LoopThread | None = None,
    ) -> None:
        """Make the call; nothing runs yet.

        Args:
            create_session: The user's callback, checked.
            fields: What it may be told.
            settings: What its session is made with.
            clock: The call's seconds, 0.0 now.
            call_on_loop: Calls a function soon on the session's loop, from any thread.
            record: Whether the audio is kept; a path keeps the call in that folder as it happens.
            thread: The thread that runs the session's loop, if it is one of ours.
        """
        super().__init__(call_on_loop)
        self._create_session = create_session
        self._whose = "the bot" if is_bot(create_session) else "create_session"  # for notices
        self._fields = fields
        self._settings = settings
        self.thread = thread
        folder = None if isinstance(record, bool) else _folder(record)
        self._folder = folder
        self.log: EventLog = EventLog(clock, sink=folder)
        self.recorder: Recorder = Recorder(
            RECORDING_RATE, wav_path=folder.wav_path if folder else None, keep=record is not False
        )
        self._hurry = Hurry()  # asked for on the session's loop, by hurry() and run()
        self._while_live = ExitStack()  # what holds from when all is imported to the call's end
        self._let_go = False  # the caller's line was seen to; written by _let_caller_go()
        self._over = False  # CallEnded was written; guarded by _ending
        self._ending = threading.Lock()
        self.meta: dict[str, Any] = {**fields.told, **versions(), "origin": settings.origin}
        if (place := place_of(create_session)) is not None:
            self.meta["session"] = place
        self.meta.update(settings.told, started_at=wall_time())
        self.meta["virtual"] = settings.virtual
        self.log.append(
            events.CallStarted(
                at=0.0, origin=settings.origin, sample_rate=self.recorder.sample_rate
            )
        )
        self.call: Call = Call(self.log, self.recorder, self, self.meta, folder)

    @property
    def loop_thread_ident(self) -> int | None:
        """``threading.get_ident()`` of the session's loop, if it has a thread of its own."""
        return None if self.thread is None else self.thread.thread_ident

    @property
    def listening(self) -> bool:
        """Whether somebody listens to the caller, or did; any thread."""
        return self.session is not None and self.session.is_listening

    def owns(self, context: contextvars.Context | None) -> bool:
        """Whether what runs in a context is this call's, or at least no other's; any thread."""
        session = None if context is None else session_of(context)
        return session is None or session is self.session

    def hurry(self) -> None:
        """Let the callback's work after the call be cut off soon; any thread."""
        self._call_on_loop(self._hurry.ask)

    def notice(self, message: str) -> None:
        """Write something worth knowing into the log; any thread."""
        self.log.append(events.NoticeGiven(at=self.log.now(), message=message))

    # --- the life of the call, on the session's loop -----------------------------------------

    async def run(self) -> None:
        """Run the session to its end. Never raises but for a cancellation, which is passed on."""
        with contained():
            await self._run()

    async def _run(self) -> None:
        session = self.session = Session(self.log, self.recorder, self._settings)
        session.mute(self.pending_mute)
        session.handed_over = self.pending_hand_over
        if self._pending_end is not None:
            session.end(self._pending_end)
        context = contextvars.copy_context()
        context.run(enter, session)
        for variable, value in self._settings.variables.items():
            context.run(variable.set, value)
        task = asyncio.get_running_loop().create_task(
            self._session_task(session), context=context, name=f"piopiy_lab.{self._fields.call_id}"
        )
        ended = asyncio.create_task(session.wait_for_end(), name="piopiy_lab.wait_for_end")
        cancelled = False
        with self._while_live:
            try:
                await asyncio.wait((task, ended), return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                cancelled = True
                session.end("cancelled")
                self._hurry.ask()
            ended.cancel()
            await self._wind_down(session, task)
        await self._let_caller_go(session)
        if not cancelled and session.error is None:
            self._look_for_undone(session)
        self._finish(session)
        for close in session.closers:
            await close()
        if cancelled:
            raise asyncio.CancelledError

    async def _session_task(self, session: Session) -> None:
        __tracebackhide__ = True  # in notebooks and pytest
        if session.reason is not None:  # hung up before anything began
            return
        if not self._settings.virtual:
            await load_imports()
            self._while_live.enter_context(short_pauses())
        arguments = supported_fields(self._create_session, vars(self._fields))
        try:
            await self._create_session(**arguments)
        except (SystemExit, KeyboardInterrupt) as error:
            if is_of_a_signal(error):
                raise
            raise end_for(session, error) from error

    async def _wind_down(self, session: Session, task: asyncio.Task[None]) -> None:
        """Stop the pipelines, let the callback finish, and cancel it if it does not."""
        for agent in list(session.agents):
            try:
                async with asyncio.timeout(STOP_SECS):
                    await agent.stop(graceful=False)
            except TimeoutError:
                whose = "the bot" if agent.agent is None else repr(agent.agent)
                session.notice(f"the pipeline of {whose} did not stop in {STOP_SECS:g} s")
        if session.reason is not None:  # what the callback does after the call holds nobody up
            await self._let_caller_go(session)
        if session.latest_agent is not None or session.reason != "cancelled":
            await self._let_finish(session, task)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=CANCEL_SECS)
        if not task.done():
            session.notice(
                f"{self._whose} went on after it was cancelled: it must let CancelledError pass"
            )
        elif task.cancelled():
            session.end("cancelled")
        elif (error := task.exception()) is not None:
            if session.latest_agent is None:
                session.end("error", error)
            else:
                session.fail(error, self._whose)
        elif self._settings.needs_agent and session.latest_agent is None and session.reason is None:
            session.end(
                "error",
                CallError(
                    "create_session returned and started no VoiceAgent: "
                    "end it with 'await agent.start()'"
                ),
            )
        else:
            session.end("agent_ended")

    async def _let_caller_go(self, session: Session) -> None:
        """Give up what is being transferred, and hang up the caller's line; once."""
        if not self._let_go:
            self._let_go = True
            await session.transfers.close()
            await transferring.release(session)

    async def _let_finish(self, session: Session, task: asyncio.Task[None]) -> None:
        """Give the callback time to end by itself, and more for its own work after the call."""
        secs = self._settings.after_call_secs
        started = session.latest_agent is not None
        for _ in range(STARTED_LOOKS if started else 1):  # for start() to return, if it ran
            if started and not session.agents:
                break
            await self._hurry.wait_for(task, FINISH_SECS / (STARTED_LOOKS if started else 1))
        if not started or session.agents or task.done():
            return
        if not await self._hurry.wait_for(task, secs):
            why = (
                "as the process or its agent was ending"
                if self._hurry.asked
                else f"{secs:g} s after its call; after_call_secs= gives it more"
            )
            session.notice(f"{self._whose} was still at work and was cut off {why}")

    def _look_for_undone(self, session: Session) -> None:
        """Fail the screenplay of a caller who was hung up on in the middle of it."""
        reason = session.reason or "agent_ended"
        left = self._settings.undone(tuple(self.log), reason)
        if left is None:
            return
        left = replace(left, at=self.log.now())
        self.log.append(left)
        session.error = undone_error(left)

    def _finish(self, session: Session) -> None:
        self._error = session.error
        self.end_log(session.reason or "agent_ended")

    def end_log(self, reason: EndReason, error: BaseException | None = None) -> None:
        """Close the recording and write the end; once, on whichever thread comes first."""
        with self._ending:
            if self._over:
                return
            self._over = True
        self._error = error or self._error
        end = self.log.now()
        self.recorder.close(end)
        self._keep_what_was_heard()
        self._report_disk_trouble(end)
        self.meta.update(ended_at=wall_time(), **self._as_it_ran())
        old = self.call.state
        self.log.append(events.CallStateChanged(at=end, old=old, new="ended"))
        if self._folder is not None:
            self._folder.write_meta(self.meta)
        self.log.append(
            events.CallEnded(
                at=end,
                reason=reason,
                error=None if self._error is None else described(self._error),
            )
        )
        self.log.close()
        if self._folder is not None:
            self._folder.close()

    def _as_it_ran(self) -> dict[str, Any]:
        """Return which services ran and how they were set, for ``meta.json``."""
        started = self.log.of(events.PipelineStarted)
        if not started:
            return {}
        changes = [event.new for event in self.log.of(events.SettingsChanged)]
        return {
            "services": {
                part: {"class": type(service).__name__, **model_of(service)}
                for part, service in self.services.items()
            },
            "settings": {
                "vad": started[-1].vad,
                "vad_params": started[-1].vad_params,
                "changes": changes,
                "audio_in_sample_rate": started[-1].audio_in_sample_rate,
                "audio_out_sample_rate": started[-1].audio_out_sample_rate,
            },
        }

    def _keep_what_was_heard(self) -> None:
        """Finish what the pipeline heard of the caller, and tell of it in ``meta.json``."""
        hearing, session = self.recorder.hearing, self.session
        words = [] if session is None else session.script.words
        hearing.end(
            None if session is None else session.ended_at,
            [(word.text, word.start, word.end) for word in words],
        )
        if (frames := hearing.frames) is not None:
            self.meta["heard"] = frames.to_json()
        if session is not None and session.by_hand:
            self.meta["by_hand"] = session.by_hand

    def _report_disk_trouble(self, at: float) -> None:
        """Say what could not be written; it is in memory all the same."""
        trouble = {
            "the recording": self.recorder.error,
            "what the agent heard": self.recorder.hearing.error,
            "the events": self.log.sink_error,
            "the folder": self._folder.error if self._folder else None,
        }
        for what, error in trouble.items():
            if error is not None:
                self.log.append(
                    events.ErrorOccurred(
                        at=at,
                        message=f"{what} could not be written: {error}",
                        source="recorder",
                        remedy="free disk space, then call.save(...): nothing is lost in memory",
                    )
                )


def _folder(path: str | Path) -> CallFolder:
    from piopiy_lab.call.saved import CallFolder

    return CallFolder(path)


def check_record(record: object) -> None:
    """Check the ``record=`` argument."""
    if not isinstance(record, bool | str | Path):
        raise ArgumentTypeError(f"record={record!r}: give True, False, or a folder's path")


def check_after_call(secs: float | None) -> float:
    """Check the ``after_call_secs=`` argument; return the seconds, for None the usual ones."""
    if secs is None:
        return AFTER_CALL_SECS
    return check_secs("after_call_secs", secs, zero=True)
