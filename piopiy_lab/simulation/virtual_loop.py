"""An asyncio loop on virtual time: when nothing is ready, its clock jumps to the next timer.

The clock is an integer number of nanoseconds. Callbacks take no virtual time; a call of a minute is
over as soon as its callbacks have run. What is outside (a thread, a subprocess, a server in another
process) runs in real time; `outside` says what virtual time does while such work is outstanding:

- ``"freeze"``: it stands still. The work takes no virtual time, and the run is reproducible.
- ``"charge"``: it may go as far as real time has gone. Realistic, and not reproducible.

One turn of the loop: callbacks that are ready run first. Only when none is left does the loop look
outside (results of threads, sockets), so that outside work can't interleave with a busy instant;
only when that has nothing either does the clock move. See `poll`.

Works on CPython 3.11 to 3.13, whose `BaseEventLoop._run_once` is Python code that asks
`_selector.select` how long to wait: that question is where virtual time is made.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from piopiy_lab.errors import ArgumentError, SimulationDeadlockError, SimulationLimitError
from piopiy_lab.simulation import running
from piopiy_lab.simulation.jobs import Job, JobPolicy, deliverable, job_name
from piopiy_lab.simulation.limits import Limits
from piopiy_lab.simulation.selector import VirtualSelector
from piopiy_lab.simulation.waiting import waiting_tasks

T = TypeVar("T")

# loop.time() at the start. Not 0: libraries take 0 for "never". 1000 s keeps 1 ns exact in a float.
START_NS = 1_000_000_000_000
# While callbacks are ready, the outside world is looked at in every so many turns only.
_BUSY_TURNS = 256
# A frozen wait is cut into pieces of this length (real s), to look at the guards.
_WAIT_SECS = 0.1
# The turns before the livelock guard in which callbacks are counted, to name them.
_SAMPLED_TURNS = 1000

_job_thread = threading.local()


class _Timer(asyncio.TimerHandle):
    """A timer ordered by its nanosecond, then by `tie`: first come, first served, or shuffled."""

    __slots__ = ("ns", "tie")

    ns: int
    tie: float

    def __lt__(self, other: _Timer) -> bool:  # type: ignore[override]
        return self.ns < other.ns or (self.ns == other.ns and self.tie < other.tie)


class Hold:
    """Outside work in progress: virtual time freezes, or is charged, until it ends."""

    __slots__ = ("started_at", "started_ns", "what")

    def __init__(self, what: str, started_ns: int) -> None:
        self.what = what
        self.started_ns = started_ns
        self.started_at = time.monotonic()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when nothing is ready.

    Use `run` from a thread that runs no loop, and `run_in_slices` where one runs already. Both
    close the loop. Everything but `call_soon_threadsafe` must be called on the loop's thread.
    """

    def __init__(
        self,
        *,
        outside: Literal["freeze", "charge"] = "freeze",
        jobs: JobPolicy | None = None,
        limits: Limits | None = None,
        outside_grace: float | None = None,
        shuffle_seed: int | None = None,
        describe: Callable[[], str] | None = None,
    ) -> None:
        """Make a loop; it starts at virtual second 0.

        Args:
            outside: What virtual time does while outside work is outstanding.
            jobs: Which executor jobs run inline, and which are not waited for.
            limits: The guards.
            outside_grace: What to do about an open connection to the outside that isn't in the
                middle of a request (a websocket). None: virtual time goes no faster than real time
                while it is open. A number: wait so many real seconds for it before each jump.
            shuffle_seed: Run timers that fall in the same instant in a seeded random order.
            describe: Called for an error's message: the last events, the caller's step.

        Raises:
            ArgumentError: A value is not one of those above.
        """
        if outside not in ("freeze", "charge"):
            raise ArgumentError(f"outside={outside!r}: use 'freeze' or 'charge'")
        if outside_grace is not None and not 0.0 <= outside_grace <= 10.0:
            raise ArgumentError(f"outside_grace={outside_grace!r}: use None or 0 to 10 seconds")
        # Read by the methods that super().__init__ calls.
        self._ns = START_NS
        self.watched = VirtualSelector(self.poll)
        super().__init__(self.watched)
        self._clock_resolution = 0.5e-9
        self.outside = outside
        self.jobs = jobs or JobPolicy()
        self.limits = limits or Limits()
        self.outside_grace = outside_grace
        self.describe = describe
        # The order of same-instant timers: a count, or a random number.
        self._rng = None if shuffle_seed is None else random.Random(shuffle_seed)
        self._timers = 0
        # Turns at the present instant; set to 0 when virtual time moves.
        self._turns = 0
        self._seen: dict[str, int] = {}
        # Callbacks from other threads (written by them), and outstanding jobs and holds.
        self._inbox: deque[asyncio.Handle] = deque()
        self._jobs: list[Job] = []
        self._holds: dict[Hold, None] = {}
        # Real time: when the run began, when something last came from outside, s.
        self._began_at = time.monotonic()
        self._outside_at = self._began_at
        # Where virtual time stood, and real time, when pacing began.
        self._pace: tuple[int, float] | None = None
        # Set by running.py: the end of the current slice (real s), the task that was given to run.
        self.slice_end: float | None = None
        self.main_task: asyncio.Task[Any] | None = None
        # True when the last slice ended early because it waits for the outside.
        self.waits_outside = False
        # After the run: names of tasks and threads that did not end.
        self.leaked: tuple[str, ...] = ()

    # The clock.

    def time(self) -> float:
        """Return virtual time in seconds, as timers count it."""
        return self._ns / 1e9

    def time_ns(self) -> int:
        """Return virtual time in nanoseconds, as timers count it."""
        return self._ns

    @property
    def elapsed_ns(self) -> int:
        """Virtual nanoseconds since the start."""
        return self._ns - START_NS

    @property
    def elapsed(self) -> float:
        """Virtual seconds since the start."""
        return (self._ns - START_NS) / 1e9

    def advance(self, secs: float) -> None:
        """Move the clock on within a callback, as if the callback had taken so long."""
        self._move_to(self._ns + max(0, round(secs * 1e9)))

    def _move_to(self, ns: int) -> None:
        if ns - START_NS > self.limits.virtual_secs * 1e9:
            waits = waiting_tasks(self, self.main_task)
            raise self._limit(
                f"The simulation reached its cap of {self.limits.virtual_secs:g} virtual seconds "
                f"(now {self.elapsed:.3f}, next timer at {(ns - START_NS) / 1e9:.3f}). End the "
                f"call, or raise Limits.virtual_secs. Waiting:\n{waits}"
            )
        if ns > self._ns:
            self._ns = ns
            self._turns = 0

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Schedule a callback at a virtual time (s), rounded to the nanosecond."""
        self._check_closed()
        ns = round(min(when, 1e9) * 1e9)
        timer = _Timer(ns / 1e9, callback, args, self, context)
        timer.ns = ns
        self._timers += 1
        timer.tie = self._timers if self._rng is None else self._rng.random()
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    def is_current_thread(self) -> bool:
        """Tell whether the loop is being run by the calling thread."""
        return self._thread_id == threading.get_ident()

    # Threads.

    def call_soon_threadsafe(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Run a callback on the loop's thread. From another thread: when the loop is idle."""
        if self.is_current_thread():
            return self.call_soon(callback, *args, context=context)
        self._check_closed()
        handle = asyncio.Handle(callback, args, self, context)
        self._inbox.append(handle)
        self._write_to_self()
        return handle

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run a job as the job policy says: inline, in its thread, or in the background."""
        self._check_closed()
        cost = self.jobs.inline_cost(func)
        if cost is not None:
            return self._run_inline(cost, func, args)
        if executor is None:
            executor = self._default_executor
            self._check_default_executor()
            if executor is None:
                executor = ThreadPoolExecutor(thread_name_prefix="asyncio")
                self._default_executor = executor
        if self.jobs.is_background(func):
            return asyncio.wrap_future(executor.submit(func, *args), loop=self)
        return self._run_in_thread(executor, func, args)

    def _run_inline(self, cost: float, func: Callable[..., T], args: Any) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        result: Any = None
        error: Exception | None = None
        try:
            result = func(*args)
        except Exception as exc:  # every error belongs to the caller of the job
            error = RuntimeError(repr(exc)) if isinstance(exc, StopIteration) else exc

        def finish() -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        if cost:
            self.call_later(cost, finish)
        else:
            finish()
        return future

    def _run_in_thread(
        self, executor: Executor, func: Callable[..., T], args: Any
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()

        def in_thread() -> T:
            _job_thread.loop = self
            try:
                return func(*args)
            finally:
                _job_thread.loop = None

        def deliver() -> None:
            self._jobs.remove(job)
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
        job = Job(job_name(func), work, deliver, started_at, self._ns)
        self._jobs.append(job)

        def done(_: Future[T]) -> None:
            job.done_at = time.monotonic()
            if not self.is_closed():
                self._write_to_self()

        def forget(future: asyncio.Future[T]) -> None:
            if future.cancelled() and job in self._jobs:
                self._jobs.remove(job)
                work.cancel()

        work.add_done_callback(done)
        future.add_done_callback(forget)
        return future

    # Outside work.

    @contextmanager
    def hold(self, what: str) -> Iterator[None]:
        """Count as outside work: virtual time freezes (or is charged) inside the block.

        Args:
            what: What is waited for, for messages.
        """
        hold = Hold(what, self._ns)
        self._holds[hold] = None
        self._outside_at = hold.started_at
        try:
            yield
        finally:
            del self._holds[hold]

    # What the loop does when asked how long to wait.

    def poll(self, timeout: float | None) -> list[Any]:
        """Return what came from outside; when idle, move the clock. Called in every turn.

        Args:
            timeout: 0 when callbacks are ready or due; seconds to the next timer, or None.
        """
        self._turns += 1
        if self.slice_end is not None and time.perf_counter() >= self.slice_end:
            self._stopping = True
            return []
        if timeout == 0:
            if self._turns % _BUSY_TURNS and self._turns < self.limits.iterations - _SAMPLED_TURNS:
                return []
            self._check_guards()
            if self._turns % _BUSY_TURNS:
                return []
        if self._deliver():
            return []
        events = self.watched.wait(0)
        if events or timeout == 0:
            return events
        return self._idle()

    def _deliver(self) -> bool:
        """Hand over what threads have left; tell whether there was anything."""
        delivered = False
        while self._inbox:
            self._ready.append(self._inbox.popleft())
            delivered = True
        if self._jobs:
            for job in deliverable(self._jobs, time.monotonic()):
                delivered = True
                end_ns = self._ns
                if self.outside == "charge" and job.done_at is not None:
                    end_ns = job.started_ns + round((job.done_at - job.started_at) * 1e9)
                if end_ns > self._ns:
                    job.name, job.done_at = f"{job.name} (done)", None
                    self._jobs.remove(job)
                    self._jobs.insert(0, job)
                    self.call_at(end_ns / 1e9, job.deliver)
                    continue
                job.deliver()
        if delivered:
            self._outside_at = time.monotonic()
        return delivered

    def _idle(self) -> list[Any]:
        """Nothing is ready: wait for the outside, or jump to the next timer."""
        self._check_guards()
        due = self._scheduled[0].ns if self._scheduled else None  # type: ignore[attr-defined]
        if self._jobs or self._holds:
            return self._wait()
        if due is None:
            raise self._deadlock()
        self._move_to(due)
        return []

    def _wait(self) -> list[Any]:
        if self.slice_end is not None:
            self.waits_outside = True
            self._stopping = True
            return []
        return self.watched.wait(_WAIT_SECS)

    def _check_guards(self) -> None:
        pass

    def _limit(self, message: str) -> SimulationLimitError:
        return SimulationLimitError(message)

    def _deadlock(self) -> SimulationDeadlockError:
        return SimulationDeadlockError(
            f"Nothing is scheduled at {self.elapsed:.3f} s\n{waiting_tasks(self, self.main_task)}"
        )

    # Running.

    def run(self, coro: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end on this thread, clean up, and close the loop."""
        return running.run(self, coro)

    async def run_in_slices(self, coro: Coroutine[Any, Any, T], slice_secs: float = 0.02) -> T:
        """Run a coroutine to its end, in slices between which the calling loop goes on."""
        return await running.run_in_slices(self, coro, slice_secs)


def current_virtual_loop() -> VirtualTimeLoop | None:
    """Return the virtual loop that the calling code runs on, or whose executor job it is."""
    loop = asyncio._get_running_loop()
    if loop is None:
        loop = getattr(_job_thread, "loop", None)
    return loop if isinstance(loop, VirtualTimeLoop) else None
