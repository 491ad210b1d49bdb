"""One HTTP server on 127.0.0.1 that can also be killed.

Runs on the platform's loop.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from piopiy_lab.errors import LoopbackError
from piopiy_lab.loopback.peer import HOST


@web.middleware
async def _from_this_machine(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse what a web page asks for: one of elsewhere, or one that a name led here.

    A browser lets any page send requests to this machine. It says in ``Origin`` whose page it is;
    a page whose own name was pointed at 127.0.0.1 has that name in ``Host``.
    """
    origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
    if not _is_here(f"//{host}"):
        raise web.HTTPForbidden(text="this server answers to 127.0.0.1 and localhost only")
    if origin is not None and not _is_here(origin):
        raise web.HTTPForbidden(text="this server answers no page of another host")
    return await handler(request)


def _is_here(address: str) -> bool:
    try:
        return urlsplit(address).hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        return False


class WebServer:
    """A web application on a port of the loopback interface."""

    def __init__(self, app: web.Application, port: int = 0) -> None:
        """Make a server; nothing listens yet.

        Args:
            app: What it serves.
            port: Where; 0 for a free port.
        """
        app.middlewares.append(_from_this_machine)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self.port: int = port  # the real one after start()

    async def start(self) -> None:
        """Listen.

        Raises:
            LoopbackError: The port is taken.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self.port, reuse_address=True)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise LoopbackError(
                f"can't listen on {HOST}:{self.port} ({error.strerror or error}): is another "
                "program using the port?"
            ) from error
        self.port = self._runner.addresses[0][1]

    @property
    def hosts(self) -> list[str]:
        """The addresses that it listens on; none before it does."""
        return [address[0] for address in self._runner.addresses]

    def abort_connections(self) -> None:
        """Cut every TCP connection at once, without a goodbye."""
        server = self._runner.server
        for connection in list(server.connections) if server is not None else []:
            if connection.transport is not None:
                connection.transport.abort()

    async def stop(self) -> None:
        """Stop listening and end the connections."""
        await self._runner.cleanup()


async def say_goodbye(socket: web.WebSocketResponse, last: bytes) -> None:
    """Send a last message and close; who is on the way out already need not hear it."""
    if socket.closed:
        return
    with contextlib.suppress(ConnectionError):
        await socket.send_bytes(last)
    await socket.close()
