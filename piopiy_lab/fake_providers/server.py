"""What the fake providers share: an HTTP server on loopback, its connections, and a record.

How it works: one aiohttp server per provider, on 127.0.0.1 and a free port, on the loop of whoever
opens it. Opened inside ``create_session`` of a simulation it lives on the same virtual loop as the
client, so its delays are virtual time and the call is the same every time.

Everything here runs on the loop that the provider was opened on.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from aiohttp import WSMsgType, web

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.fake_providers.scenario import Scenario

#: What stands in a message in place of JSON; see `Scenario.malformed`.
MALFORMED = '{"type": "Results", "chan'


@dataclass(frozen=True)
class Received:
    """One thing that the client sent.

    Attributes:
        connection: Which connection (or HTTP request) it came on, counted from 1.
        at: Seconds since the provider was opened.
        kind: The message's own type, "audio" for bytes, "connect" for the handshake (its message
            is the query).
        message: What was sent, JSON read; for audio the number of bytes. Headers are never kept.
    """

    connection: int
    at: float
    kind: str
    message: Any = field(repr=False)


class FakeProvider:
    """A provider on loopback, as an async context manager.

    Attributes:
        key: The one key that is accepted; any other is answered as the provider answers it.
        scenario: How it behaves. Assign another one at any time; it acts from the next connection
            or request.
        received: What clients sent, oldest first.
        connections: How many connections or requests were accepted so far.
    """

    #: The provider's name, for messages.
    name: ClassVar[str] = ""
    #: TLS, for a provider whose client insists on it.
    tls: ssl.SSLContext | None = None

    def __init__(self, *, scenario: Scenario | None = None, key: str) -> None:
        if scenario is not None and not isinstance(scenario, Scenario):
            raise ArgumentTypeError(f"scenario={scenario!r}: give a Scenario")
        if not isinstance(key, str) or not key:
            raise ArgumentError("key: give the text that clients must use as their key")
        self.key = key
        self.scenario: Scenario = scenario or Scenario()
        self.received: list[Received] = []
        self.connections: int = 0
        self._port = 0
        self._opened_at = 0.0
        self._runner: web.AppRunner | None = None
        self._open: set[Connection] = set()
        # How many connections broke and were refused so far. Written by `Connection` and `refusal`.
        self.drops_done = 0
        self._limited = 0

    def routes(self) -> list[web.RouteDef]:
        """Return what is served; a provider's own."""
        raise NotImplementedError

    def unauthorized(self, given: str) -> web.Response:
        """Return the provider's answer to a wrong key."""
        raise NotImplementedError

    def rate_limited(self) -> web.Response:
        """Return the provider's answer to too many requests."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        if self._runner is not None:
            raise ArgumentError(f"this {type(self).__name__} is open already: make another one")
        app = web.Application()
        app.add_routes(self.routes())
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=0.5
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.tls)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._opened_at = asyncio.get_running_loop().time()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection, and stop."""
        runner, self._runner = self._runner, None
        for connection in list(self._open):
            connection.drop()
        if runner is not None:
            await runner.cleanup()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1.

        Raises:
            ArgumentError: It isn't open.
        """
        if self._runner is None:
            raise ArgumentError(
                f"this {type(self).__name__} isn't open: use it inside "
                f"`async with {type(self).__name__}(...) as server:`"
            )
        return self._port

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def of(self, kind: str) -> list[Received]:
        """Return what was received of one kind."""
        return [item for item in self.received if item.kind == kind]

    def kind_of(self, message: Mapping[str, object]) -> str:
        """Return what kind of message a client sent."""
        return str(message.get("type") or next(iter(message), "empty"))

    def note(self, connection: int, kind: str, message: object) -> None:
        """Record what a client sent."""
        at = asyncio.get_running_loop().time() - self._opened_at
        self.received.append(Received(connection, round(at, 6), kind, message))

    def refusal(self, given_key: str | None) -> web.Response | None:
        """Return the answer to a client that isn't served, or None for one that is."""
        scenario = self.scenario
        if given_key != self.key:
            return self.unauthorized(given_key or "")
        if scenario.rate_limited < 0 or self._limited < scenario.rate_limited:
            self._limited += 1
            return self.rate_limited()
        if scenario.refuses_after_drop and self.drops_done >= scenario.drops:
            return web.Response(status=503, text="Service Unavailable")
        self.connections += 1
        return None

    def breaks(self) -> bool:
        """Tell whether the connection that begins now will break."""
        scenario = self.scenario
        timed = scenario.drops_after_messages, scenario.drops_after_secs
        return timed != (None, None) and self.drops_done < scenario.drops

    async def talk(
        self, request: web.Request, serve: Callable[[Connection], Awaitable[None]]
    ) -> web.WebSocketResponse:
        """Upgrade a request that wasn't refused to a WebSocket, and serve it."""
        socket = web.WebSocketResponse(compress=False, max_msg_size=2**24)
        await socket.prepare(request)
        connection = Connection(self, self.connections, socket, request)
        self._open.add(connection)
        try:
            await serve(connection)
        finally:
            connection.over()
        return socket

    def forget(self, connection: Connection) -> None:
        """A connection is over."""
        self._open.discard(connection)

    def __repr__(self) -> str:
        where = self.address if self._runner is not None else "closed"
        return f"<{type(self).__name__} {where}, {self.connections} connections>"


