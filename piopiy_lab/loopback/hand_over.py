"""A transfer on the platform's side: the caller is handed over, or nobody takes the call.

What becomes of it is told in the room, as data on the topic ``transfer_status``. Runs on the
platform's loop.
"""

from __future__ import annotations

import asyncio
import json
from typing import Protocol

from livekit.protocol import models

from piopiy_lab import events
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import EndReason
from piopiy_lab.loopback.room import Room

#: Seconds until the other side has answered (or not), and then until the caller leaves the room.
ANSWER_SECS, BRIDGE_SECS = 0.3, 0.2
TOPIC = "transfer_status"


class Transferable(Protocol):
    """The call whose caller is handed over."""

    call_id: str
    log: EventLog
    room: Room

    @property
    def status(self) -> str:
        """Either "ringing", "answered" or "ended"."""
        ...

    def end(self, reason: EndReason, error: BaseException | None = None) -> None:
        """End the call."""
        ...


class HandOver:
    """The transfers of one call, one at a time."""

    def __init__(self, call: Transferable) -> None:
        """Transfer nobody yet."""
        self._call = call
        self._timer: asyncio.TimerHandle | None = None  # the next moment of the one under way

    def start(self, to: str, outcome: str) -> str | None:
        """Begin to hand the caller over.

        Args:
            to: Whom to.
            outcome: "answered", or why not: "busy", "no_answer", "failed".

        Returns:
            Why it can't be done; None when it is under way.
        """
        call = self._call
        if call.status != "answered":
            return f"call {call.call_id!r} has not been answered"
        if self._timer is not None:
            return f"call {call.call_id!r} is being transferred already"
        call.log.append(events.TransferRequested(at=call.log.now(), to=to, cause="agent"))
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(ANSWER_SECS, self._finish, to, outcome)
        return None

    def close(self) -> None:
        """Give up what is under way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _finish(self, to: str, outcome: str) -> None:
        call, answered = self._call, outcome == "answered"
        self._timer = None
        call.log.append(
            events.TransferFinished(
                at=call.log.now(),
                to=to,
                status="transferred" if answered else "failed",
                error=None if answered else outcome,
            )
        )
        told = {"type": TOPIC, "call_id": call.call_id, "to": to, "status": outcome}
        user = models.UserPacket(payload=json.dumps(told).encode(), topic=TOPIC)
        call.room.send(models.DataPacket(kind=models.DataPacket.RELIABLE, user=user), None)
        if answered:  # the caller goes on with somebody else, a moment after the news
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(BRIDGE_SECS, call.end, "agent_ended")
