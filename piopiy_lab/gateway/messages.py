"""The gateway's messages, as frozen records. Pure: no I/O, no thread, no clock.

The records below *are* the schema: a field's number and kind stand beside its name, and
:mod:`piopiy_lab.gateway.wire` makes protobuf of them. A field that was not sent has its zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Literal

#: The package of the schema, its service and the one method, a stream in both directions.
PACKAGE = "telecmi.agent.v1"
METHOD = f"/{PACKAGE}.AgentGateway/Connect"
#: What holds while the gateway has not said otherwise.
ACCEPT_DEADLINE_MS = 400
HEARTBEAT_SECS = 10
#: Calls that a worker takes at once unless it says how many.
USUAL_SESSIONS = 10

Kind = Literal["string", "uint32", "uint64", "bool", "enum", "message", "texts"]


@dataclass(frozen=True)
class Wire:
    """How a field goes over the wire: its number, its kind, and of what."""

    number: int
    kind: Kind
    of: type | None = None


class ServingState(IntEnum):
    """Whether a worker takes calls."""

    SERVING_STATE_UNSPECIFIED = 0
    SERVING = 1
    DRAINING = 2
    NOT_SERVING = 3


class RejectReason(IntEnum):
    """Why a worker declines a call."""

    REJECT_REASON_UNSPECIFIED = 0
    AT_CAPACITY = 1
    ROOM_JOIN_FAILED = 2
    CONFIG_ERROR = 3
    SHUTTING_DOWN = 4


def _text(number: int) -> str:
    return field(default="", metadata={"wire": Wire(number, "string")})


def _secret(number: int) -> str:
    return field(default="", repr=False, metadata={"wire": Wire(number, "string")})


def _number(number: int, kind: Kind = "uint32") -> int:
    return field(default=0, metadata={"wire": Wire(number, kind)})


def _flag(number: int) -> bool:
    return field(default=False, metadata={"wire": Wire(number, "bool")})


def _one_of(number: int, enum: type[IntEnum]) -> int:
    return field(default=0, metadata={"wire": Wire(number, "enum", enum)})


def _texts(number: int) -> dict[str, str]:
    return field(default_factory=dict[str, str], metadata={"wire": Wire(number, "texts")})


# --- what the worker says -------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Register:
    """Who the worker is. Its token is in the stream's metadata (``api_key`` is for older ones)."""

    agent_id: str = _text(1)
    api_key: str = _secret(2)
    instance_id: str = _text(3)
    max_sessions: int = _number(4)
    runtime: str = _text(5)
    labels: dict[str, str] = _texts(6)


@dataclass(frozen=True, kw_only=True)
class StatusUpdate:
    """How much the worker has to do, and whether it takes more."""

    active_sessions: int = _number(1)
    available_slots: int = _number(2)
    state: int = _one_of(3, ServingState)
    detail: str = _text(4)


@dataclass(frozen=True, kw_only=True)
class JobAccepted:
    """The worker is in the room: the caller may come. ``join_ms`` counts from the offer."""

    job_id: str = _text(1)
    room_name: str = _text(2)
    participant_identity: str = _text(3)
    join_ms: int = _number(4)


@dataclass(frozen=True, kw_only=True)
class JobRejected:
    """The worker doesn't take the call."""

    job_id: str = _text(1)
    reason: int = _one_of(2, RejectReason)
    detail: str = _text(3)


@dataclass(frozen=True, kw_only=True)
class JobCompleted:
    """The call is over."""

    job_id: str = _text(1)
    duration_ms: int = _number(2)
    error: bool = _flag(3)
    detail: str = _text(4)


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """A sign of life, with the wall clock's milliseconds."""

    sent_unix_ms: int = _number(1, "uint64")


# --- what the gateway says ------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The worker is known. Zeros mean that the usual values hold."""

    session_id: str = _text(1)
    heartbeat_interval_s: int = _number(2)
    accept_deadline_ms: int = _number(3)


@dataclass(frozen=True, kw_only=True)
class CallContext:
    """Who calls whom, and what came with the call."""

    call_uuid: str = _text(1)
    from_number: str = _text(2)
    to_number: str = _text(3)
    direction: str = _text(4)
    sip_headers: dict[str, str] = _texts(5)
    variables: dict[str, str] = _texts(6)


@dataclass(frozen=True, kw_only=True)
class JobAssignment:
    """A call on offer, and the room to join for it. The room's token never shows."""

    job_id: str = _text(1)
    room_name: str = _text(2)
    livekit_url: str = _text(3)
    access_token: str = _secret(4)
    accept_deadline_ms: int = _number(5)
    call: CallContext = field(
        default_factory=CallContext, metadata={"wire": Wire(6, "message", CallContext)}
    )
    trace_id: str = _text(7)


@dataclass(frozen=True, kw_only=True)
class JobCancel:
    """The call is taken back."""

    job_id: str = _text(1)
    reason: str = _text(2)


@dataclass(frozen=True, kw_only=True)
class Drain:
    """The worker shall take no more calls, let its calls end, and go."""

    grace_seconds: int = _number(1)


@dataclass(frozen=True, kw_only=True)
class HeartbeatAck:
    """The gateway's own sign of life."""

    sent_unix_ms: int = _number(1, "uint64")


FromWorker = Register | StatusUpdate | JobAccepted | JobRejected | JobCompleted | Heartbeat
FromGateway = Registered | JobAssignment | JobCancel | Drain | HeartbeatAck

#: The two envelopes: each holds one of these, under this name, numbered from 1 in this order.
ENVELOPES: dict[str, dict[str, type]] = {
    "WorkerMessage": {
        "register": Register,
        "status": StatusUpdate,
        "accepted": JobAccepted,
        "rejected": JobRejected,
        "completed": JobCompleted,
        "heartbeat": Heartbeat,
    },
    "DispatcherMessage": {
        "registered": Registered,
        "job": JobAssignment,
        "cancel": JobCancel,
        "drain": Drain,
        "hb_ack": HeartbeatAck,
    },
}


def wires_of(record: type) -> dict[str, Wire]:
    """Return how each field of a record goes over the wire, by its name."""
    return {each.name: each.metadata["wire"] for each in fields(record)}
