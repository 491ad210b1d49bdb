"""Runs executor jobs for a virtual loop as `jobs.JobPolicy` says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from piopiy_lab.simulation.clocked_loop import ClockedLoop
from piopiy_lab.simulation.current import job_thread
from piopiy_lab.simulation.jobs import Job, job_name

T = TypeVar("T")


def run_inline(
    loop: ClockedLoop, cost: float, func: Callable[..., T], args: tuple[object, ...]
) -> asyncio.Future[T]:
    """Run a job now, on the loop's thread; its result comes after `cost` virtual seconds."""
    future: asyncio.Future[T] = loop.create_future()
    result: Any = None
    error: Exception | None = None
    try:
        result = func(*args)
    except StopIteration as exc:  # as futures do: it can't travel through an await
        error = RuntimeError(f"executor job raised {exc!r}")
    except Exception as exc:  # every error belongs to the awaiting code
        error = exc

    def finish() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    if cost:
        loop.call_later(cost, finish)
    else:
        finish()
    return future


def run_in_thread(
    loop: ClockedLoop,
    executor: Executor,
    func: Callable[..., T],
    args: tuple[object, ...],
    started: Callable[[Job], None],
) -> asyncio.Future[T]:
    """Run a job in its executor; the loop counts it as outside work until it is done."""
    future: asyncio.Future[T] = loop.create_future()
    jobs = loop.outside_work.jobs

    def in_thread() -> T:
        job_thread.loop = loop
        try:
            return func(*args)
        finally:
            job_thread.loop = None

    def deliver() -> None:
        if future.done():
            return
        if work.cancelled():
            future.cancel()
        elif (error := work.exception()) is not None:
            future.set_exception(error)
        else:
            future.set_result(work.result())

    started_at = time.monotonic()
    work = executor.submit(in_thread)
    job = Job(job_name(func), work, deliver, started_at, loop.time_ns())
    jobs.append(job)
    started(job)

    def done(_: Future[T]) -> None:  # on the job's thread
        job.done_at = time.monotonic()
        loop.wake()

    def forget(future: asyncio.Future[T]) -> None:
        if future.cancelled() and job in jobs:
            jobs.remove(job)
            work.cancel()

    work.add_done_callback(done)
    future.add_done_callback(forget)
    return future


def run_in_background(
    loop: ClockedLoop, executor: Executor, func: Callable[..., T], args: tuple[object, ...]
) -> asyncio.Future[T]:
    """Run a job in its executor while virtual time goes on."""
    future = asyncio.wrap_future(executor.submit(func, *args), loop=loop)
    loop.outside_work.background += 1

    def ended(_: asyncio.Future[T]) -> None:
        loop.outside_work.background -= 1

    future.add_done_callback(ended)
    return future
