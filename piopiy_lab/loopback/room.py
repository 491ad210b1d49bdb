"""A room: who is in it, and what each of them is told and hears of the others.

Runs on the platform's loop.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Protocol

from livekit.protocol import models

from piopiy_lab.loopback.audio import Fan
from piopiy_lab.loopback.link import Link


class Participant(Protocol):
    """Somebody in a room: a client over WebRTC, or the scripted caller."""

    identity: str

    def info(self) -> models.ParticipantInfo:
        """Return what the others are told."""
        ...

    def told(self, other: models.ParticipantInfo) -> None:
        """Somebody joined, changed or left."""
        ...

    def hears(self, who: models.ParticipantInfo, track_sid: str, fan: Fan) -> None:
        """Somebody's audio can be heard."""
        ...

    def gets(self, packet: models.DataPacket) -> None:
        """Somebody sent data."""
        ...


class Room:
    """The participants of one room, and the link that clients reach it over."""

    def __init__(self, name: str, link: Link) -> None:
        """Make an empty room.

        Args:
            name: Its name.
            link: What its clients' packets go over.
        """
        self.name = name
        self.sid: str = f"RM_{name}"
        self.link = link
        self.created_at: int = int(time.time())
        self.participants: dict[str, Participant] = {}  # by identity
        self.closed = False
        #: Called with a participant that has joined or left, and whether it is there now.
        self.on_change: list[Callable[[Participant, bool], None]] = []
        self._published: dict[str, tuple[Participant, Fan]] = {}  # by track sid
        self._numbers = itertools.count(1)

    def new_sid(self, kind: str) -> str:
        """Return an id that is unique in this room: "PA_...", "TR_..."."""
        return f"{kind}_{self.name}_{next(self._numbers)}"

    def model(self) -> models.Room:
        """Return the room as LiveKit describes it."""
        return models.Room(
            sid=self.sid,
            name=self.name,
            creation_time=self.created_at,
            num_participants=len(self.participants),
        )

    def others(self, identity: str) -> list[models.ParticipantInfo]:
        """Return what a participant is told of the others when it joins."""
        return [p.info() for p in self.participants.values() if p.identity != identity]

    def enter(self, participant: Participant) -> None:
        """Let somebody in, tell the others, and let it hear what they publish."""
        self.participants[participant.identity] = participant
        self.changed(participant)
        for track_sid, (publisher, fan) in self._published.items():
            if publisher is not participant:
                participant.hears(publisher.info(), track_sid, fan)
        for listener in list(self.on_change):
            listener(participant, True)

    def leave(
        self,
        participant: Participant,
        reason: models.DisconnectReason = models.DisconnectReason.CLIENT_INITIATED,
    ) -> None:
        """Let somebody go and tell the others; nothing happens for one who isn't there."""
        if self.participants.get(participant.identity) is not participant:
            return
        del self.participants[participant.identity]
        for track_sid, (publisher, _) in list(self._published.items()):
            if publisher is participant:
                del self._published[track_sid]
        info = participant.info()
        info.state = models.ParticipantInfo.DISCONNECTED
        info.disconnect_reason = reason
        for other in list(self.participants.values()):
            other.told(info)
        for listener in list(self.on_change):
            listener(participant, False)

    def changed(self, participant: Participant) -> None:
        """Tell the others how a participant is now."""
        info = participant.info()
        for other in list(self.participants.values()):
            if other is not participant:
                other.told(info)

    def publish(self, participant: Participant, track_sid: str, fan: Fan) -> None:
        """Let the others hear a track."""
        self._published[track_sid] = (participant, fan)
        for other in list(self.participants.values()):
            if other is not participant:
                other.hears(participant.info(), track_sid, fan)

    def send(self, packet: models.DataPacket, sender: Participant | None) -> None:
        """Send data to everybody else, or to those the packet names.

        Args:
            packet: What to send; who sent it is written into it.
            sender: None for the platform itself, whose data has no sender.
        """
        if sender is not None:
            info = sender.info()
            packet.participant_identity = info.identity
            packet.participant_sid = info.sid
        wanted = set(packet.destination_identities)
        if packet.WhichOneof("value") == "user":
            wanted |= set(packet.user.destination_identities)
            if sender is not None:
                packet.user.participant_identity = sender.identity
        for other in list(self.participants.values()):
            if other is not sender and (not wanted or other.identity in wanted):
                other.gets(packet)
