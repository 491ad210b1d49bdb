"""The servers that agents connect to, in all their dialects, as one.

Runs on the platform's loop.
"""

from __future__ import annotations

import asyncio

from piopiy_lab.checks.arguments import check_count
from piopiy_lab.loopback.dispatch import Dispatcher
from piopiy_lab.loopback.gateway import GatewayServer
from piopiy_lab.loopback.peer import HOST
from piopiy_lab.loopback.signalling import WEBSOCKET_PATH, SignallingServer, TokenOf


class Signals:
    """Socket.IO and JSON over WebSocket on one port, and the gateway on another when asked for."""

    def __init__(
        self, dispatcher: Dispatcher, token_of: TokenOf, *, accept_ms: int, heartbeat_secs: int
    ) -> None:
        """Make them; they listen after :meth:`start`.

        Args:
            dispatcher: Knows the connected agents.
            token_of: Knows the agents' tokens.
            accept_ms: Milliseconds that a worker of the gateway has to accept a call.
            heartbeat_secs: Seconds between such a worker's heartbeats.
        """
        for name, count in {"accept_ms": accept_ms, "heartbeat_secs": heartbeat_secs}.items():
            check_count(name, count, least=1)
        self._dispatcher = dispatcher
        self._web = SignallingServer(dispatcher, token_of)
        self._gateway = GatewayServer(
            dispatcher, token_of, deadline_ms=accept_ms, heartbeat_secs=heartbeat_secs
        )

    async def start(self) -> None:
        """Listen; the gateway only if it did before."""
        await self._web.start()
        if self._gateway.port:
            self._gateway.start()

    async def stop(self) -> None:
        """Cut every connection and stop listening."""
        await self._web.stop()
        await self._gateway.stop()

    async def restart(self, down_secs: float) -> None:
        """Stop, and start again on the same ports after some seconds."""
        await self.stop()
        await asyncio.sleep(down_secs)
        await self.start()

    @property
    def url(self) -> str:
        """The Socket.IO server."""
        return f"http://{HOST}:{self._web.port}"

    @property
    def ws_url(self) -> str:
        """The JSON dialect."""
        return f"ws://{HOST}:{self._web.port}{WEBSOCKET_PATH}"

    def open_gateway(self) -> str:
        """Return the gateway's address; it listens from the first time on."""
        self._gateway.start()
        return f"grpc://{HOST}:{self._gateway.port}"

    @property
    def hosts(self) -> list[str]:
        """The addresses that they listen on."""
        return self._web.hosts

    async def send(
        self, event: str, payload: object, agent_id: str | None, dialect: str | None = None
    ) -> int:
        """Send something to the agents of an id; of all for None. Returns to how many."""
        agents = [a for a in self._dispatcher.of(agent_id) if dialect in (None, a.dialect)]
        for agent in agents:
            await agent.send(event, payload)
        return len(agents)
