"""The sessions of an Agent: one task for each room, whatever order the messages come in.

Everything here runs on the agent's loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from logging import Logger

from piopiy_lab.call.call import Call
from piopiy_lab.checks.threads import SameThread
from piopiy_lab.hosting.host import CallHost
from piopiy_lab.logs import safe_logger
from piopiy_lab.telephony.call_maker import CallMaker
from piopiy_lab.telephony.signalling.invites import Invite, Offer, Refusal

log: Logger = safe_logger("piopiy_lab.agent")


class RoomSession:
    """One call in one room."""

    def __init__(self, invite: Invite, host: CallHost) -> None:
        """Hold a call; it isn't running yet."""
        self.invite = invite
        self.host = host
        self.task: asyncio.Task[None] | None = None  # written by RoomSessions, once
        self.cancelled = False  # the server has taken the call back
        self.next: Invite | None = None  # the same room, invited again while this one winds down


class RoomSessions:
    """Starts, refuses and cancels sessions."""

    def __init__(
        self,
        calls: CallMaker,
        *,
        max_sessions: int | None,
        keep_calls: int,
    ) -> None:
        """Make an empty collection.

        Args:
            calls: Makes the call of an invite, and is told of each session that failed.
            max_sessions: How many may run at once; None for any number.
            keep_calls: How many ended calls are kept to look at.
        """
        self._calls = calls
        self._max = max_sessions
        self._rooms: dict[str, RoomSession] = {}
        self._ended: deque[Call] = deque(maxlen=keep_calls)
        self._closing = True  # no (more) sessions; written by open() and end()
        self._here: SameThread | None = None  # the agent's loop; written by open()
        self._hurry: asyncio.Event | None = None  # cuts a drain short; written by open()
        self.started = self.refused = self.failed = 0  # how many, since the beginning
        self.changes = 0  # grows with every change, for views that pull

    @property
    def calls(self) -> list[Call]:
        """The calls kept, oldest first: ended ones, then those that run."""
        return [*self._ended, *(session.host.call for session in list(self._rooms.values()))]

    @property
    def rooms(self) -> list[str]:
        """The names of the rooms that have a session."""
        return list(self._rooms)

    @property
    def running(self) -> int:
        """How many sessions run."""
        return len(self._rooms)

    def invite(self, invite: Invite) -> None:
        """Start a session, unless the room has one, the limit is reached, or we are closing."""
        assert self._here is None or self._here(), "only on the agent's loop"
        room = invite.room_name
        if (known := self._rooms.get(room)) is not None:
            if known.cancelled and not self._closing:
                known.next = invite
            else:
                log.warning("room %r is invited again while its session runs: ignored", room)
                _refuse(invite, "joined", "this worker is in that room")
            return
        if self._closing:
            self.refused += 1
            log.warning("room %r is refused: the agent is shutting down", room)
            _refuse(invite, "closing")
        elif self._max is not None and len(self._rooms) >= self._max:
            self.refused += 1
            log.warning(
                "room %r is refused: %d sessions run, and max_sessions=%d",
                room,
                len(self._rooms),
                self._max,
            )
            _refuse(invite, "full", f"{len(self._rooms)} of {self._max} sessions run")
        else:
            self._start(invite)
        self.changes += 1

    def cancel(self, room: str) -> None:
        """End the session of a room, because the server has taken the call back."""
        assert self._here is None or self._here(), "only on the agent's loop"
        session = self._rooms.get(room)
        if session is None:
            log.info("room %r is cancelled and has no session: nothing to do", room)
            return
        session.next = None
        if not session.cancelled:
            session.cancelled = True
            log.info("room %r is cancelled", room)
            session.host.hand_over()  # before its session began, too: on_call_start may still run
            session.host.end("cancelled")

    def withdraw(self, offer: Offer) -> None:
        """End the session of an offer, if there is one; what else was said of its room stands."""
        for room, session in list(self._rooms.items()):
            if session.invite.offer is offer:
                again = session.next
                self.cancel(room)
                session.next = again
            elif session.next is not None and session.next.offer is offer:
                session.next = None

    def _start(self, invite: Invite) -> None:
        session = RoomSession(invite, self._calls.make(invite))
        self._rooms[invite.room_name] = session
        self.started += 1
        log.info("room %r: session started (%d running)", invite.room_name, len(self._rooms))
        if invite.offer is not None:
            invite.offer.began(session.host.log)
        session.task = asyncio.create_task(
            self._run(session), name=f"piopiy_lab.room.{invite.room_name[:60]}"
        )

    async def _run(self, session: RoomSession) -> None:
        room, host = session.invite.room_name, session.host
        try:
            await self._calls.began(host.call)
            await host.run()
            await self._calls.ended(host.call)
        except Exception as error:  # a defect of ours: no other call may suffer from it
            host.end_log("error", error)
        finally:
            if self._rooms.get(room) is session:  # and never the room's next session
                del self._rooms[room]
            self._ended.append(host.call)
            self.changes += 1
        log.info("room %r: session ended (%s)", room, host.call.end_reason)
        if host.error is not None:
            self.failed += 1
            self._calls.report(room, host.error)
        if session.invite.offer is not None:
            session.invite.offer.ended(host.call)
        if session.next is not None and not self._closing:
            self.invite(session.next)

    def open(self) -> None:
        """Take invites again, on the loop that runs here."""
        self._here = SameThread()
        self._closing = False
        self._hurry = asyncio.Event()

    def hurry(self, grace: float) -> None:
        """Let a drain that is under way last ``grace`` seconds more at the most."""
        if self._hurry is not None:
            asyncio.get_running_loop().call_later(min(grace, 1e6), self._hurry.set)

    async def end(self, grace: float) -> None:
        """Take no more invites, let calls drain for ``grace`` seconds, then end the rest."""
        self._closing = True
        if self._rooms and grace > 0 and self._hurry is not None:
            hurried = asyncio.create_task(self._hurry.wait())
            drained = asyncio.create_task(self._drained())
            try:
                await asyncio.wait(
                    (hurried, drained),
                    timeout=min(grace, 1e6),
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                hurried.cancel()
                drained.cancel()
        for session in list(self._rooms.values()):
            session.cancelled = True
            session.host.end("cancelled")
            session.host.hurry()
        if tasks := self._tasks():
            await asyncio.wait(tasks)

    async def _drained(self) -> None:
        while tasks := self._tasks():
            await asyncio.wait(tasks)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [session.task for session in self._rooms.values() if session.task is not None]


def _refuse(invite: Invite, why: Refusal, detail: str = "") -> None:
    if invite.offer is not None:
        invite.offer.refused(why, detail)
