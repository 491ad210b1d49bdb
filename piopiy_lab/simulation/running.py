"""Running a virtual loop: from a plain thread, or in slices where another loop already runs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import TypeVar

from piopiy_lab.errors import SimulationError
from piopiy_lab.hosting.containment import end_its_call
from piopiy_lab.simulation.clocked_loop import ClockedLoop
from piopiy_lab.simulation.current import begun_last, refuse_nested_simulation
from piopiy_lab.simulation.http_requests import http_requests_held

T = TypeVar("T")

# Real seconds left to the outer loop while the simulation itself waits for the outside.
_OUTSIDE_NAP_SECS = 0.002
# Turns that the outer loop gets between two slices: a message takes more than one.
_OUTER_TURNS = 3
# What the end of a simulation may take: virtual and real seconds for the cancelled tasks, and again
# real seconds for executor threads.
_END_VIRTUAL_SECS = 60.0
_END_SECS = 5.0


def run(loop: ClockedLoop, coro: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end; must be called on a thread that runs no loop."""
    with _closing_if_refused(loop, coro):
        refuse_nested_simulation()
        if asyncio._get_running_loop() is not None:
            raise SimulationError(
                "A loop is already running on this thread: use `await loop.run_in_slices(coro)`"
            )
    with http_requests_held():
        try:
            loop.guards.begin()
            loop.main_task = loop.create_task(coro, name="main")
            return loop.run_until_complete(loop.main_task)
        finally:
            _finish(loop)


async def run_in_slices(
    loop: ClockedLoop, coro: Coroutine[object, object, T], slice_secs: float
) -> T:
    """Run a coroutine to its end while the calling loop goes on in between."""
    with _closing_if_refused(loop, coro):
        refuse_nested_simulation()

    def one_slice() -> None:
        loop.waits_outside = False
        loop.slice_end = time.perf_counter() + slice_secs
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as error:
            if not end_its_call(loop, error):
                raise
        finally:
            loop.slice_end = None

    def stop(_: asyncio.Task[T]) -> None:
        if loop.slice_end is not None:  # a slice that ended in between leaves this to `_finish`
            loop.stop()

    begun_last.loop = loop
    with http_requests_held():
        loop.guards.begin()
        main = loop.main_task = loop.create_task(coro, name="main")
        main.add_done_callback(stop)
        try:
            while not main.done():
                _nested(one_slice)
                if loop.waits_outside:
                    await asyncio.sleep(_OUTSIDE_NAP_SECS)
                for _ in range(_OUTER_TURNS):
                    await asyncio.sleep(0)
            return main.result()
        finally:
            main.remove_done_callback(stop)
            _nested(lambda: _finish(loop))


class _closing_if_refused:  # noqa: N801 - reads as a statement
    """Closes the loop and the coroutine when its block raises: neither will be run."""

    def __init__(self, loop: ClockedLoop, coro: Coroutine[object, object, object]) -> None:
        self._loop = loop
        self._coro = coro

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is not None:
            self._coro.close()
            self._loop.close()


def _nested(step: Callable[[], T]) -> T:
    """Run a step of the inner loop on a thread whose outer loop is running.

    The one place that steps around asyncio's rule of one running loop per thread. `current_task`
    needs no such step: CPython 3.11 to 3.13 keep one for each loop.
    """
    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return step()
    finally:
        asyncio._set_running_loop(outer)


def _finish(loop: ClockedLoop) -> None:
    """Cancel what is left, close generators and executors, close the loop; note what remains."""
    leaked: list[str] = []
    main = loop.main_task
    if main is not None and main.done() and not main.cancelled():
        # Its SystemExit left the loop and is the caller's: asyncio need not report it once more
        # when the task is collected, whatever is running then.
        main.exception()
    try:
        loop.grant_ending(_END_VIRTUAL_SECS, _END_SECS)
        tasks = loop.pending_tasks()
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks))
            loop.run_until_complete(loop.shutdown_asyncgens())
            if loop.abort_transports():
                loop.run_until_complete(asyncio.sleep(0))
        except SimulationError:  # they don't end; the first error, if there is one, says more
            leaked += [f"task {task.get_name()}" for task in tasks if not task.done()]
        for task in tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                loop.call_exception_handler(
                    {
                        "message": "a task failed while the simulation ended",
                        "exception": task.exception(),
                        "task": task,
                    }
                )
        leaked += _join_executor(loop)
    finally:
        loop.leaked = tuple(leaked)
        loop.close()


def _join_executor(loop: ClockedLoop) -> list[str]:
    """Join the default executor's threads; a job that never ends must not keep the caller."""
    executor = loop._default_executor
    if executor is None:
        return []
    executor.shutdown(wait=False, cancel_futures=True)
    ender = threading.Thread(target=executor.shutdown, name="piopiy-lab executor end", daemon=True)
    ender.start()
    ender.join(_END_SECS)
    return ["a thread of the default executor"] if ender.is_alive() else []
