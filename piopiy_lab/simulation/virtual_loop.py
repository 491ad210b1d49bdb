"""An asyncio loop on virtual time: when nothing is ready, its clock jumps to the next timer.

The clock is an integer number of nanoseconds. Callbacks take no virtual time; a call of a minute is
over as soon as its callbacks have run. What is outside (a thread, a subprocess, a server in another
process) runs in real time; `outside` says what virtual time does while somebody waits for it:

- ``"freeze"``: it stands still. The work takes no virtual time, and the run is reproducible.
- ``"charge"``: it goes on, no further than real time has gone. Realistic, not reproducible.

One turn of the loop: callbacks that are ready run first. Only when none is left does the loop look
outside (results of threads, sockets), so outside work can't interleave with a busy instant; only
when that has nothing either does the clock move. See `VirtualTimeLoop.poll`.

Works on CPython 3.11 to 3.13, whose `BaseEventLoop._run_once` is Python code that asks
`_selector.select` how long to wait: that question is where virtual time is made.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from piopiy_lab.errors import ArgumentError
from piopiy_lab.simulation import executor as jobs_in
from piopiy_lab.simulation import running
from piopiy_lab.simulation.clocked_loop import ClockedLoop
from piopiy_lab.simulation.jobs import Job, JobPolicy, deliverable
from piopiy_lab.simulation.limits import Limits
from piopiy_lab.simulation.outside import (
    Hold,
    Work,
    charged_until,
    owned_connections,
)
from piopiy_lab.simulation.selector import Ready

T = TypeVar("T")

# While callbacks are ready, the outside world is looked at in every so many turns only.
_BUSY_TURNS = 256
# Turns of a busy loop between two looks at the end of its slice.
_LOOK_TURNS = 4
# A wait for the outside is cut into pieces of this length (real s), to look at the guards.
_WAIT_SECS = 0.1


class VirtualTimeLoop(ClockedLoop):
    """An event loop whose clock jumps to the next timer when nothing is ready.

    Use `run` on a thread that runs no loop, and `run_in_slices` where one runs already; both close
    the loop. Everything but `call_soon_threadsafe` must be called on the loop's thread.

    Attributes:
        main_task: The task that was given to run.
        leaked: After the run: the tasks and threads that did not end when they were told to.
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
        progress: Callable[[], int] | None = None,
        started: Callable[[Job], None] | None = None,
    ) -> None:
        """Make a loop; it starts at virtual second 0.

        Args:
            outside: What virtual time does while somebody waits for outside work.
            jobs: Which executor jobs run inline, and which are not waited for.
            limits: The guards.
            outside_grace: What to do about an open stream to the outside (a websocket). None:
                virtual time goes no faster than real time while one is open. A number: wait so
                many real seconds for it before each jump.
            shuffle_seed: Run timers that fall in the same instant in a seeded random order.
            describe: Called for an error's message: the last events, the caller's step.
            progress: Counts what has been done, the frames of a pipeline say: as long as it grows,
                an instant may take more turns (see :class:`Limits`).
            started: Is given each job that is handed to a thread, where the code that waits for it
                is on the stack.

        Raises:
            ArgumentError: A value is not one of those above.
        """
        if outside not in ("freeze", "charge"):
            raise ArgumentError(f"outside={outside!r}: use 'freeze' or 'charge'")
        if outside_grace is not None and not 0.0 <= outside_grace <= 10.0:
            raise ArgumentError(f"outside_grace={outside_grace!r}: use None or 0 to 10 seconds")
        super().__init__(self.poll, limits or Limits(), describe, shuffle_seed, progress)
        self._freezes = outside == "freeze"
        self._started = started or (lambda job: None)
        self._policy = jobs or JobPolicy()
        self._grace = outside_grace
        # Real time, s, since which nothing has come from the outside, while it is waited for.
        self._silent_since: float | None = None
        # Virtual ns and real s at which the present pacing began.
        self._pace: tuple[int, float] | None = None
        # The virtual time (ns) that real time allows now, or None; see `_follow_real_time`.
        self._until: int | None = None

    # Outside work.

    @contextmanager
    def hold(self, what: str) -> Iterator[None]:
        """Count as outside work: virtual time freezes (or is charged) inside the block.

        Args:
            what: What is waited for, for messages.
        """
        hold = Hold(what, self._ns)
        self.outside_work.holds[hold] = None
        self._silent_since = None
        try:
            yield
        finally:
            del self.outside_work.holds[hold]

    def run_in_executor(  # type: ignore[override] - typeshed leaves out the coroutine's type
        self, executor: Executor | None, func: Callable[..., T], *args: object
    ) -> asyncio.Future[T]:
        """Run a job as the job policy says: inline, in its thread, or in the background."""
        self._check_closed()
        cost = self._policy.inline_cost(func, args)
        if cost is not None:
            return jobs_in.run_inline(self, cost, func, args)
        if executor is None:
            self._check_default_executor()
            if self._default_executor is None:
                self._default_executor = ThreadPoolExecutor(thread_name_prefix="asyncio")
            executor = self._default_executor
        if self._policy.is_background(func):
            return jobs_in.run_in_background(self, executor, func, args)
        self._silent_since = None
        return jobs_in.run_in_thread(self, executor, func, args, self._started)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Connect; to an address outside this loop that is outside work."""
        host, port = address[:2] if isinstance(address, tuple) else (None, None)
        if self.listens(host, port):
            return await super().sock_connect(sock, address)
        with self.hold(f"a connection to {address if host is None else f'{host}:{port}'}"):
            return await super().sock_connect(sock, address)

    async def _make_subprocess_transport(self, *args: object, **kwargs: object) -> object:
        held = self.hold("the start of a subprocess")
        with held, owned_connections():
            transport = await super()._make_subprocess_transport(*args, **kwargs)  # type: ignore
        self.outside_work.add_process(transport, self._ns)
        return transport

    # The question of every turn.

    def poll(self, timeout: float | None) -> Ready:
        """Return what came from outside; when idle, move the clock or wait in real time.

        Args:
            timeout: 0 when callbacks are ready or due; seconds to the next timer, or None.
        """
        self._turns += 1
        if timeout == 0 and self._turns % _LOOK_TURNS and self._turns < self._sample_from:
            return []
        if self.slice_end is not None and time.perf_counter() >= self.slice_end:
            self._stopping = True
            return []
        if timeout == 0:
            return self._poll_busy()
        self.guards.check_wall(self.elapsed)
        work = self.outside_work.pending()
        if self._follow_real_time(work):
            return []
        events: Ready = []
        if self._deliver() or (events := self._watched.wait(0)):
            self._silent_since = None
            if work:
                self._turns = 0
            return events
        return self._idle(work)

    def _poll_busy(self) -> Ready:
        """Callbacks are ready or due: look outside only now and then."""
        near = self._turns >= self._sample_from and not self.outside_work.pending()
        if near and self.guards.check_turns(self._turns, self.elapsed, self._ready):
            self._turns = 0
        if self._turns % _BUSY_TURNS:
            return []
        self.guards.check_wall(self.elapsed)
        self._deliver()
        return self._watched.wait(0)

    def _follow_real_time(self, work: Sequence[Work]) -> bool:
        """If time follows real time now, move it as far; tell whether a timer has come due.

        Sets `_until`, the virtual time (ns) beyond which it can't go now, or None.
        """
        self._until = None
        if work:
            self._pace = None
            self._until = self._ns if self._freezes else charged_until(work, time.monotonic())
        elif self._grace is None and self._has_streams():
            now = time.monotonic()
            self._pace = self._pace or (self._ns, now)
            self._until = self._pace[0] + round((now - self._pace[1]) * 1e9)
        else:
            self._pace = None
            return False
        due = self._due_ns()
        self._move_to(self._until if due is None else min(self._until, due))
        return due is not None and due <= self._ns

    def _idle(self, work: Sequence[Work]) -> Ready:
        """Nothing is ready and nothing came: wait for the outside, or jump to the next timer."""
        due, until = self._due_ns(), self._until
        if due is None:
            return self._wait(_WAIT_SECS, work) if work else self._nothing_scheduled()
        if until is not None:
            frozen = work and self._freezes
            return self._wait(_WAIT_SECS if frozen else (due - until) / 1e9, work)
        if self._grace and self._has_streams():
            since = self._silent_since or time.monotonic()
            left = since + self._grace - time.monotonic()
            if left > 0:
                return self._wait(left)
        self._silent_since = None
        self._move_to(due)
        return []

    def _wait(self, secs: float, work: Sequence[Work] = ()) -> Ready:
        """Wait for the outside, in real time; what comes is taken in the next turn."""
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if work and now - self._silent_since > self.guards.limits.outside_secs:
            raise self.guards.outside_silent([item.what for item in work], self.elapsed)
        if self.slice_end is not None:
            self.waits_outside = True
            self._stopping = True
        else:
            self._watched.wait(max(0.0, min(secs, _WAIT_SECS)))
        return []

    def _nothing_scheduled(self) -> Ready:
        """No timer, no pending work: only a stream or an unknown thread can go on."""
        if self.outside_work.background or self._has_streams():
            patience = self.guards.limits.outside_secs
        else:
            patience = self.guards.limits.stray_secs if threading.active_count() > 1 else 0.0
        now = time.monotonic()
        if now - (self._silent_since or now) >= patience:
            raise self.guards.deadlock(self.elapsed)
        return self._wait(_WAIT_SECS)

    def _deliver(self) -> bool:
        """Hand over what threads have left; tell whether there was anything."""
        came = self._take_inbox()
        jobs = self.outside_work.jobs
        order_secs = self._policy.order_secs
        for job in deliverable(jobs, time.monotonic(), order_secs) if jobs else ():
            came = True
            jobs.remove(job)
            end_ns = self._ns if self._freezes else charged_until([job], 0.0)
            if end_ns > self._ns:
                self.call_at(end_ns / 1e9, job.deliver)
            else:
                job.deliver()
        return came

    def _has_streams(self) -> bool:
        return self._watched.open_streams() > 0 or self.outside_work.talks_to_process()

    # Running.

    def run(self, coro: Coroutine[object, object, T]) -> T:
        """Run a coroutine to its end on this thread, clean up, and close the loop.

        Must be called on a thread that runs no loop. Tasks that are left are cancelled; what
        doesn't end then is named in `leaked`.

        Returns:
            What the coroutine returns.

        Raises:
            SimulationError: A loop is running on this thread.
            SimulationDeadlockError: Nothing is scheduled; the message says who waits for what.
            SimulationLimitError: A limit was reached.
        """
        return running.run(self, coro)

    async def run_in_slices(
        self, coro: Coroutine[object, object, T], slice_secs: float = 0.02
    ) -> T:
        """Run a coroutine to its end, in slices between which the calling loop goes on.

        For a thread that runs a loop already: a notebook's kernel, or a coroutine under
        `asyncio.run`. Cancelling this cancels the coroutine. The rest is as in `run`.

        Args:
            coro: Runs on this virtual loop.
            slice_secs: How long a slice takes, in real seconds; one long callback may exceed it.
        """
        return await running.run_in_slices(self, coro, slice_secs)
