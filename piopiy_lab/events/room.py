"""The phone's room: who is in it, what was sent through it, and how its link does."""

from __future__ import annotations

from dataclasses import dataclass

from piopiy_lab.events.base import Event


@dataclass(frozen=True, kw_only=True)
class RoomJoined(Event):
    """The agent is in the call's room; the caller may be there or still come."""

    room: str
    identity: str  # the agent's, in the room


@dataclass(frozen=True, kw_only=True)
class ParticipantJoined(Event):
    """Somebody is in the room."""

    identity: str
    kind: str  # "sip", "standard", "agent", "egress", ...
    caller: bool  # whether this is the one whose leaving ends the call


@dataclass(frozen=True, kw_only=True)
class ParticipantLeft(Event):
    """Somebody has left the room."""

    identity: str
    caller: bool


@dataclass(frozen=True, kw_only=True)
class DataReceived(Event):
    """Somebody sent data through the room."""

    topic: str | None
    sender: str | None  # an identity; None for the platform itself
    text: str  # as UTF-8, cut to 2000 characters; what is no text has replacement characters


@dataclass(frozen=True, kw_only=True)
class RoomLinkLost(Event):
    """The link to the room broke; it is tried to mend it, and nothing is heard meanwhile."""


@dataclass(frozen=True, kw_only=True)
class RoomLinkRestored(Event):
    """The link to the room works again."""

    secs: float  # how long it was broken
