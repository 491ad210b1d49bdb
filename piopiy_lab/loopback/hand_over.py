"""A transfer on the platform's side: it rings, and the caller is handed over or nobody takes it.

What becomes of it is told in the room, as data on the topic ``transfer_status``, and to whoever
asks REST. Runs on the platform's loop.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from typing import Protocol

from livekit.protocol import models

from piopiy_lab import events
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import EndReason, PhoneStatus, TransferProgress
from piopiy_lab.loopback.room import Room
from piopiy_lab.loopback.transfer_request import TransferRequest

#: Seconds until it rings, from then until somebody answers (or not), and from then until the
#: caller leaves the room.
STARTED_SECS, ANSWER_SECS, BRIDGE_SECS = 0.05, 0.3, 0.2
#: Seconds for which it is known how a transfer came out.
KEPT_SECS = 15 * 60.0
TOPIC = "transfer_status"
ANSWERED = "answered"


class Transferable(Protocol):
    """The call whose caller is handed over."""

    call_id: str
    agent_id: str
    log: EventLog
    room: Room

    @property
    def status(self) -> PhoneStatus:
        """Either "ringing", "answered" or "ended"."""
        ...

    def end(self, reason: EndReason, error: BaseException | None = None) -> None:
        """End the call."""
        ...


class HandOver:
    """One transfer, from its request to its end."""

    def __init__(self, call: Transferable, request: TransferRequest, outcome: str) -> None:
        """Begin it.

        Args:
            call: Whose caller is handed over.
            request: Whom to, and how.
            outcome: "answered", or the reason why nobody takes the call: "busy", say.
        """
        self.call, self.request, self._outcome = call, request, outcome
        self.request_id: str = f"tr-{uuid.uuid4().hex[:16]}"
        self.status: TransferProgress = "queued"  # then "completed" or "failed"
        self.reason: str | None = None  # why it failed
        self._settled_at: float | None = None  # on time.monotonic()'s clock
        call.log.append(events.TransferRequested(at=call.log.now(), to=request.to, cause="agent"))
        self._timer: asyncio.TimerHandle | None = None  # the next moment of it
        if request.blind:
            self._later(STARTED_SECS, self._leave)
        else:
            self._later(STARTED_SECS, self._ring)

    @property
    def under_way(self) -> bool:
        """Whether it rings, or the caller is about to go."""
        return self.status != "failed"

    @property
    def known(self) -> bool:
        """Whether the platform still knows of it."""
        return self._settled_at is None or time.monotonic() - self._settled_at < KEPT_SECS

    def describe(self) -> dict[str, object]:
        """Return it as REST shows it."""
        told: dict[str, object] = {
            "request_id": self.request_id,
            "call_id": self.call.call_id,
            "status": self.status,
        }
        return told if self.reason is None else {**told, "reason": self.reason}

    def close(self) -> None:
        """The call is over: nobody is handed over any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.status == "queued":
            self._note("failed", "the caller hung up")

    # --- its moments ---------------------------------------------------------------------------

    def _ring(self) -> None:
        call = self.call
        at = call.log.now()
        call.log.append(
            events.TransferStarted(at=at, to=self.request.to, request_id=self.request_id)
        )
        self._tell("started")
        unheard = self._outcome == "no_answer" and self.request.ring_secs
        self._later(unheard or ANSWER_SECS, self._answer)

    def _answer(self) -> None:
        """Somebody has answered, or nobody will."""
        if self._outcome == ANSWERED:
            self._settle("completed")
            self._later(BRIDGE_SECS, self.call.end, "agent_ended")
        else:
            self._settle("failed", self._outcome)

    def _leave(self) -> None:
        """The caller is taken out of the call before anybody has answered."""
        if self._outcome == ANSWERED:
            self._settle("completed")
        else:
            self._settle("failed", self._outcome)
        self.call.end("agent_ended")

    def _settle(self, status: TransferProgress, reason: str | None = None) -> None:
        self.reason = reason
        self._note(status, reason)
        self._tell(status)

    def _note(self, status: TransferProgress, error: str | None) -> None:
        self.status, self._settled_at = status, time.monotonic()
        log = self.call.log
        log.append(
            events.TransferFinished(
                at=log.now(),
                to=self.request.to,
                status="failed" if status == "failed" else "transferred",
                error=error,
                request_id=self.request_id,
            )
        )

    def _tell(self, status: TransferProgress) -> None:
        """Tell the room."""
        told = {"type": TOPIC, **self.describe(), "status": status}
        user = models.UserPacket(payload=json.dumps(told).encode(), topic=TOPIC)
        packet = models.DataPacket(kind=models.DataPacket.RELIABLE, user=user)
        self.call.room.send(packet, None)

    def _later(self, secs: float, moment: Callable[..., None], *arguments: str) -> None:
        self._timer = asyncio.get_running_loop().call_later(secs, moment, *arguments)
