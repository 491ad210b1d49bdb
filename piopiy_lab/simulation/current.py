"""The simulation that the calling code is in, if any: its loop, and ``hold``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from piopiy_lab.errors import SimulationError
from piopiy_lab.simulation.clocked_loop import ClockedLoop
from piopiy_lab.simulation.outside import owned_connections

# In a job's thread: `loop` is the virtual loop that the job belongs to.
job_thread: threading.local = threading.local()
# On a thread that runs simulations: `loop` is the virtual loop begun last, so that who looks
# from outside of it (a watchdog) can see whether its time moves. Written by running.py.
begun_last: threading.local = threading.local()


def current_virtual_loop() -> ClockedLoop | None:
    """Return the virtual loop that the calling code runs on, or whose executor job it is."""
    loop = asyncio._get_running_loop()
    if loop is None:
        loop = getattr(job_thread, "loop", None)
    return loop if isinstance(loop, ClockedLoop) else None


@contextmanager
def hold(what: str = "a hold") -> Iterator[None]:
    """Say that the code inside waits for something outside the simulation.

    Virtual time freezes until the block ends (or is charged, with ``outside="charge"``).
    Connections and subprocesses that are started inside belong to the hold: left open, they don't
    slow the simulation down afterwards. While the block itself is in `asyncio.sleep`, nothing is
    held. Outside a simulation this does nothing.

    Args:
        what: What is waited for, for messages.
    """
    loop = current_virtual_loop()
    if loop is None:
        yield
        return
    with loop.hold(what), owned_connections():
        yield


def refuse_nested_simulation() -> None:
    """Raise if the calling code is itself inside a simulation.

    Raises:
        SimulationError: A virtual loop runs on this thread.
    """
    if isinstance(asyncio._get_running_loop(), ClockedLoop):
        raise SimulationError(
            "A simulation can't be started inside a simulation: await the inner one before or "
            "after the outer one, or run it in a thread of its own"
        )
