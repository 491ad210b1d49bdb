"""The gateway's jobs: a call on offer is accepted once its room is joined, in time, or not at all.

Runs on the agent's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from logging import Logger
from typing import Literal, Protocol

from piopiy_lab import events
from piopiy_lab.call.call import Call
from piopiy_lab.errors import RoomError
from piopiy_lab.events.log import EventLog
from piopiy_lab.gateway.messages import (
    FromWorker,
    JobAccepted,
    JobCompleted,
    JobRejected,
    RejectReason,
)
from piopiy_lab.logs import safe_logger
from piopiy_lab.redaction import told
from piopiy_lab.telephony.signalling.invites import Refusal

log: Logger = safe_logger("piopiy_lab.agent")

#: Characters of a reason that are sent.
MAX_DETAIL = 200
#: What a refusal is called at the gateway.
_REASONS: dict[Refusal, RejectReason] = {
    "closing": RejectReason.SHUTTING_DOWN,
    "full": RejectReason.AT_CAPACITY,
    "loading": RejectReason.AT_CAPACITY,
    "joined": RejectReason.ROOM_JOIN_FAILED,
    "late": RejectReason.ROOM_JOIN_FAILED,
    "unreadable": RejectReason.CONFIG_ERROR,
}

#: "answered" once the worker was in the room in time and has said so.
JobState = Literal["offered", "answered", "over"]


class JobLink(Protocol):
    """The stream that an offer came by."""

    is_open: bool

    def send(self, message: FromWorker) -> None:
        """Say something."""
        ...


class Job:
    """One offer; an :class:`~piopiy_lab.telephony.signalling.invites.Offer`."""

    def __init__(
        self,
        job_id: str,
        room_name: str,
        link: JobLink,
        deadline_ms: int,
        *,
        came_at: float,
        withdraw: Callable[[Job], None],
        on_change: Callable[[Job, JobCompleted | None], None],
    ) -> None:
        """Take an offer; the time runs.

        Args:
            job_id: The gateway's name of it.
            room_name: The room.
            link: How it came. It is answered there and nowhere else: another stream is another
                offer.
            deadline_ms: Milliseconds from its coming in which to be in the room.
            came_at: The loop's time at which it came.
            withdraw: Ends its session, and leaves the room.
            on_change: Told when it is answered or over, and when its session is; with what to
                report of a call that was answered and has ended.
        """
        self.job_id = job_id
        self.state: JobState = "offered"
        self._room_name = room_name
        self._link = link
        self._deadline_ms = deadline_ms
        self._withdraw = withdraw
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._offered_at = came_at
        self._answered_at = 0.0
        self._timer = self._loop.call_at(came_at + deadline_ms / 1000, self._too_late)
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def is_ours(self) -> bool:
        """Whether the call is this worker's, to hang up say; before the answer it is nobody's."""
        return self.state == "answered"

    @property
    def is_late(self) -> bool:
        """Whether its time was over before it was looked at."""
        return self._join_ms() > self._deadline_ms

    @property
    def is_lost(self) -> bool:
        """Whether it waits for an answer that can't be given: its stream is gone."""
        return self.state == "offered" and not self._link.is_open

    # --- what becomes of its session ----------------------------------------------------------

    def refused(self, why: Refusal, detail: str = "") -> None:
        """There is no session for it."""
        self._reject(_REASONS[why], detail)

    def began(self, call_log: EventLog) -> None:
        """Its session runs: it is answered when that has joined the room."""
        if self.state == "offered":
            self._unsubscribe = call_log.subscribe(self._heard)

    def ended(self, call: Call) -> None:
        """Its session is over."""
        error = call.error
        detail = "" if error is None else told(f"{type(error).__name__}: {error}", MAX_DETAIL)
        if self.state == "offered":
            reason = (
                RejectReason.ROOM_JOIN_FAILED
                if isinstance(error, RoomError)
                else RejectReason.CONFIG_ERROR
            )
            self._reject(reason, detail or "the session ended and had joined no room")
        elif self.state == "answered":
            secs = self._loop.time() - self._answered_at
            self._over(
                JobCompleted(
                    job_id=self.job_id,
                    duration_ms=round(secs * 1000),
                    error=error is not None,
                    detail=detail,
                )
            )
        else:
            self._on_change(self, None)  # there is room for another one

    def drop(self) -> None:
        """Leave its room, and say nothing more of it: it was taken back, or its stream is gone."""
        if self.state != "over":
            self._over()
            self._withdraw(self)

    # --- inside -------------------------------------------------------------------------------

    def _heard(self, event: events.Event) -> None:
        if isinstance(event, events.RoomJoined) and self.state == "offered":
            self._joined(event.identity)

    def _joined(self, identity: str) -> None:
        join_ms = self._join_ms()
        if join_ms > self._deadline_ms:
            self._too_late()
        elif not self._link.is_open:
            log.warning(
                "room %r: the gateway was lost before its call was accepted: the room is left",
                self._room_name,
            )
            self.drop()
        else:
            self._settle("answered")
            self._answered_at = self._loop.time()
            self._link.send(
                JobAccepted(
                    job_id=self.job_id,
                    room_name=self._room_name,
                    participant_identity=identity,
                    join_ms=join_ms,
                )
            )
            log.info("room %r: accepted, joined in %d ms", self._room_name, join_ms)
            self._on_change(self, None)

    def _join_ms(self) -> int:
        return round((self._loop.time() - self._offered_at) * 1000)

    def _too_late(self) -> None:
        """Give the call up: it is another worker's by now, and two must not be in one room."""
        if self.state != "offered":
            return
        log.warning(
            "room %r was not joined within %d ms: its call is not accepted, and the room left; "
            "models that load in create_session take that time: load them before (warm_up=)",
            self._room_name,
            self._deadline_ms,
        )
        self._reject(
            RejectReason.ROOM_JOIN_FAILED, f"not in the room within {self._deadline_ms} ms"
        )
        self._withdraw(self)

    def _reject(self, reason: RejectReason, detail: str) -> None:
        if self.state == "offered":
            self._link.send(JobRejected(job_id=self.job_id, reason=reason, detail=detail))
            self._over()

    def _over(self, report: JobCompleted | None = None) -> None:
        self._settle("over")
        self._on_change(self, report)

    def _settle(self, state: JobState) -> None:
        self.state = state
        self._timer.cancel()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
