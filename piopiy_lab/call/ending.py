"""Waiting for the end of a call, from any thread and any event loop."""

from __future__ import annotations

import asyncio
import threading


class Ending:
    """Something that happens once, for threads to block on and coroutines to await.

    Every method is safe to use from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _waiters, and _over against a late waiter
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._over = threading.Event()  # set once, by happen()

    def __bool__(self) -> bool:
        return self._over.is_set()

    def happen(self) -> None:
        """Release every waiter; again does nothing."""
        with self._lock:
            self._over.set()
            waiters, self._waiters = self._waiters, []
        for loop, waiter in waiters:
            _release(loop, waiter)

    def block(self, timeout: float | None = None) -> bool:
        """Block this thread until it happened; False after ``timeout`` wall-clock seconds."""
        return self._over.wait(timeout)

    async def wait(self) -> None:
        """Wait on the running event loop until it happened."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._over.is_set():
                return
            self._waiters.append((loop, waiter))
        try:
            await waiter
        finally:
            with self._lock:
                self._waiters = [known for known in self._waiters if known[1] is not waiter]


def _release(loop: asyncio.AbstractEventLoop, waiter: asyncio.Future[None]) -> None:
    def finish() -> None:
        if not waiter.done():
            waiter.set_result(None)

    try:
        loop.call_soon_threadsafe(finish)
    except RuntimeError:  # the waiter's loop was closed while it waited: nobody is there
        return
