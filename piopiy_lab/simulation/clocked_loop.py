"""The clock of a virtual loop: integer nanoseconds, timers in a fixed order, an inbox for threads.

`VirtualTimeLoop` adds what makes the clock move.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import random
import threading
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from piopiy_lab.simulation.limits import SAMPLED_TURNS, Guards, Limits
from piopiy_lab.simulation.outside import OutsideWork
from piopiy_lab.simulation.selector import Ready, VirtualSelector
from piopiy_lab.simulation.waiting import waiting_tasks

# loop.time() at the start. Not 0: libraries take 0 for "never". 1000 s keeps 1 ns exact in a float.
START_NS = 1_000_000_000_000
# The latest timer, s: infinity has no nanoseconds. Every cap on virtual time is below.
_LATEST_SECS = 1e9


class _Timer(asyncio.TimerHandle):
    """A timer ordered by its nanosecond, then by `tie`: first come, first served, or shuffled."""

    __slots__ = ("ns", "tie")

    ns: int
    tie: float

    def __lt__(self, other: _Timer) -> bool:  # type: ignore[override] - there are no others
        return self.ns < other.ns or (self.ns == other.ns and self.tie < other.tie)


class ClockedLoop(asyncio.SelectorEventLoop):
    """An event loop that doesn't read the clock but has it.

    Everything but `call_soon_threadsafe` and `wake` must be called on the loop's thread.

    Attributes:
        guards: Checks the limits, words the errors.
        main_task: The task that was given to run; set by running.py.
    """

    # Until BaseEventLoop.__init__ has run: a loop that was refused its arguments needs no closing.
    _closed = True

    if TYPE_CHECKING:  # what is used of CPython's BaseEventLoop, 3.11 to 3.13
        _scheduled: list[_Timer]
        _ready: deque[asyncio.Handle]
        _transports: weakref.WeakValueDictionary[int, Any]
        _stopping: bool
        _thread_id: int | None
        _default_executor: ThreadPoolExecutor | None
        _clock_resolution: float

        def _check_closed(self) -> None: ...
        def _check_default_executor(self) -> None: ...
        def _write_to_self(self) -> None: ...

    def __init__(
        self,
        poll: Callable[[float | None], Ready],
        limits: Limits,
        describe: Callable[[], str] | None,
        shuffle_seed: int | None,
        progress: Callable[[], int] | None,
    ) -> None:
        """Make a loop; the arguments are those of `VirtualTimeLoop`.

        Args:
            poll: Is asked in every turn how long to wait, and returns what came.
            limits: The guards.
            describe: The caller's part of an error message.
            shuffle_seed: Shuffles timers that fall in the same instant.
            progress: Counts what has been done, for the guards.
        """
        # Virtual time, ns; moved by `_move_to` only.
        self._ns = START_NS
        # Turns at the present instant; 0 whenever virtual time moves.
        self._turns = 0
        self._watched = VirtualSelector(poll, lambda: self._transports)
        super().__init__(self._watched)
        self._watched.exempt_present()
        self._clock_resolution = 0.5e-9
        self.guards: Guards = Guards(limits, describe, self.waiting, progress)
        self._sample_from = limits.turns - SAMPLED_TURNS
        self._rng = None if shuffle_seed is None else random.Random(shuffle_seed)
        # How many timers were made: the order of those that fall in the same instant.
        self._timers = 0
        # All tasks that are alive, in the order in which they were made.
        self._tasks: weakref.WeakKeyDictionary[asyncio.Task[object], None] = (
            weakref.WeakKeyDictionary()
        )
        # Callbacks from other threads; appended by them, taken by `_take_inbox`.
        self._inbox: deque[asyncio.Handle] = deque()
        self.main_task: asyncio.Task[Any] | None = None
        #: What goes on outside; what is done about it is the virtual loop's.
        self.outside_work: OutsideWork = OutsideWork()
        # For running.py: the end of the slice (real s), and whether it ended early to let the
        # outside come in.
        self.slice_end: float | None = None
        self.waits_outside = False
        #: After the run: the tasks and threads that did not end when they were told to.
        self.leaked: tuple[str, ...] = ()

    # Outside.

    def hold(self, what: str) -> AbstractContextManager[None]:
        """Count as outside work inside the block; the virtual loop says what time does."""
        raise NotImplementedError

    def listens(self, host: str | None, port: int | None) -> bool:
        """Tell whether a server on this very loop listens at an address: it is not outside."""
        return self._watched.listens(host, port)

    # The clock.

    def time(self) -> float:
        """Return virtual time as timers count it, s."""
        return self._ns / 1e9

    def time_ns(self) -> int:
        """Return virtual time as timers count it, ns."""
        return self._ns

    def seconds(self) -> float:
        """Return the virtual seconds since the start."""
        return (self._ns - START_NS) / 1e9

    @property
    def elapsed(self) -> float:
        """Virtual seconds since the start."""
        return (self._ns - START_NS) / 1e9

    @property
    def elapsed_ns(self) -> int:
        """Virtual nanoseconds since the start."""
        return self._ns - START_NS

    def advance(self, secs: float) -> None:
        """Move the clock on within a callback, as if the callback had taken `secs`."""
        self._move_to(self._ns + max(0, round(secs * 1e9)))

    def _move_to(self, ns: int) -> None:
        if ns > self._ns:
            self.guards.check_cap(ns - START_NS, self.elapsed)
            self._ns = ns
            self._turns = 0

    def grant_ending(self, virtual_secs: float, wall_secs: float) -> None:
        """Give what is left to do after the main task's end a fresh, small allowance."""
        self._turns = 0
        self.guards.ending(self.elapsed_ns, virtual_secs, wall_secs)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: object,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Schedule a callback at a virtual time (s), rounded to the nanosecond."""
        self._check_closed()
        ns = round(min(when, _LATEST_SECS) * 1e9)
        timer = _Timer(ns / 1e9, callback, args, self, context)
        timer.ns = ns
        self._timers += 1
        timer.tie = self._timers if self._rng is None else self._rng.random()
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def nothing_else_now(self) -> bool:
        """Tell, from within a callback, whether nothing else runs at this instant.

        What comes from outside is taken when the loop is idle, and so not before either.
        """
        due = self._due_ns()
        return not self._ready and (due is None or due > self._ns)

    # Tasks and threads.

    def create_task(self, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        """Make a task, and remember the order of making."""
        task = super().create_task(coro, **kwargs)
        self._tasks[task] = None
        return task

    def pending_tasks(self) -> list[asyncio.Task[object]]:
        """Return the tasks that are not done, in the order in which they were made."""
        return [task for task in self._tasks if not task.done()]

    def waiting(self) -> str:
        """Return a line for each task that waits, and where: for error messages."""
        return waiting_tasks(self.pending_tasks(), self.main_task)

    def abort_transports(self) -> bool:
        """Close the connections that were left open; tell whether there were any."""
        left = [transport for transport in self._transports.values() if not transport.is_closing()]
        for transport in left:
            transport.abort()
        return bool(left)

    def is_current_thread(self) -> bool:
        """Tell whether the loop is being run by the calling thread."""
        return self._thread_id == threading.get_ident()

    def call_soon_threadsafe(
        self,
        callback: Callable[..., object],
        *args: object,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Run a callback on the loop's thread. From another thread: once the loop is idle."""
        if self.is_current_thread():
            return self.call_soon(callback, *args, context=context)
        self._check_closed()
        handle = asyncio.Handle(callback, args, self, context)
        self._inbox.append(handle)
        self.wake()
        return handle

    def wake(self) -> None:
        """Let the loop look outside, if it waits. May be called on any thread."""
        if not self.is_closed():
            self._write_to_self()

    def _take_inbox(self) -> bool:
        """Make the callbacks from other threads ready; tell whether there were any."""
        came = bool(self._inbox)
        while self._inbox:
            self._ready.append(self._inbox.popleft())
        return came

    def _due_ns(self) -> int | None:
        """Return the next timer's time, or None."""
        return self._scheduled[0].ns if self._scheduled else None
