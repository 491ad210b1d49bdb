"""What is going on outside a simulation, and `hold`, which says so.

Three kinds of outside work matter to virtual time:

- *pending* work will end, and somebody waits for it: a job in a thread, a connection being made, a
  request whose answer is awaited, a subprocess that runs by itself, a block in `hold`. Virtual time
  freezes (or is charged) until it ends.
- *open streams* may say something at any time: a websocket, a subprocess that is talked to through
  its stdin. Nobody can know when they are done, so virtual time goes no faster than real time while
  one is open (`outside_grace` changes that).
- connections that are *owned* by a hold (opened inside one, such as an HTTP client's keep-alive
  pool) matter only while a hold is active.

Connections whose two ends are both on the same virtual loop are not outside at all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from piopiy_lab.simulation.jobs import Job
from piopiy_lab.simulation.waiting import is_asleep

# True in code whose new connections and pipes belong to a hold.
OWNS_CONNECTIONS: ContextVar[bool] = ContextVar("piopiy_lab_owns_connections", default=False)


@contextmanager
def owned_connections(owned: bool = True) -> Iterator[None]:
    """Say whether connections that are opened inside the block belong to a hold."""
    token = OWNS_CONNECTIONS.set(owned)
    try:
        yield
    finally:
        OWNS_CONNECTIONS.reset(token)


class Hold:
    """One block in `hold`."""

    __slots__ = ("started_at", "started_ns", "task", "what")

    def __init__(self, what: str, started_ns: int) -> None:
        self.what: str = what
        self.task = asyncio.current_task()
        self.started_ns: int = started_ns
        self.started_at: float = time.monotonic()


class _Process:
    """One subprocess, and whether it was started inside a hold."""

    __slots__ = ("owned", "started_at", "started_ns", "transport", "what")

    def __init__(self, transport: asyncio.SubprocessTransport, started_ns: int) -> None:
        self.transport = transport
        self.owned = OWNS_CONNECTIONS.get()
        self.what = f"subprocess {transport.get_pid()}"
        self.started_ns = started_ns
        self.started_at = time.monotonic()

    def is_talked_to(self) -> bool:
        """Tell whether its stdin is open and all that was written has been taken."""
        stdin: Any = self.transport.get_pipe_transport(0)
        return stdin is not None and not stdin.is_closing() and stdin.get_write_buffer_size() == 0


class OutsideWork:
    """The outside work of one loop. Used on the loop's thread only."""

    def __init__(self) -> None:
        # Jobs in threads, in submission order. Written by executor.py and `end_job`.
        self.jobs: list[Job] = []
        # Jobs that virtual time doesn't wait for: how many are running.
        self.background = 0
        # Blocks in `hold`, in the order of their starts.
        self.holds: dict[Hold, None] = {}
        # Subprocesses that were alive when last looked at.
        self._processes: list[_Process] = []

    def add_process(self, transport: asyncio.SubprocessTransport, started_ns: int) -> None:
        """Count a subprocess until it has ended."""
        self._processes.append(_Process(transport, started_ns))

    def pending(self) -> list[Job | Hold | _Process]:
        """Return the work that will end and that somebody waits for."""
        work: list[Job | Hold | _Process] = [*self.jobs]
        work += [hold for hold in self.holds if hold.task is None or not is_asleep(hold.task)]
        if self._processes:
            self._forget_ended()
            work += [p for p in self._processes if not p.owned and not p.is_talked_to()]
        return work

    def talks_to_process(self) -> bool:
        """Tell whether a subprocess with an open stdin is alive."""
        if not self._processes:
            return False
        self._forget_ended()
        return any(not p.owned and p.is_talked_to() for p in self._processes)

    def _forget_ended(self) -> None:
        self._processes = [p for p in self._processes if p.transport.get_returncode() is None]


Work = Job | Hold | _Process
"""What somebody outside does, and when it began."""


def charged_until(work: Sequence[Work], now: float) -> int:
    """Return how far virtual time may go with such work pending, in ns, when it is charged.

    Not further than real time has gone since the work began; to the end of a job that has ended.

    Args:
        work: The pending work, not empty.
        now: Real time, s.
    """
    return min(
        item.started_ns + round(((getattr(item, "done_at", None) or now) - item.started_at) * 1e9)
        for item in work
    )
