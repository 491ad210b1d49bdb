"""One call on the loopback platform: it rings, is answered, is performed, and ends.

The platform's side of a call: it offers the room to an agent, lets the scripted caller act once
the agent is there, and knows why it ended. Runs on the platform's loop.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter

from piopiy_lab import events
from piopiy_lab._version import __version__
from piopiy_lab.call.call import Call
from piopiy_lab.errors import LoopbackError, PiopiyLabError
from piopiy_lab.events import room_logs
from piopiy_lab.events.log import EventLog, clock_from_now
from piopiy_lab.events.values import EndReason, PhoneStatus
from piopiy_lab.loopback.caller import AGENT_IDENTITY, RoomCaller
from piopiy_lab.loopback.client import RoomClient
from piopiy_lab.loopback.dispatch import Dispatcher
from piopiy_lab.loopback.hand_over import HandOver
from piopiy_lab.loopback.offers import Offers
from piopiy_lab.loopback.port import CallerPort
from piopiy_lab.loopback.room import Participant, Room
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.performer import Performer
from piopiy_lab.screenplay.steps import ExpectsTool, Hears
from piopiy_lab.screenplay.undone import left_undone, undone_error
from piopiy_lab.sound.recorder import Recorder

#: Hz of the recording, as of every call.
RECORDING_RATE = 24000
#: Seconds for which an agent whose connection broke may come back, and a cut link be restored.
GONE_SECS = 10.0
#: Seconds that the agent has to leave the room when the caller has.
LEAVE_SECS = 5.0

#: What a scripted caller follows of the agent's own account, beside its words.
_AGENT_EVENTS = (
    events.ToolCalled,
    events.ToolReturned,
    events.ToolCancelled,
    events.LLMResponseStarted,
    events.LLMResponseStopped,
    events.TurnLost,
    events.ErrorOccurred,
)


class PhoneCall:
    """A call from its dialling to its end."""

    def __init__(
        self,
        *,
        call_id: str,
        agent_id: str,
        from_number: str | None,
        to_number: str | None,
        metadata: object,
        details: Mapping[str, object],
        caller: Caller,
        room: Room,
        dispatcher: Dispatcher,
        invitation: Callable[[str], dict[str, object]],
        on_answered: Callable[[], None],
        ring_secs: float,
        offer_secs: float,
        gone_secs: float,
        record: bool,
    ) -> None:
        """Make a call that has not been dialled.

        Args:
            call_id: Its id.
            agent_id: Whom it is for.
            from_number: The caller's number.
            to_number: The number that was dialled.
            metadata: What the agent is told besides.
            details: And what a worker of the gateway is told: "direction", "variables",
                "sip_headers".
            caller: The screenplay.
            room: Where the call is.
            dispatcher: Knows the connected agents.
            invitation: Makes what ``join_room`` says of the room, for the agent's identity.
            on_answered: Told when the agent is there and the caller begins.
            ring_secs: Seconds until the caller gives up.
            offer_secs: Seconds that an agent has to join, before another one is asked.
            gone_secs: Seconds that the agent's link may be cut, or the agent away.
            record: Whether the audio is kept.
        """
        self.call_id: str = call_id
        self.agent_id: str = agent_id
        self.from_number: str | None = from_number
        self.to_number: str | None = to_number
        self.metadata = metadata
        self._details = {name: value for name, value in details.items() if value is not None}
        self.room = room
        self.status: PhoneStatus = "ringing"
        self.reason: EndReason | None = None  # why it ends; written once, by end()
        self.error: BaseException | None = None
        self.log: EventLog = EventLog(clock_from_now())
        self.recorder: Recorder = Recorder(RECORDING_RATE, keep=record)
        self.times: dict[str, str] = {"created_at": _wall_time()}  # and "answered_at", "ended_at"
        self.port: CallerPort = CallerPort(self)
        meta = {
            "call_id": call_id,
            "agent_id": agent_id,
            "from_number": from_number,
            "to_number": to_number,
            "metadata": metadata,
            **self._details,
            "origin": "phone",
            "piopiy_lab": __version__,
        }
        self.log.append(
            events.CallStarted(at=0.0, origin="phone", sample_rate=self.recorder.sample_rate)
        )
        self.call: Call = Call(self.log, self.recorder, self.port, meta)
        attributes = {
            "sip.callID": call_id,
            "sip.phoneNumber": from_number or "",
            "sip.trunkPhoneNumber": to_number or "",
        }
        self.caller: RoomCaller = RoomCaller(room, self.log, self.recorder, attributes, caller)
        self._screenplay = caller
        self._performer = Performer(self.caller, caller)
        self._dispatcher = dispatcher
        self._offers = Offers(dispatcher, agent_id, room.name, self._invite, offer_secs)
        self._invitation = invitation
        self._on_answered = on_answered
        self._ring_secs = ring_secs
        self._gone_secs = gone_secs
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._agent: RoomClient | None = None  # who answered; written by _room_changed()
        self._agent_there = asyncio.Event()
        self._agent_gone = asyncio.Event()
        self._gone: asyncio.TimerHandle | None = None  # ends the call if the agent stays away
        self.transfers: list[HandOver] = []  # oldest first; written by the platform
        self._unsubscribe: Callable[[], None] | None = None
        self._told: list[events.Event] = []  # of the agent's own account, by this clock

    # --- the life of the call -----------------------------------------------------------------

    async def run(self) -> Call:
        """Dial, perform the screenplay, and return the ended call.

        Raises:
            asyncio.CancelledError: The task was cancelled; the call has ended as "cancelled".
        """
        self.room.on_change.append(self._room_changed)
        self._dispatcher.on_change.append(self._agents_changed)
        tasks = [
            asyncio.create_task(self._live(), name=f"piopiy_lab.loopback.{self.call_id}"),
            asyncio.create_task(self._watch_link(), name="piopiy_lab.loopback.link"),
            asyncio.create_task(self._ended.wait(), name="piopiy_lab.loopback.ended"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self.end("cancelled")
            raise
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    self.end("error", result)
            await self._hang_up()
        return self.call

    async def _live(self) -> None:
        await self._ring()
        self.status = "answered"
        self.times["answered_at"] = _wall_time()
        self.log.append(events.CallStateChanged(at=self.log.now(), old="starting", new="listening"))
        self._on_answered()
        self._find_agents_log()
        speaking = asyncio.create_task(self.caller.run(), name="piopiy_lab.loopback.mouth")
        performing = asyncio.create_task(self._perform(), name="piopiy_lab.loopback.perform")
        try:
            await asyncio.wait((speaking, performing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            speaking.cancel()
            performing.cancel()
            results = await asyncio.gather(speaking, performing, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _perform(self) -> None:
        try:
            await self._performer.perform()
        except PiopiyLabError as error:
            self.end("error", error)
        else:
            self.end("caller_hung_up")

    async def _ring(self) -> None:
        """Ring until an agent is in the room, and its media connection is up."""
        left = await self._offers.ring(self._ring_secs, self._agent_there)
        if self._agent is not None:
            try:
                async with asyncio.timeout(max(1.0, left)):
                    await self._agent.media_ready.wait()
            except TimeoutError:
                raise LoopbackError(
                    f"the agent joined room {self.room.name!r}, but no media connection came up"
                ) from None

    def _invite(self, number: int) -> dict[str, object]:
        """Return what ``join_room`` says, for the n-th offer."""
        if self._offers.is_answer(number):  # whoever is in the room has the call
            self._let_caller_in()
        metadata = self.metadata
        if metadata is not None and not isinstance(metadata, str):
            metadata = json.dumps(metadata)
        return {
            **self._invitation(f"{AGENT_IDENTITY}-{number}"),
            "call_id": self.call_id,
            "agent_id": self.agent_id,
            "from_number": self.from_number,
            "to_number": self.to_number,
            "metadata": metadata,
            **self._details,
        }

    async def _watch_link(self) -> None:
        """End the call when its link stays cut."""
        cut_for = 0.0
        while cut_for < self._gone_secs:
            await asyncio.sleep(0.5)
            cut_for = cut_for + 0.5 if self.room.link.is_cut else 0.0
        raise LoopbackError(
            f"the link to the agent was cut for {self._gone_secs:g} s: the call is lost"
        )

    async def _hang_up(self) -> None:
        """Leave the room, wait for the agent to leave it, and close the account."""
        end = self.log.now()
        self.status = "ended"
        self.times["ended_at"] = _wall_time()
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._gone is not None:
            self._gone.cancel()
        for transfer in self.transfers:
            transfer.close()
        self.caller.leave()
        if not self._agent_there.is_set():
            await self._offers.take_back()
        self.recorder.close(end)
        self.log.append(events.CallStateChanged(at=end, old=self.call.state, new="ended"))
        self._look_for_undone(end)
        error = self.error
        text = None if error is None else f"{type(error).__name__}: {error}"
        if self._agent is not None and not self.room.link.is_cut:
            try:
                async with asyncio.timeout(LEAVE_SECS):
                    await self._agent_gone.wait()
            except TimeoutError:
                self.log.append(
                    events.NoticeGiven(
                        at=end,
                        message=f"the agent was still in the room {LEAVE_SECS:g} s after the end",
                    )
                )
        self.room.on_change.remove(self._room_changed)
        self._dispatcher.on_change.remove(self._agents_changed)
        self._offers.release()
        self.log.append(events.CallEnded(at=end, reason=self.reason or "agent_ended", error=text))
        self.log.close()

    def _look_for_undone(self, end: float) -> None:
        """Fail the screenplay of a caller who was hung up on in the middle of it."""
        if self.error is not None:
            return
        log = sorted((*self.log, *self._told), key=attrgetter("at"))
        left = left_undone(self._screenplay, log, self.reason or "agent_ended")
        if left is not None:
            self.log.append(replace(left, at=end))
            self.error = undone_error(left)

    def end(self, reason: EndReason, error: BaseException | None = None) -> None:
        """Ask for the end; the first reason stands."""
        if self.reason is None:
            self.reason, self.error = reason, error
            self._ended.set()

    def end_soon(self, reason: EndReason) -> None:
        """Ask for the end from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.end, reason)

    # --- the agent's side ---------------------------------------------------------------------

    def _room_changed(self, participant: Participant, there: bool) -> None:
        if not isinstance(participant, RoomClient) or not participant.identity.startswith(
            AGENT_IDENTITY
        ):
            return
        if there:
            number = participant.identity.rpartition("-")[2]
            if self._offers.is_answer(int(number) if number.isdecimal() else 0):
                self._answer(participant)
        elif participant is self._agent:
            self._agent_gone.set()
            if participant.said_goodbye or self.status == "ended":
                self.end("agent_ended")
            elif self._gone is None:  # a broken connection: it may come back
                self._gone = self._loop.call_later(self._gone_secs, self._agent_stayed_away)

    def _agents_changed(self) -> None:
        """A worker may have accepted: then the caller is let into the room where it is."""
        if self._agent is None:
            for participant in list(self.room.participants.values()):
                self._room_changed(participant, True)

    def _answer(self, agent: RoomClient) -> None:
        self._let_caller_in()
        self._agent = agent
        self._agent_gone.clear()
        self._agent_there.set()
        if self._gone is not None:
            self._gone.cancel()
            self._gone = None

    def _let_caller_in(self) -> None:
        if self.caller.identity not in self.room.participants and not self.over:
            self.caller.join()

    def _agent_stayed_away(self) -> None:
        self.end(
            "error",
            LoopbackError(
                f"the agent's connection broke and did not come back in {self._gone_secs:g} s"
            ),
        )

    def _find_agents_log(self) -> None:
        """Listen to the agent's own account, when it runs in this process."""
        log = room_logs.log_of(self.room.name)
        if log is None:
            deaf = [s for s in self._screenplay.steps if isinstance(s, Hears | ExpectsTool)]
            if deaf:
                raise LoopbackError(
                    f"{deaf[0]} needs the agent's words, and this caller has only its audio: the "
                    "agent runs in another process, or does not say which log is its room's. "
                    "Use hears_reply(), which needs no words"
                )
            return

        def take(event: events.Event) -> None:
            match event:
                case events.WordSpoken():
                    self.caller.agent_said(event)
                case _:
                    self._told.append(replace(event, at=self.log.now()))
                    self._performer.note(self._told[-1])

        def listener(event: events.Event) -> None:  # on the agent's thread
            if isinstance(event, (events.WordSpoken, *_AGENT_EVENTS)):
                self._loop.call_soon_threadsafe(take, event)

        self._unsubscribe = log.subscribe(listener)

    @property
    def over(self) -> bool:
        """Whether the call has ended, or is about to."""
        return self.reason is not None

    # --- what REST tells ----------------------------------------------------------------------

    def describe(self) -> dict[str, object]:
        """Return the call as REST shows it."""
        return {
            "call_id": self.call_id,
            "agent_id": self.agent_id,
            "room_name": self.room.name,
            "from_number": self.from_number,
            "to_number": self.to_number,
            "status": self.status,
            "end_reason": self.reason if self.status == "ended" else None,
            "duration_secs": round(self.call.duration, 3),
            **self.times,
        }


def _wall_time() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
