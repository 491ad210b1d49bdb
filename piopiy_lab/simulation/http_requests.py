"""Requests of HTTP clients as outside work: httpx, httpx2 (which openai uses) and aiohttp.

A request is held while somebody waits for its answer: from the call of the client's transport until
the response's head is there, and then for each part of its body while it is awaited. Between two
parts, while the caller does something with what came, nothing is held. So a streamed answer takes
no virtual time under ``"freeze"``, and code that sleeps between two parts still works.

Connections that a client opens for a request are owned: its idle keep-alive connections don't slow
a simulation down. A websocket that a client opens is an open stream. A request to a server on the
same virtual loop isn't outside, and isn't held.

Missing: a hook around a request, and around each part of its answer, for clients that somebody else
makes. The clients' classes are patched while a simulation runs in this process, and only do
something different on a virtual loop. What that relies on is checked first, and another version is
refused: virtual time would run on while its answers are awaited.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Protocol

from piopiy_lab.services.fitting import Reliance, attributes, expect, method
from piopiy_lab.simulation import mcp_connections
from piopiy_lab.simulation.clocked_loop import ClockedLoop
from piopiy_lab.simulation.current import current_virtual_loop
from piopiy_lab.simulation.import_watch import ImportWatch
from piopiy_lab.simulation.outside import OWNS_CONNECTIONS, owned_connections

# True while aiohttp asks for a websocket: that connection stays open for messages both ways.
_UPGRADING: ContextVar[bool] = ContextVar("piopiy_lab_upgrading", default=False)

_PORTS = {"http": 80, "https": 443}

# The class of a connection's protocol that aiohttp's client has, and its server doesn't.
_CLIENTS_PROTOCOL = "ResponseHandler"

# A class to patch, the method's name, and what it was.
_Patch = tuple[type, str, object]


class _Body(Protocol):
    """A response's body, as httpx hands it on."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


@contextmanager
def http_requests_held() -> Iterator[None]:
    """Patch the HTTP clients that are loaded now or inside the block. Nests; any thread."""
    _patching.enter()
    try:
        yield
    finally:
        _patching.leave()


def _outer_loop(host: str | None, port: int | None) -> ClockedLoop | None:
    """Return the virtual loop whose time a request to an address is to be held for, or None.

    None also for what was started inside a `hold`, which holds time by itself: an MCP client's
    stream of notifications stays open for the whole call.
    """
    if OWNS_CONNECTIONS.get():
        return None
    loop = current_virtual_loop()
    return None if loop is None or loop.listens(host, port) else loop


def _patch_httpx(module: ModuleType) -> list[_Patch]:
    """Hold the requests of ``httpx._transports.default.AsyncHTTPTransport``, or httpx2's."""
    transport = module.AsyncHTTPTransport
    original = transport.handle_async_request
    held_stream = _held_stream(module.AsyncByteStream)

    @functools.wraps(original)
    async def handle_async_request(self: Any, request: Any) -> object:
        url = request.url
        loop = _outer_loop(url.host, url.port or _PORTS.get(url.scheme))
        if loop is None:
            return await original(self, request)
        what = f"the answer of {url.host} to {request.method}"
        with loop.hold(what), owned_connections("upgrade" not in request.headers):
            response = await original(self, request)
        response.stream = held_stream(response.stream, loop, what)
        return response

    transport.handle_async_request = handle_async_request
    return [(transport, "handle_async_request", original)]


def _held_stream(base: type) -> Callable[[_Body, ClockedLoop, str], _Body]:
    """Return a class of response bodies that hold time while a part is awaited."""

    class HeldStream(base):  # type: ignore[misc, valid-type]
        def __init__(self, stream: _Body, loop: ClockedLoop, what: str) -> None:
            self._stream = stream
            self._loop = loop
            self._what = what

        async def __aiter__(self) -> AsyncIterator[bytes]:
            parts = aiter(self._stream)
            while True:
                try:
                    with self._loop.hold(self._what):
                        part = await anext(parts)
                except StopAsyncIteration:
                    return
                yield part

        async def aclose(self) -> None:
            with self._loop.hold(self._what):
                await self._stream.aclose()

    return HeldStream


def _patch_aiohttp_client(module: ModuleType) -> list[_Patch]:
    """Hold the requests of ``aiohttp.client.ClientSession``."""
    session = module.ClientSession
    request, upgrade = session._request, session._ws_connect

    @functools.wraps(request)
    async def _request(self: Any, method: str, str_or_url: object, **kwargs: object) -> object:
        url = self._build_url(str_or_url)
        loop = _outer_loop(url.host, url.port)
        if loop is None:
            return await request(self, method, str_or_url, **kwargs)
        what = f"the answer of {url.host} to {method}"
        with loop.hold(what), owned_connections(not _UPGRADING.get()):
            return await request(self, method, str_or_url, **kwargs)

    @functools.wraps(upgrade)
    async def _ws_connect(self: object, *args: object, **kwargs: object) -> object:
        token = _UPGRADING.set(True)
        try:
            return await upgrade(self, *args, **kwargs)
        finally:
            _UPGRADING.reset(token)

    session._request = _request
    session._ws_connect = _ws_connect
    return [(session, "_request", request), (session, "_ws_connect", upgrade)]


