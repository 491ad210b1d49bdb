"""The signalling server: a real Socket.IO one, and the JSON dialect on the same port.

What it does with an agent is the same in both: check ``agent_id`` and ``token``, say why when it
says no, and send ``join_room`` and ``cancel_room``. Runs on the platform's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
from collections.abc import Callable
from typing import Any

import socketio
from aiohttp import WSCloseCode, WSMsgType, web
from socketio.exceptions import ConnectionRefusedError as RefusedError

from piopiy_lab.logs import safe_logger
from piopiy_lab.loopback.dispatch import AgentConnection, Dispatcher
from piopiy_lab.loopback.seams import background_tasks_of
from piopiy_lab.loopback.serving import WebServer

logger: logging.Logger = safe_logger(__name__)

#: Where the JSON dialect is served.
WEBSOCKET_PATH = "/agent"
#: Seconds that a client of the JSON dialect has to say who it is.
AUTH_SECS = 5.0

#: Returns the token of an agent id; None when there is no such agent.
TokenOf = Callable[[str], str | None]


def refusal(auth: object, token_of: TokenOf) -> str | None:
    """Return why an agent is refused; None when it isn't. Never holds a token."""
    if not isinstance(auth, dict):
        return 'no auth: send {"agent_id": ..., "token": ...}'
    agent_id, token = auth.get("agent_id"), auth.get("token")
    if not isinstance(agent_id, str) or not agent_id:
        return "auth has no agent_id"
    if not isinstance(token, str) or not token:
        return "auth has no token"
    right = token_of(agent_id)
    if right is None:
        return f"there is no agent {agent_id!r}"
    if not hmac.compare_digest(right.encode(), token.encode("utf-8", "replace")):
        return f"wrong token for agent {agent_id!r}"
    return None


class SignallingServer:
    """The platform's signalling; can be stopped and started again on the same port."""

    def __init__(self, dispatcher: Dispatcher, token_of: TokenOf) -> None:
        """Make a server; it listens after :meth:`start`.

        Args:
            dispatcher: Is told who is connected.
            token_of: Knows the agents' tokens.
        """
        self._dispatcher = dispatcher
        self._token_of = token_of
        self._web: WebServer | None = None
        self._server: socketio.AsyncServer | None = None
        self._background: set[asyncio.Task[object]] = set()  # python-engineio's own tasks
        self.port: int = 0  # written by the first start()

    async def start(self) -> None:
        """Listen; on the port of the last time, if there was one."""
        app = web.Application()
        self._server = server = socketio.AsyncServer(
            async_mode="aiohttp", cors_allowed_origins=[], logger=False, engineio_logger=False
        )
        self._background = background_tasks_of(server)
        by_sid: dict[str, AgentConnection] = {}

        async def connect(sid: str, environ: Any, auth: Any = None) -> None:
            if (reason := refusal(auth, self._token_of)) is not None:
                logger.info("signalling refused an agent: %s", reason)
                raise RefusedError(reason)

            async def send(event: str, data: object) -> None:
                await server.emit(event, data, to=sid)

            async def drop() -> None:
                await server.disconnect(sid)

            by_sid[sid] = AgentConnection(auth["agent_id"], "socket.io", send, drop)
            self._dispatcher.add(by_sid[sid])

        async def disconnect(sid: str, reason: object = None) -> None:
            if (connection := by_sid.pop(sid, None)) is not None:
                self._dispatcher.remove(connection)

        server.on("connect", connect)
        server.on("disconnect", disconnect)
        server.attach(app)
        app.router.add_get(WEBSOCKET_PATH, self._serve_websocket)
        self._web = WebServer(app, self.port)
        await self._web.start()
        self.port = self._web.port

    async def stop(self) -> None:
        """Drop every connection without a word and stop listening, as a killed server does."""
        if self._server is None or self._web is None:
            return
        self._web.abort_connections()
        for connection in self._dispatcher.connections:
            self._dispatcher.remove(connection)
        await self._server.shutdown()
        await self._web.stop()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        self._background.clear()
        self._server = self._web = None

    @property
    def hosts(self) -> list[str]:
        """The addresses that it listens on; none while it doesn't."""
        return [] if self._web is None else self._web.hosts

    # --- the JSON dialect ---------------------------------------------------------------------

    async def _serve_websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=20)
        await socket.prepare(request)
        auth: Any = None
        try:
            message = await socket.receive(timeout=AUTH_SECS)
            if message.type == WSMsgType.TEXT:
                record = json.loads(message.data)
                if isinstance(record, dict) and record.get("event") == "auth":
                    auth = record.get("data")
        except (TimeoutError, ValueError, RecursionError):
            pass  # auth is None: refused below, in words
        if (reason := refusal(auth, self._token_of)) is not None:
            logger.info("signalling refused an agent: %s", reason)
            if not socket.closed:
                await socket.send_json({"event": "refused", "data": {"reason": reason}})
                await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"refused")
            return socket

        async def send(event: str, data: object) -> None:
            if socket.closed:
                return
            with contextlib.suppress(ConnectionError):  # it goes away: the loop below sees it
                await socket.send_str(json.dumps({"event": event, "data": data}))

        async def drop() -> None:
            await socket.close()

        connection = AgentConnection(auth["agent_id"], "websocket", send, drop)
        await socket.send_json({"event": "ready", "data": {}})
        self._dispatcher.add(connection)
        try:
            async for _ in socket:
                pass  # the agent says nothing; its messages are read so that pings are answered
        finally:
            self._dispatcher.remove(connection)
        return socket
