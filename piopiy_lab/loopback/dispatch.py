"""Which of the connected agents gets a call: the one with the fewest rooms, in turn.

Pure: no I/O, no clock. Used on the platform's loop.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from piopiy_lab.gateway.messages import FromWorker

_numbers = itertools.count(1)


@dataclass(eq=False)
class AgentConnection:
    """One agent that is connected to the signalling server.

    Attributes:
        agent_id: Who it says it is, and has shown the token of.
        dialect: "socket.io", "websocket" or "gateway".
        send: Sends it an event and its data.
        drop: Ends the connection.
        rooms: Names of the rooms it was given and that have not ended.
        number: Counts the connections of this process, from 1.
        answers: Whether it says which rooms it takes; else being in the room is the answer.
        accepted: Of its rooms those that it has said to take.
        declined: Why it declined a room, the last time.
        capacity: How many rooms it takes at once; None for any number.
        serving: Whether it takes any.
        free: How many more it has said to take; None if it hasn't.
        offer_secs: Seconds that it has to take a room; None for as long as the platform says.
        said: What it has said, the latest messages; no heartbeats.
    """

    agent_id: str
    dialect: str
    send: Callable[[str, Any], Awaitable[None]] = field(repr=False)
    drop: Callable[[], Awaitable[None]] = field(repr=False)
    rooms: set[str] = field(default_factory=set)
    number: int = field(default_factory=lambda: next(_numbers))
    answers: bool = False
    accepted: set[str] = field(default_factory=set[str])
    declined: str = ""
    capacity: int | None = None
    serving: bool = True
    free: int | None = None
    offer_secs: float | None = None
    said: deque[FromWorker] = field(default_factory=lambda: deque(maxlen=1000), repr=False)

    @property
    def takes_more(self) -> bool:
        """Whether it can be offered a room."""
        full = self.capacity is not None and len(self.rooms) >= self.capacity
        return self.serving and not full and self.free != 0


class Dispatcher:
    """The connected agents, and who gets the next room."""

    def __init__(self) -> None:
        """Begin without agents."""
        self._connections: list[AgentConnection] = []  # the one served longest ago first
        #: Called when an agent has come or gone, or has said something.
        self.on_change: list[Callable[[], None]] = []

    @property
    def connections(self) -> list[AgentConnection]:
        """The connected agents, in the order in which they connected."""
        return sorted(self._connections, key=lambda connection: connection.number)

    def of(self, agent_id: str | None) -> list[AgentConnection]:
        """Return the connections of an agent id; of every one for None."""
        return [c for c in self.connections if agent_id is None or c.agent_id == agent_id]

    def add(self, connection: AgentConnection) -> None:
        """Take a connected agent in."""
        self._connections.append(connection)
        self.changed()

    def remove(self, connection: AgentConnection) -> None:
        """Forget an agent that is gone; twice does no harm."""
        if connection in self._connections:
            self._connections.remove(connection)
            self.changed()

    def choose(
        self, agent_id: str, besides: Collection[AgentConnection] = ()
    ) -> AgentConnection | None:
        """Return who gets the next room of an agent id; None when nobody is there.

        Args:
            agent_id: Whose call it is.
            besides: Connections that had their chance.
        """
        able = [
            c
            for c in self._connections
            if c.agent_id == agent_id and c.takes_more and c not in besides
        ]
        if not able:
            return None
        chosen = min(able, key=lambda connection: len(connection.rooms))
        self._connections.remove(chosen)
        self._connections.append(chosen)
        return chosen

    def holder(self, room_name: str) -> AgentConnection | None:
        """Return who was given a room."""
        return next((c for c in self._connections if room_name in c.rooms), None)

    def release(self, room_name: str) -> None:
        """Forget a room that has ended."""
        for connection in self._connections:
            connection.rooms.discard(room_name)
            connection.accepted.discard(room_name)

    def changed(self) -> None:
        """Tell whoever listens that an agent has come, gone, or said something."""
        for listener in list(self.on_change):
            listener()