def _patch_aiohttp_streams(module: ModuleType) -> list[_Patch]:
    """Hold while a client awaits a part of a response's body in ``aiohttp.streams``."""
    reader = module.StreamReader
    original = reader._wait

    @functools.wraps(original)
    async def _wait(self: Any, func_name: str) -> None:
        protocol = self._protocol
        loop = None
        if type(protocol).__name__ == _CLIENTS_PROTOCOL and protocol.transport is not None:
            peer = protocol.transport.get_extra_info("peername")
            loop = _outer_loop(*peer[:2]) if isinstance(peer, tuple) else _outer_loop(None, None)
        if loop is None:
            return await original(self, func_name)
        with loop.hold("the rest of an HTTP answer"):
            return await original(self, func_name)

    reader._wait = _wait
    return [(reader, "_wait", original)]


_WHAT = "holding a simulation's time while an HTTP answer is awaited"


def _relied_on_of_httpx(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what holding httpx's requests relies on, or httpx2's."""
    transport, stream = module.AsyncHTTPTransport, module.AsyncByteStream
    return (
        method(transport, "handle_async_request", "request", needed_by=_WHAT),
        *attributes(stream, "__aiter__", "aclose", needed_by=_WHAT),
        *attributes(module.Response, "stream", needed_by=_WHAT),
    )


def _relied_on_of_aiohttp_client(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what holding aiohttp's requests relies on, in its module of the client."""
    session = module.ClientSession
    return (
        method(session, "_request", "method", "str_or_url", needed_by=_WHAT),
        method(session, "_ws_connect", "url", needed_by=_WHAT),
        method(session, "_build_url", "str_or_url", needed_by=_WHAT),
    )


def _relied_on_of_aiohttp_streams(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what holding the rest of aiohttp's answers relies on, in its module of streams."""
    reader = module.StreamReader
    return (
        method(reader, "_wait", "func_name", needed_by=_WHAT),
        *attributes(reader, "_protocol", needed_by=_WHAT),
    )


def _relied_on_of_aiohttp_protocol(module: ModuleType) -> tuple[Reliance, ...]:
    """Return what telling aiohttp's client from its server relies on."""
    return attributes(module, _CLIENTS_PROTOCOL, needed_by=_WHAT)


#: What is relied on in each module; checked when a simulation runs and the module is loaded.
RELIED_ON_OF: dict[str, Callable[[ModuleType], tuple[Reliance, ...]]] = {
    "httpx._transports.default": _relied_on_of_httpx,
    "httpx2._transports.default": _relied_on_of_httpx,
    "aiohttp.client": _relied_on_of_aiohttp_client,
    "aiohttp.streams": _relied_on_of_aiohttp_streams,
    "aiohttp.client_proto": _relied_on_of_aiohttp_protocol,
    mcp_connections.MODULE: mcp_connections.relied_on_of_mcp,
}

_PATCHES: dict[str, Callable[[ModuleType], list[_Patch]]] = {
    "httpx._transports.default": _patch_httpx,
    "httpx2._transports.default": _patch_httpx,
    "aiohttp.client": _patch_aiohttp_client,
    "aiohttp.streams": _patch_aiohttp_streams,
    mcp_connections.MODULE: mcp_connections.patch_mcp,
}


class _Patching:
    """Counts the simulations of the process, and patches while there is one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        # How many blocks are active, and what they patched. Both under the lock.
        self._active = 0
        self._undo: list[_Patch] = []
        self._watch = ImportWatch(RELIED_ON_OF.__contains__, self._patch)

    def _patch(self, module: ModuleType) -> None:
        with self._lock:
            if self._active:
                expect(RELIED_ON_OF[module.__name__](module))
                if (patch := _PATCHES.get(module.__name__)) is not None:
                    self._undo += patch(module)

    def enter(self) -> None:
        with self._lock:
            self._active += 1
            if self._active == 1:
                self._watch.start()
                for name in RELIED_ON_OF:
                    if (module := sys.modules.get(name)) is not None:
                        self._patch(module)

    def leave(self) -> None:
        with self._lock:
            self._active -= 1
            if self._active == 0:
                self._watch.stop()
                for cls, name, value in reversed(self._undo):
                    setattr(cls, name, value)
                self._undo.clear()


_patching = _Patching()
