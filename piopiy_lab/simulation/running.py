"""Running a virtual loop: from a plain thread, or in slices where another loop already runs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from piopiy_lab.errors import SimulationError

if TYPE_CHECKING:
    from piopiy_lab.simulation.virtual_loop import VirtualTimeLoop

T = TypeVar("T")

# Real seconds to leave to the outer loop when the simulation itself waits for something outside.
_OUTSIDE_NAP_SECS = 0.002
# Turns that the outer loop gets between two slices.
_OUTER_TURNS = 3
# Real seconds that the end of a simulation may take: cancelled tasks, then executor threads.
_END_SECS = 5.0


def _nested(step: Callable[[], T]) -> T:
    """Run a step of the inner loop on a thread whose outer loop is running.

    The one place that steps around asyncio's rule of one running loop per thread. `current_task`
    needs nothing: CPython 3.11 to 3.13 keep one per loop.
    """
    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return step()
    finally:
        asyncio._set_running_loop(outer)


def refuse_nested_simulation() -> None:
    """Raise if the calling code is itself inside a simulation.

    Raises:
        SimulationError: A virtual loop runs on this thread.
    """
    from piopiy_lab.simulation.virtual_loop import VirtualTimeLoop

    if isinstance(asyncio._get_running_loop(), VirtualTimeLoop):
        raise SimulationError(
            "A simulation can't be started inside a simulation: await the inner one before or "
            "after the outer one, or run it in a thread of its own"
        )


def run(loop: VirtualTimeLoop, coro: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; must be called on a thread that runs no loop."""
    try:
        refuse_nested_simulation()
        if asyncio._get_running_loop() is not None:
            raise SimulationError(
                "A loop is already running on this thread: use `await loop.run_in_slices(coro)`"
            )
    except SimulationError:
        coro.close()
        loop.close()
        raise
    try:
        loop.main_task = loop.create_task(coro, name="main")
        loop.run_until_complete(loop.main_task)
        return loop.main_task.result()
    finally:
        _finish(loop)


async def run_in_slices(
    loop: VirtualTimeLoop, coro: Coroutine[Any, Any, T], slice_secs: float
) -> T:
    """Run a coroutine to its end while the calling loop goes on in between."""
    try:
        refuse_nested_simulation()
    except SimulationError:
        coro.close()
        loop.close()
        raise

    def one_slice() -> None:
        loop.waits_outside = False
        loop.slice_end = time.perf_counter() + slice_secs
        try:
            loop.run_forever()
        finally:
            loop.slice_end = None

    main = loop.main_task = loop.create_task(coro, name="main")
    main.add_done_callback(lambda _: loop.stop())
    try:
        while not main.done():
            _nested(one_slice)
            if loop.waits_outside:
                await asyncio.sleep(_OUTSIDE_NAP_SECS)
            for _ in range(_OUTER_TURNS):
                await asyncio.sleep(0)
        return main.result()
    finally:
        _nested(lambda: _finish(loop))


def _finish(loop: VirtualTimeLoop) -> None:
    """Cancel what is left, close generators and executors, close the loop."""
    try:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        executor = loop._default_executor
        if executor is not None:
            ender = threading.Thread(target=executor.shutdown, daemon=True)
            ender.start()
            ender.join(_END_SECS)
    finally:
        loop.close()
