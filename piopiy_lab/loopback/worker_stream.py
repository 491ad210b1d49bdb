"""One worker of the gateway: what it is told in the words of the other dialects, and what it says.

Runs on the platform's loop.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import uuid
from collections.abc import Mapping

import grpc

from piopiy_lab.gateway.messages import (
    CallContext,
    Drain,
    FromGateway,
    FromWorker,
    Heartbeat,
    HeartbeatAck,
    JobAccepted,
    JobAssignment,
    JobCancel,
    JobCompleted,
    JobRejected,
    RejectReason,
    ServingState,
    StatusUpdate,
)
from piopiy_lab.gateway.wire import to_worker
from piopiy_lab.logs import safe_logger
from piopiy_lab.loopback.dispatch import AgentConnection
from piopiy_lab.redaction import told

logger: logging.Logger = safe_logger(__name__)


class WorkerStream:
    """One worker's stream. Made on gRPC's thread, used on the loop."""

    def __init__(self, token: str) -> None:
        """Take the token that came with the request."""
        self.token = token
        self.outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()  # None ends the stream
        self.refusal: tuple[grpc.StatusCode, str] | None = None
        self.connection: AgentConnection | None = None  # once it has registered
        self.deadline_ms = 0
        self._jobs: dict[str, str] = {}  # rooms by job
        self._open: dict[str, str] = {}  # the job on offer or at work, by room

    def send(self, message: FromGateway) -> None:
        """Send a message."""
        self.outbox.put(to_worker(message))

    def refuse(self, code: grpc.StatusCode, details: str) -> None:
        """End the stream with a reason."""
        self.refusal = (code, details)
        self.outbox.put(None)

    async def drop(self) -> None:
        """End the stream."""
        self.outbox.put(None)

    async def send_event(self, event: str, payload: object) -> None:
        """Say what the other dialects say, in this one's messages."""
        if isinstance(payload, bytes):  # a test's own
            self.outbox.put(payload)
            return
        found = payload if isinstance(payload, Mapping) else {}
        room = _text(found.get("room_name"))
        if event == "join_room":
            job_id = f"job-{uuid.uuid4().hex[:12]}"
            self._jobs[job_id], self._open[room] = room, job_id
            self.send(_assignment(job_id, found, self.deadline_ms))
        elif event == "cancel_room":
            job_id = self._open.pop(room, "")
            self._jobs.pop(job_id, None)
            self.send(JobCancel(job_id=job_id, reason=_text(found.get("reason")) or "taken back"))
        elif event == "drain":
            self.send(Drain(grace_seconds=int(found.get("grace_secs", 0))))

    def take(self, message: FromWorker | None) -> None:
        """Take what the worker says."""
        at = self.connection
        if at is None or message is None:
            return
        if isinstance(message, Heartbeat):
            self.send(HeartbeatAck(sent_unix_ms=message.sent_unix_ms))
            return
        at.said.append(message)
        match message:
            case StatusUpdate():
                at.serving = message.state == ServingState.SERVING
                at.free = message.available_slots
            case JobAccepted():
                self._accepted(at, message)
            case JobRejected():
                room = self._close(message.job_id)
                at.rooms.discard(room)
                at.declined = f"{_reason(message.reason)} {told(message.detail)}".strip()
                logger.info("a worker declined room %s: %s", room, at.declined)
            case JobCompleted():
                at.rooms.discard(self._close(message.job_id))
            case _:
                logger.warning("a worker registered twice: ignored")

    def _accepted(self, at: AgentConnection, message: JobAccepted) -> None:
        room = self._jobs.get(message.job_id, "")
        if room in at.rooms and self._open.get(room) == message.job_id:
            at.accepted.add(room)
        else:  # another worker has been asked by now
            logger.warning("a worker accepted %s too late", told(message.job_id, 80))
            self.send(JobCancel(job_id=message.job_id, reason="accepted too late"))

    def _close(self, job_id: str) -> str:
        room = self._jobs.pop(job_id, "")
        if self._open.get(room) == job_id:
            del self._open[room]
        return room


def _reason(number: int) -> str:
    try:
        return RejectReason(number).name
    except ValueError:  # of a later version
        return f"reason {number}"


def _assignment(job_id: str, of: Mapping[str, object], deadline_ms: int) -> JobAssignment:
    """Return a job for what ``join_room`` says."""
    metadata = of.get("metadata")
    with contextlib.suppress(ValueError):
        metadata = json.loads(metadata) if isinstance(metadata, str) else metadata
    variables = metadata if isinstance(metadata, Mapping) else {"metadata": metadata}
    return JobAssignment(
        job_id=job_id,
        room_name=_text(of.get("room_name")),
        livekit_url=_text(of.get("url")),
        access_token=_text(of.get("token")),
        accept_deadline_ms=deadline_ms,
        trace_id=_text(of.get("trace_id")),
        call=CallContext(
            call_uuid=_text(of.get("call_id")),
            from_number=_text(of.get("from_number")),
            to_number=_text(of.get("to_number")),
            direction=_text(of.get("direction")) or "inbound",
            sip_headers=_texts(of.get("sip_headers")),
            variables={**_texts(variables), **_texts(of.get("variables"))},
        ),
    )


def _texts(value: object) -> dict[str, str]:
    found = value if isinstance(value, Mapping) else {}
    return {_text(k): _text(v) for k, v in found.items() if v is not None}


def _text(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()