class Connection:
    """One WebSocket: what is posted leaves in order, each message not before its time."""

    def __init__(
        self, provider: FakeProvider, number: int, socket: web.WebSocketResponse, request: Any
    ) -> None:
        self.number = number
        self.scenario: Scenario = provider.scenario
        self._provider = provider
        self._socket = socket
        self._transport = request.transport
        self._loop = asyncio.get_running_loop()
        # (when, message), None at the end: written by `post`, read by the sending task.
        self._outbox: asyncio.Queue[tuple[float, Mapping[str, object]] | None] = asyncio.Queue()
        # The message that waits for its time; written by the sending task and `take_back`.
        self._next: Mapping[str, object] | None = None
        self._sent = 0
        self._breaks = provider.breaks()
        self._timer: asyncio.TimerHandle | None = None
        if self._breaks and self.scenario.drops_after_secs is not None:
            self._timer = self._loop.call_later(self.scenario.drops_after_secs, self._break)
        self._sender = asyncio.create_task(self._send(), name=f"fake {provider.name} sends")

    def post(self, message: Mapping[str, object], *, delay: float = 0.0) -> None:
        """Send a message after what was posted before, and not before ``delay`` seconds."""
        self._outbox.put_nowait((self._loop.time() + delay, message))

    def take_back(self, which: Callable[[Mapping[str, object]], bool]) -> None:
        """Take back messages that weren't sent yet."""
        if self._next is not None and which(self._next):
            self._next = None
        kept = []
        while not self._outbox.empty():
            item = self._outbox.get_nowait()
            if item is None or not which(item[1]):
                kept.append(item)
        for item in kept:
            self._outbox.put_nowait(item)

    async def receive(self, within: float | None = None) -> bytes | dict[str, Any] | None:
        """Return the client's next message: bytes, or JSON read; None when it has gone.

        Raises:
            TimeoutError: None came ``within`` so many seconds.
        """
        while True:
            message = await self._socket.receive(within)
            if message.type == WSMsgType.BINARY:
                self._provider.note(self.number, "audio", len(message.data))
                return message.data
            if message.type != WSMsgType.TEXT:
                return None
            try:
                read = json.loads(message.data)
            except ValueError:
                read = None
            if isinstance(read, dict):
                self._provider.note(self.number, self._provider.kind_of(read), read)
                return read
            self._provider.note(self.number, "no JSON object", message.data)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what is posted, and say goodbye."""
        self._outbox.put_nowait(None)
        await asyncio.wait([self._sender])
        await self._socket.close(code=code, message=reason.encode())

    def drop(self) -> None:
        """Break the connection without a goodbye."""
        if self._transport is not None:
            self._transport.abort()
        self.over()

    def over(self) -> None:
        """Stop sending."""
        self._sender.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._provider.forget(self)

    def _break(self) -> None:
        self._provider.drops_done += 1
        self.drop()

    async def _send(self) -> None:
        while True:
            item = await self._outbox.get()
            if item is None:
                return
            when, self._next = item
            wait = when - self._loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            message, self._next = self._next, None
            if message is None:  # taken back meanwhile
                continue
            self._sent += 1
            malformed = self._sent == self.scenario.malformed_at
            text = MALFORMED if malformed else json.dumps(message)
            try:
                await self._socket.send_str(text)
            except ConnectionError:  # the client has gone; its reading ends too
                return
            if self._breaks and self._sent == self.scenario.drops_after_messages:
                self._break()
                return
