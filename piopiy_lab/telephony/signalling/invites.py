"""Reading the server's messages. Pure: no I/O, no thread, no clock.

Whatever a message holds, the outcome is an :class:`Invite`, a room's name, or an
``ArgumentError`` that says what is wrong with it, without its token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from piopiy_lab.call.call import Call
from piopiy_lab.errors import ArgumentError
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import Direction
from piopiy_lab.gateway.messages import JobAssignment
from piopiy_lab.session.callback import parse_metadata

#: Longest name of a room, a call or a number, in characters.
MAX_NAME = 512
#: Longest metadata that is parsed, in characters; a longer text stays a text.
MAX_METADATA = 256 * 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


#: Why there is no session for a call: the agent is shutting down, has its ``max_sessions``, or
#: loads its models; it is in that room already, or was too busy to look; the message can't be
#: understood.
Refusal = Literal["closing", "full", "loading", "joined", "late", "unreadable"]


class Offer(Protocol):
    """Who wants to know what becomes of an invite. Called on the agent's loop."""

    @property
    def is_ours(self) -> bool:
        """Whether the call is this agent's, to hang up say."""
        ...

    def refused(self, why: Refusal, detail: str = "") -> None:
        """There is no session for it."""
        ...

    def began(self, call_log: EventLog) -> None:
        """Its session runs."""
        ...

    def ended(self, call: Call) -> None:
        """Its session is over."""
        ...


@dataclass(frozen=True, kw_only=True)
class Invite:
    """A call that is there for this agent. The token never shows."""

    room_name: str
    token: str = field(repr=False)
    url: str | None  # the room's server; None lets the agent's own default stand
    call_id: str | None
    agent_id: str | None
    from_number: str | None
    to_number: str | None
    metadata: object
    direction: Direction | None = None
    variables: Mapping[str, str] | None = None
    sip_headers: Mapping[str, str] | None = None
    trace_id: str | None = None
    offer: Offer | None = field(default=None, repr=False, compare=False)  # None: nobody asks


def read_invite(payload: object) -> Invite:
    """Read a ``join_room`` message.

    Raises:
        ArgumentError: It is no object, the room's name or token is missing or no text, or the
            address is none. Fields that a call can do without are left out when they are
            nonsense.
    """
    if not isinstance(payload, dict):
        raise ArgumentError(f"join_room brought {_kind(payload)} where an object was due")
    room_name = read_room_name(payload, "join_room")
    token = payload.get("token")
    if not isinstance(token, str) or not token.strip():
        raise ArgumentError(f"join_room for {room_name!r} brought no token")
    url = payload.get("url")
    if url is not None and not (isinstance(url, str) and _is_room_url(url)):
        raise ArgumentError(
            f"join_room for {room_name!r}: its url ({_kind(url)}) is no wss:// address"
        )
    metadata = payload.get("metadata")
    if isinstance(metadata, str) and len(metadata) > MAX_METADATA:
        parsed: object = metadata
    else:
        try:
            parsed = parse_metadata(metadata)
        except RecursionError:  # brackets nested past Python's patience: it stays a text
            parsed = metadata
    return Invite(
        room_name=room_name,
        token=token.strip(),
        url=url,
        call_id=_name(payload.get("call_id")),
        agent_id=_name(payload.get("agent_id")),
        from_number=_name(payload.get("from_number")),
        to_number=_name(payload.get("to_number")),
        metadata=parsed,
    )


def read_job(job: JobAssignment, offer: Offer) -> Invite:
    """Read a job of the gateway's.

    Raises:
        ArgumentError: Its room has no name, no token or no address. What else is nonsense is left
            out.
    """
    room_name = read_room_name({"room_name": job.room_name}, "a job")
    if not job.access_token.strip():
        raise ArgumentError(f"the job for {room_name!r} brought no token")
    if not _is_room_url(job.livekit_url):
        raise ArgumentError(f"the job for {room_name!r}: its livekit_url is no wss:// address")
    call = job.call
    variables = dict(call.variables)
    return Invite(
        room_name=room_name,
        token=job.access_token.strip(),
        url=job.livekit_url,
        call_id=_name(call.call_uuid),
        agent_id=None,
        from_number=_name(call.from_number),
        to_number=_name(call.to_number),
        metadata=variables or None,  # what a session for Socket.IO's invites finds there
        direction=_DIRECTIONS.get(call.direction.strip().lower()),
        variables=variables,
        sip_headers=dict(call.sip_headers),
        trace_id=_name(job.trace_id),
        offer=offer,
    )


_DIRECTIONS: dict[str, Direction] = {"": "inbound", "inbound": "inbound", "outbound": "outbound"}


def _is_room_url(url: str) -> bool:
    return re.match(r"(wss?|https?)://[^\s/]+", url) is not None and not _bad(url)


def read_room_name(payload: object, event: str = "cancel_room") -> str:
    """Read the room's name of a message.

    Raises:
        ArgumentError: There is none.
    """
    name = payload.get("room_name") if isinstance(payload, dict) else None
    if not isinstance(name, str) or not name.strip():
        what = _brief(name) if isinstance(payload, dict) else _kind(payload)
        raise ArgumentError(f"{event} brought no room_name ({what})")
    if len(name) > MAX_NAME or _bad(name):
        raise ArgumentError(f"{event}: {_brief(name)} can't be a room's name")
    return name


def _name(value: object) -> str | None:
    """Return an optional name or number as a text; None for nonsense."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value) if isinstance(value, str) or abs(value) < 10**20 else ""
    text = _CONTROL.sub("", text).strip()
    return text if 0 < len(text) <= MAX_NAME and not _bad(text) else None


def _bad(text: str) -> bool:
    if _CONTROL.search(text):
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: no UTF-8, so no log line and no file
        return True
    return False


def _kind(value: object) -> str:
    """Return what a value is, and nothing of what it holds: it may hold a token."""
    return "nothing" if value is None else f"a {type(value).__name__}"


def _brief(value: object) -> str:
    """Return the beginning of a text, and the kind of anything else."""
    if isinstance(value, str):
        return f"{ascii(value[:40])}{'…' if len(value) > 40 else ''}"
    return _kind(value)
