"""The selector of a virtual loop: asks the loop how long to wait; knows its sockets.

A watched file descriptor is one of

- the loop's own wake-up pipe,
- *inside*: a listening socket, or a connection whose other end is on this loop too,
- *owned*: registered by code that is inside a hold (see `outside.py`),
- an *open stream* to the outside: everything else.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from piopiy_lab.simulation.outside import OWNS_CONNECTIONS

#: What ``select`` gives: what is ready, and for what.
Ready = list[tuple[selectors.SelectorKey, int]]


class _HasFileno(Protocol):
    def fileno(self) -> int: ...


FileObject = int | _HasFileno
"""A file descriptor, or what has one."""

# Hosts by which a server on this loop may be reached.
_THIS_HOST = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"})


class VirtualSelector(selectors.BaseSelector):
    """Wraps the platform's selector; `select` is decided by the loop, `wait` is the real one."""

    def __init__(
        self,
        poll: Callable[[float | None], Ready],
        transports: Callable[[], Mapping[int, asyncio.BaseTransport]],
    ) -> None:
        """Make a selector.

        Args:
            poll: The loop's answer to `select`.
            transports: Gives the loop's transports by file descriptor.
        """
        self._real = selectors.DefaultSelector()
        self._poll = poll
        self._transports = transports
        # The loop's own wake-up pipe; written once, after the loop has made it.
        self._own: frozenset[int] = frozenset()
        # Owned descriptors, with the transport that each belonged to when it was registered.
        self._owned: dict[int, weakref.ref[asyncio.BaseTransport] | None] = {}
        # The result of `open_streams`, until what is watched changes.
        self._streams: int | None = 0

    def exempt_present(self) -> None:
        """Take all that is watched now for the loop's own."""
        self._own = frozenset(self._fds())
        self._streams = None

    def register(
        self, fileobj: FileObject, events: int, data: object = None
    ) -> selectors.SelectorKey:
        """Watch a file object."""
        key = self._real.register(fileobj, events, data)
        self._streams = None
        if not self._own:  # the loop is being made
            return key
        transport = self._transports().get(key.fd)
        if OWNS_CONNECTIONS.get():
            self._owned[key.fd] = None if transport is None else weakref.ref(transport)
        elif (owner := self._owned.get(key.fd)) is None or owner() is not transport:
            self._owned.pop(key.fd, None)
        return key

    def unregister(self, fileobj: FileObject) -> selectors.SelectorKey:
        """Watch it no more."""
        key = self._real.unregister(fileobj)
        self._streams = None
        if self._owned.get(key.fd, key) is None:
            del self._owned[key.fd]
        return key

    def modify(
        self, fileobj: FileObject, events: int, data: object = None
    ) -> selectors.SelectorKey:
        """Watch for other events."""
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Return what is watched."""
        return self._real.get_map()

    def close(self) -> None:
        """Close the platform's selector."""
        self._real.close()

    def select(self, timeout: float | None = None) -> Ready:
        """Ask the loop."""
        return self._poll(timeout)

    def wait(self, timeout: float | None) -> Ready:
        """Wait in real time, s."""
        return self._real.select(timeout)

    def open_streams(self) -> int:
        """Return how many open streams to the outside are watched."""
        if self._streams is None:
            self._streams = self._count_streams()
        return self._streams

    def listens(self, host: str | None, port: int | None) -> bool:
        """Tell whether a server on this very loop listens at an address."""
        if port is None or host not in _THIS_HOST:
            return False
        return any(ends.listening and ends.port == port for ends in self._sockets().values())

    def _fds(self) -> list[int]:
        return [key.fd for key in self._real.get_map().values()]

    def _count_streams(self) -> int:
        watched = set(self._fds()) - self._own - set(self._owned)
        if not watched:
            return 0
        sockets = self._sockets()
        here = {ends.name for ends in sockets.values()}
        here.update(
            transport.get_extra_info("sockname")
            for transport in list(self._transports().values())
            if not transport.is_closing()
        )
        ports = {ends.port for ends in sockets.values() if ends.listening}
        return sum(fd not in sockets or not sockets[fd].is_inside(here, ports) for fd in watched)

    def _sockets(self) -> dict[int, _Ends]:
        """Return the ends of each watched socket."""
        found = {fd: _ends(fd) for fd in self._fds() if fd not in self._own}
        return {fd: ends for fd, ends in found.items() if ends is not None}


@dataclass(frozen=True)
class _Ends:
    """Where a socket begins and ends; `peer` is None before it is connected."""

    listening: bool
    datagram: bool
    name: Any
    peer: Any

    @property
    def port(self) -> int | None:
        return self.name[1] if isinstance(self.name, tuple) else None

    def is_inside(self, here: set[object], ports: set[int | None]) -> bool:
        """Tell whether the other end is on this loop, or there is none yet."""
        if self.listening or (self.peer is None and not self.datagram):
            return True
        if not self.peer:
            return False
        to_server = self.peer[0] in _THIS_HOST and self.peer[1] in ports
        return self.peer in here or (isinstance(self.peer, tuple) and to_server)


def _ends(fd: int) -> _Ends | None:
    """Return the ends of a socket, or None for a descriptor that is no socket."""
    try:
        sock = socket.socket(fileno=os.dup(fd))
    except OSError:
        return None
    with sock:
        listening = bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        try:
            peer = sock.getpeername()
        except OSError:
            peer = None
        return _Ends(listening, sock.type == socket.SOCK_DGRAM, sock.getsockname(), peer)
