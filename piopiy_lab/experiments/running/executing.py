"""Where the calls run: here, in processes of this machine, or on any executor.

The rows are the same wherever that is. A process that dies takes one call with it: those that were
at work meanwhile are made again, each alone, so that it is known which one it was.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import replace
from pathlib import Path

from piopiy_lab import display
from piopiy_lab.checks.texts import described
from piopiy_lab.errors import (
    ArgumentError,
    IncompatibleVersionError,
    PiopiyLabError,
    SimulationError,
)
from piopiy_lab.experiments.running import processes
from piopiy_lab.experiments.running.children import death
from piopiy_lab.experiments.running.folders import temporary_folder
from piopiy_lab.experiments.running.foreign import check_executor, missing_there, probe
from piopiy_lab.experiments.running.parcel import Parcel, Reply, parcel_of
from piopiy_lab.experiments.running.processes import ForeignPool, OwnPool, Pool
from piopiy_lab.experiments.running.progress import Tally
from piopiy_lab.experiments.running.travelling import as_bytes
from piopiy_lab.experiments.running.work import Job, Result, Work, lost
from piopiy_lab.experiments.running.worker import watched_call
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.voicing.preparing import prepared_aside

#: Is given each result as it comes, on the loop that waits.
Take = Callable[[Result], None]

#: Calls that are on their way at once, where nobody says how many run: so many at first, and more
#: for each worker that was heard of. Each worker that lacks the work is sent it with one of them.
_FIRST, _EACH = 8, 3


async def execute(
    work: Work, jobs: Sequence[Job], executor: int | Executor | None, take: Take
) -> tuple[str, ...]:
    """Run the jobs and hand each result over as it comes, in any order.

    What ``take`` raises comes out, after everything has been ended.

    Returns:
        What is to be told of the run beside its rows.

    Raises:
        ArgumentError: The executor can't be used, or what is to be run can't travel.
        ArgumentTypeError: It is none.
        MissingExtraError: What is to be run needs cloudpickle to travel.
        IncompatibleVersionError: A worker has other versions.
        SimulationError: The processes end before they make a call.
    """
    check_executor(executor)
    tally = Tally(len(jobs))

    def taken(result: Result) -> None:
        take(result)
        tally.add(result.row)

    try:
        if executor == 0:
            return await _here(work, jobs, taken)
        work = await _with_voices(work)
        with temporary_folder("work") as folder:
            parcel = _written(as_bytes(work), Path(folder))
            return await _Run(parcel, executor, taken).all(jobs)
    finally:
        tally.close()


def _written(blob: bytes, folder: Path) -> Parcel:
    try:
        return parcel_of(blob, folder)
    except OSError as error:
        raise SimulationError(
            f"what the workers need ({len(blob) / 1e6:.1f} MB) can't be written to {folder}: "
            f"{described(error)}; free space there, set TMPDIR, or give executor=0"
        ) from error


async def _here(work: Work, jobs: Sequence[Job], take: Take) -> tuple[str, ...]:
    with display.no_progress():
        for job in jobs:
            take(await watched_call(work, job))
            await asyncio.sleep(0)
    return ()


async def _with_voices(work: Work) -> Work:
    """Return the work with callers whose voices have spoken: once, and not in every worker."""
    callers = dict(work.callers)
    for name, caller in work.callers.items():
        if isinstance(caller, Caller):
            with contextlib.suppress(PiopiyLabError):  # then its calls say so, each in its row
                callers[name] = await prepared_aside(caller)
    return replace(work, callers=callers)


class _Run:
    """One run on a pool. On the thread of the loop that waits."""

    def __init__(self, parcel: Parcel, executor: int | Executor | None, take: Take) -> None:
        self._parcel, self._take = parcel, take
        self._executor = executor if isinstance(executor, Executor) else None
        self._most = executor if isinstance(executor, int) else processes.cores()
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[tuple[Job, Future[Reply]]] = asyncio.Queue()
        self._flying: dict[Future[Reply], Job] = {}
        self._workers: set[str] = set()  # that have been heard of
        self._over = False  # read by futures' callbacks, on any thread
        self._notices: list[str] = []
        self._empty_breaks = 0  # how often a pool broke before it had begun a call

    async def all(self, jobs: Sequence[Job]) -> tuple[str, ...]:
        """Run the jobs to their ends."""
        left = list(jobs)
        try:
            if self._executor is not None:
                await probe(self._executor)
                left = await self._on(ForeignPool(self._executor), left)
                if left:
                    self._notices.append(
                        "the executor broke, as a process of it died; the calls that were left "
                        "ran in processes of this machine"
                    )
            while left:
                left = await self._on(processes.lease(self._most, len(left)), left)
        finally:
            self._over = True
        return tuple(self._notices)

    async def _on(self, pool: Pool, jobs: Sequence[Job]) -> list[Job]:
        """Run jobs on a pool; return those that are left if it breaks."""
        todo = deque(jobs)
        try:
            broken = await self._through(pool, todo)
        except BaseException:
            for future in self._flying if isinstance(pool, ForeignPool) else ():
                future.cancel()  # what waits; what is at work runs out
            self._over = True
            pool.end()
            raise
        if broken is None:
            if not isinstance(pool, ForeignPool):
                processes.give_back(pool)
            return []
        pool.end()
        return await self._after_death(broken, list(todo))

    async def _after_death(self, broken: list[Job], todo: list[Job]) -> list[Job]:
        """Find the call that ended its process; return what is left to do."""
        begun = self._marks()
        suspects = [job for job in broken if job.index in begun]
        left = [job for job in broken if job.index not in begun]
        self._empty_breaks = 0 if suspects else self._empty_breaks + 1
        if self._empty_breaks > 1:
            raise SimulationError(
                "the processes for calls end before they begin one: what they wrote is on standard "
                "error; executor=0 makes the calls here"
            )
        hung = [job for job in suspects if begun[job.index]]  # the last resort told where
        for job in hung:
            self._take(lost(job, *death(begun[job.index], None)))
        await self._alone([job for job in suspects if job not in hung])
        return [*left, *todo]

    async def _alone(self, suspects: Sequence[Job]) -> None:
        """Make calls again, one by one, where it is known which one ends its process."""
        pool = OwnPool(1)
        try:
            for job in suspects:
                await self._through(pool, deque([job]))
        finally:
            pool.end()

    async def _through(self, pool: Pool, todo: deque[Job]) -> list[Job] | None:
        """Run jobs on a pool until there are none; if it breaks, return those that were there."""
        broken: list[Job] | None = None
        while self._flying or (todo and broken is None):
            while todo and broken is None and len(self._flying) < self._window(pool):
                try:
                    self._submit(pool, self._parcel, todo[0])
                except BrokenExecutor:
                    broken = []
                    break
                todo.popleft()
            if not self._flying:
                break
            job, future = await self._arrived.get()
            del self._flying[future]
            if not self._landed(pool, job, future):
                broken = [*(broken or ()), job]
        return broken

    def _window(self, pool: Pool) -> int:
        if pool.width is not None:
            return 2 * pool.width + 1
        return _FIRST + _EACH * len(self._workers)

    def _submit(self, pool: Pool, parcel: Parcel, job: Job) -> None:
        try:
            future = pool.submit(parcel, job)
        except BrokenExecutor:
            raise
        except RuntimeError as error:  # it is shut down
            raise ArgumentError(
                f"executor={self._executor!r} takes no calls ({described(error)}): give one that "
                "is open"
            ) from error
        self._flying[future] = job

        def arrived(future: Future[Reply]) -> None:  # on any thread
            if not self._over:
                self._loop.call_soon_threadsafe(self._arrived.put_nowait, (job, future))

        future.add_done_callback(arrived)

    def _landed(self, pool: Pool, job: Job, future: Future[Reply]) -> bool:
        """Take what became of a job; whether the pool is whole."""
        if future.cancelled():
            raise SimulationError(
                f"the executor cancelled the call {job.call_id}: was it shut down, or its client "
                "closed?"
            )
        error = future.exception()
        if isinstance(error, BrokenExecutor):
            return False
        if error is not None:
            if (why := missing_there(error)) is not None:
                raise IncompatibleVersionError(why) from error
            why = f"its worker was lost, or what it made could not travel: {described(error)}"
            self._take(lost(job, "died", why))
            return True
        reply = future.result()
        self._workers.add(reply.worker)
        if reply.differs is not None:
            raise IncompatibleVersionError(
                f"a worker of the executor is not as this process: {reply.differs}. Calls would "
                "not be the same: install the same versions there"
            )
        if reply.error is not None:
            raise SimulationError(reply.error)
        if reply.lacks:
            blob = Path(self._parcel.path).read_bytes()
            self._submit(pool, replace(self._parcel, blob=blob), job)
        elif reply.result is not None:
            self._take(reply.result)
        return True

    def _marks(self) -> dict[int, str]:
        """Return the calls whose process is gone in the middle, with what it wrote; forget them."""
        found: dict[int, str] = {}
        for mark in Path(self._parcel.marks).iterdir():
            found[int(mark.name.partition(".")[0])] = mark.read_text(errors="replace")
            mark.unlink()
        return found
