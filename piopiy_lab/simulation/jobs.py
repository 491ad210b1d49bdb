"""Executor jobs in virtual time: which run at once, which freeze the clock until they are done.

A job handed to ``loop.run_in_executor`` leaves the simulation: its thread runs in real time. Three
things can happen to it, by the name of its function:

- *inline*: it runs at once on the loop's own thread, and its result comes after a modelled cost in
  virtual seconds (zero by default). Meant for short CPU-bound work: pipecat's two ML jobs.
- *thread*: it runs in its executor as always. The loop counts it as outstanding, and the outside
  policy decides what virtual time does meanwhile.
- *background*: it runs in its executor and nobody waits for it; virtual time goes on. Meant for a
  reader thread that lives as long as the call.

Results of thread jobs are handed to the loop in the order in which the jobs were submitted, and
only when the loop has nothing else to do, so thread scheduling can't reorder a simulation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from piopiy_lab.errors import ArgumentError

# On a thread only to spare the loop: pipecat's Silero and Smart Turn jobs (0.2 ms and 87 ms of
# CPU), and loading the offline recogniser (0.5 s, once).
SHORT_JOBS: Mapping[str, float] = {
    "_run_analyzer": 0.0,
    "_process_speech_segment": 0.0,
    "load_recogniser": 0.0,
    "load_ear": 0.0,
}

#: Virtual seconds that an inline job costs: a number, or a function of the job's arguments that is
#: asked once for each job.
Cost = float | Callable[..., float]

# Real seconds for which a job that was submitted earlier can hold back one that is done already.
ORDER_SECS = 1.0


def job_function(func: Callable[..., object]) -> Callable[..., object]:
    """Return the function that a job runs, below ``partial`` and ``asyncio.to_thread``."""
    while isinstance(func, functools.partial):
        runs_context = getattr(func.func, "__name__", "") == "run" and func.args
        func = func.args[0] if runs_context and callable(func.args[0]) else func.func
    return func


def job_name(func: Callable[..., object]) -> str:
    """Return a short name for messages: ``module.qualname``."""
    func = job_function(func)
    name = getattr(func, "__qualname__", type(func).__name__)
    return f"{getattr(func, '__module__', None) or '?'}.{name}"


@dataclass(frozen=True)
class JobPolicy:
    """What happens to an executor job, by its function's name.

    A key is a function's ``__name__`` or ``__qualname__``.

    Attributes:
        inline: The jobs that run on the loop's thread, with their cost in virtual seconds: a
            number, or a function of the job's arguments.
        background: The jobs that virtual time doesn't wait for.
        order_secs: Real seconds for which a job that was submitted earlier can hold back one that
            is done already.
    """

    inline: Mapping[str, Cost] = field(default_factory=lambda: dict(SHORT_JOBS))
    background: frozenset[str] = frozenset()
    order_secs: float = ORDER_SECS

    def __post_init__(self) -> None:
        for name, cost in self.inline.items():
            if not callable(cost) and not 0.0 <= cost < 3600.0:
                raise ArgumentError(f"The modelled cost of {name!r} is {cost!r}: give seconds >= 0")
        both = sorted(set(self.inline) & self.background)
        if both:
            raise ArgumentError(f"{both[0]!r} is both inline and background: choose one")

    def inline_cost(
        self, func: Callable[..., object], args: tuple[object, ...] = ()
    ) -> float | None:
        """Return the virtual seconds that an inline job costs, or None if it is not inline."""
        func = job_function(func)
        cost = self.inline.get(getattr(func, "__name__", ""))
        if cost is None:
            cost = self.inline.get(getattr(func, "__qualname__", ""))
        return cost(*args) if callable(cost) else cost

    def is_background(self, func: Callable[..., object]) -> bool:
        """Tell whether virtual time goes on while the job runs."""
        if not self.background:
            return False
        func = job_function(func)
        names = {getattr(func, "__name__", ""), getattr(func, "__qualname__", "")}
        return not names.isdisjoint(self.background)


@dataclass(eq=False)
class Job:
    """One job in a thread, as the loop sees it. Written on the loop's thread, except `done_at`.

    Attributes:
        what: Its name, for messages.
        work: The executor's future.
        deliver: Hands the result to the waiting asyncio future.
        started_at: Real time of the submission, s.
        started_ns: Virtual time of the submission, ns.
        done_at: Real time of the end, s; written by the job's thread.
        overdue: It held back later jobs for ``order_secs`` once, and does so no more.
        waited_since: Real time since which it holds back a later job, s.
    """

    what: str
    work: Future[Any]
    deliver: Callable[[], None]
    started_at: float
    started_ns: int
    done_at: float | None = None
    overdue: bool = False
    waited_since: float | None = None


def deliverable(jobs: list[Job], now: float, order_secs: float) -> list[Job]:
    """Return the jobs whose results can be handed over now, in submission order.

    A job that is not done holds back the later ones, for a while: a later job's result may be
    what it waits for.

    Args:
        jobs: The outstanding jobs in submission order.
        now: Real time, s.
        order_secs: Seconds for which it does at most.
    """
    ready: list[Job] = []
    blocker: Job | None = None
    for job in jobs:
        if job.done_at is None:
            if not job.overdue and blocker is None:
                blocker = job
        elif blocker is None:
            ready.append(job)
        else:
            blocker.waited_since = blocker.waited_since or now
            if now - blocker.waited_since < order_secs:
                break
            blocker.overdue = True
            return deliverable(jobs, now, order_secs)
    return ready
