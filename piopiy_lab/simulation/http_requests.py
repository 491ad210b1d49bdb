"""Requests of HTTP clients as outside work: httpx, httpx2 (which openai uses) and aiohttp.

A request is held while somebody waits for its answer: from the call of the client's transport until
the response's head is there, and then for each part of its body while it is awaited. Between two
parts, while the caller does something with what came, nothing is held. So a streamed answer takes
no virtual time under ``"freeze"``, and code that sleeps between two parts still works.

Connections that a client opens for a request are owned: its idle keep-alive connections don't slow
a simulation down. A websocket that a client opens is an open stream. A request to a server on the
same virtual loop isn't outside, and isn't held.

The clients' classes are patched (``seams.py``) while a simulation runs in this process, and only do
something different on a virtual loop. What that relies on is checked first, and another version is
refused: virtual time would run on while its answers are awaited.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Protocol

from piopiy_lab.services.fitting import expect
from piopiy_lab.simulation import mcp_connections, seams
from piopiy_lab.simulation.clocked_loop import ClockedLoop
from piopiy_lab.simulation.current import current_virtual_loop
from piopiy_lab.simulation.import_watch import ImportWatch
from piopiy_lab.simulation.outside import OWNS_CONNECTIONS, owned_connections

# True while aiohttp asks for a websocket: that connection stays open for messages both ways.
_UPGRADING: ContextVar[bool] = ContextVar("piopiy_lab_upgrading", default=False)

_PORTS = {"http": 80, "https": 443}


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


def _patch_httpx(module: ModuleType) -> list[seams.Patch]:
    """Hold the requests of httpx's transport, or httpx2's."""
    held_stream = _held_stream(module.AsyncByteStream)

    def held(original: seams.Method) -> seams.Method:
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

        return handle_async_request

    return seams.replace_httpx(module, held)


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


def _patch_aiohttp_client(module: ModuleType) -> list[seams.Patch]:
    """Hold the requests of aiohttp's sessions."""
    return seams.replace_aiohttp_client(module, _held_request, _upgrading)


def _held_request(original: seams.Method) -> seams.Method:
    async def request(self: Any, method: str, str_or_url: object, **kwargs: object) -> object:
        url = seams.url_of(self, str_or_url)
        loop = _outer_loop(url.host, url.port)
        if loop is None:
            return await original(self, method, str_or_url, **kwargs)
        what = f"the answer of {url.host} to {method}"
        with loop.hold(what), owned_connections(not _UPGRADING.get()):
            return await original(self, method, str_or_url, **kwargs)

    return request


def _upgrading(original: seams.Method) -> seams.Method:
    async def ws_connect(self: object, *args: object, **kwargs: object) -> object:
        token = _UPGRADING.set(True)
        try:
            return await original(self, *args, **kwargs)
        finally:
            _UPGRADING.reset(token)

    return ws_connect


def _patch_aiohttp_streams(module: ModuleType) -> list[seams.Patch]:
    """Hold while a client of aiohttp's awaits a part of a response's body."""
    return seams.replace_aiohttp_streams(module, _held_wait)


def _held_wait(original: seams.Method) -> seams.Method:
    async def wait(self: Any, func_name: str) -> None:
        peer = seams.peer_of(self)
        loop = None if peer is None else _outer_loop(*peer)
        if loop is None:
            return await original(self, func_name)
        with loop.hold("the rest of an HTTP answer"):
            return await original(self, func_name)

    return wait


_PATCHES: dict[str, Callable[[ModuleType], list[seams.Patch]]] = {
    **dict.fromkeys(seams.HTTPX, _patch_httpx),
    seams.AIOHTTP_CLIENT: _patch_aiohttp_client,
    seams.AIOHTTP_STREAMS: _patch_aiohttp_streams,
    seams.MCP: mcp_connections.patch_mcp,
}


class _Patching:
    """Counts the simulations of the process, and patches while there is one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        # How many blocks are active, and what they patched. Both under the lock.
        self._active = 0
        self._undo: list[seams.Patch] = []
        self._watch = ImportWatch(seams.LATE.__contains__, self._patch)

    def _patch(self, module: ModuleType) -> None:
        with self._lock:
            if self._active:
                expect(seams.LATE[module.__name__](module))
                if (patch := _PATCHES.get(module.__name__)) is not None:
                    self._undo += patch(module)

    def enter(self) -> None:
        with self._lock:
            self._active += 1
            if self._active == 1:
                self._watch.start()
                for name in seams.LATE:
                    if (module := sys.modules.get(name)) is not None:
                        self._patch(module)

    def leave(self) -> None:
        with self._lock:
            self._active -= 1
            if self._active == 0:
                self._watch.stop()
                seams.put_back(reversed(self._undo))
                self._undo.clear()


_patching = _Patching()
