"""Processes of this machine for calls: loky's with the extra ``many``, else ours.

They stay for a minute after a run, loaded, for the next one; but not if what they were started in
has changed: a variable, the folder, or where modules are looked for.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from importlib.util import find_spec
from typing import Protocol

from piopiy_lab.experiments.running import worker
from piopiy_lab.experiments.running.children import IDLE_SECS, Children
from piopiy_lab.experiments.running.parcel import ONE_THREAD, Parcel, Reply
from piopiy_lab.experiments.running.work import Job


class Pool(Protocol):
    """Where calls run. On one thread."""

    @property
    def width(self) -> int | None:
        """How many calls run at once; None if unknown."""
        ...

    def submit(self, parcel: Parcel, job: Job) -> Future[Reply]:
        """Have a call made.

        Raises:
            BrokenExecutor: A process has died, and nothing can be made there any more.
        """
        ...

    def end(self) -> None:
        """End the processes now, whatever they are at."""
        ...


class LokyPool:
    """loky's processes."""

    def __init__(self, width: int) -> None:
        """Start none yet."""
        from loky import ProcessPoolExecutor

        self.width = width
        self._executor = ProcessPoolExecutor(
            width,
            timeout=IDLE_SECS,
            initializer=worker.begin_for,
            initargs=(os.getpid(), list(sys.path)),
            env=ONE_THREAD,
        )

    def submit(self, parcel: Parcel, job: Job) -> Future[Reply]:
        """Have a call made."""
        return self._executor.submit(worker.run, parcel, job)

    def end(self) -> None:
        """End the processes now."""
        self._executor.shutdown(wait=True, kill_workers=True)


class OwnPool:
    """Processes of ours, each driven by a thread."""

    def __init__(self, width: int) -> None:
        """Start none yet."""
        self.width = width
        self._children = Children()
        self._threads = ThreadPoolExecutor(width, thread_name_prefix="piopiy-lab calls")

    def submit(self, parcel: Parcel, job: Job) -> Future[Reply]:
        """Have a call made."""
        return self._threads.submit(self._run, parcel, job)

    def _run(self, parcel: Parcel, job: Job) -> Reply:
        return self._children.run(parcel, job, worker.name_of_worker())

    def end(self) -> None:
        """End the processes now."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._children.kill()


class ForeignPool:
    """An executor that somebody else made, and ends."""

    width: int | None = None

    def __init__(self, executor: Executor) -> None:
        """Take an executor."""
        self._executor = executor

    def submit(self, parcel: Parcel, job: Job) -> Future[Reply]:
        """Have a call made."""
        return self._executor.submit(worker.run, parcel, job)

    def end(self) -> None:
        """Leave the processes alone."""


_PYTEST = "PYTEST_CURRENT_TEST"

#: The pool that the last run left, and what it was made in; under the lock.
_left: tuple[Pool, str] | None = None
_lock = threading.Lock()


def _forget() -> None:
    """Forget, in a process that was forked, the pool: its processes are the other's."""
    global _left, _lock
    _parents.append(_left)  # dropped, it would end them
    _left, _lock = None, threading.Lock()


_parents: list[object] = []  # of a forked process: what it must not touch
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def lease(most: int, wanted: int) -> Pool:
    """Return a pool for one run; :func:`give_back` it, or end it.

    Args:
        most: How many processes it may have.
        wanted: How many it needs.
    """
    global _left
    width = max(1, min(most, wanted))
    surroundings = _surroundings()
    with _lock:
        left, _left = _left, None
    if left is not None:
        pool, made_in = left
        fits = pool.width is not None and width <= pool.width <= most
        if fits and made_in == surroundings:
            return pool
        pool.end()
    make: Callable[[int], Pool] = OwnPool if find_spec("loky") is None else LokyPool
    return make(width)


def give_back(pool: Pool) -> None:
    """Leave a pool that is well to the next run."""
    global _left
    with _lock:
        before, _left = _left, (pool, _surroundings())
    if before is not None and before[0] is not pool:
        before[0].end()


def end_all() -> None:
    """End the processes that wait for the next run."""
    global _left
    with _lock:
        left, _left = _left, None
    if left is not None:
        left[0].end()


atexit.register(end_all)


def cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def _surroundings() -> str:
    """Return a digest of what a process is started in: variables, folder and paths."""
    # Of pytest's variable, which has each test's name, it matters that it is there.
    variables = {**os.environ, **{name: "" for name in os.environ if name == _PYTEST}}
    told = (sorted(variables.items()), os.getcwd(), sys.path)
    return hashlib.sha256(repr(told).encode()).hexdigest()
