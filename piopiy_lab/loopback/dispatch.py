"""Which of the connected agents gets a call: the one with the fewest rooms, in turn.

Pure: no I/O, no clock. Used on the platform's loop.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any

_numbers = itertools.count(1)


@dataclass(eq=False)
class AgentConnection:
    """One agent that is connected to the signalling server.

    Attributes:
        agent_id: Who it says it is, and has shown the token of.
        dialect: "socket.io" or "websocket".
        send: Sends it an event and its data.
        drop: Ends the connection.
        rooms: Names of the rooms it was given and that have not ended.
        number: Counts the connections of this process, from 1.
    """

    agent_id: str
    dialect: str
    send: Callable[[str, Any], Awaitable[None]] = field(repr=False)
    drop: Callable[[], Awaitable[None]] = field(repr=False)
    rooms: set[str] = field(default_factory=set)
    number: int = field(default_factory=lambda: next(_numbers))


class Dispatcher:
    """The connected agents, and who gets the next room."""

    def __init__(self) -> None:
        """Begin without agents."""
        self._connections: list[AgentConnection] = []  # the one served longest ago first
        #: Called when an agent has come or gone.
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
        self._changed()

    def remove(self, connection: AgentConnection) -> None:
        """Forget an agent that is gone; twice does no harm."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._changed()

    def choose(
        self, agent_id: str, besides: Collection[AgentConnection] = ()
    ) -> AgentConnection | None:
        """Return who gets the next room of an agent id; None when nobody is there.

        Args:
            agent_id: Whose call it is.
            besides: Connections that had their chance.
        """
        able = [c for c in self._connections if c.agent_id == agent_id and c not in besides]
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

    def _changed(self) -> None:
        for listener in list(self.on_change):
            listener()
