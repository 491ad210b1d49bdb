"""The guards of a simulation: how far it may go, and what its errors say."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

from piopiy_lab.errors import ArgumentError, SimulationDeadlockError, SimulationLimitError

# The turns before the livelock guard in which callbacks are counted, to name them.
SAMPLED_TURNS = 1000
_NAMED = 5
#: How often the turns of one instant may be counted anew because something was done in them. (The
#: sound of an answer of 3,000 words takes about four times.)
MOST_ROUNDS = 40
#: The part of the turns in which something must have been done: one in so many.
_BUSY_PART = 100


@dataclass(frozen=True)
class Limits:
    """How far one simulation may go. Reaching a limit raises `SimulationLimitError` out of `run`.

    Attributes:
        virtual_secs: The longest simulation, in virtual seconds.
        wall_secs: The longest simulation, in real seconds.
        turns: Turns of the loop at one virtual instant in which nothing is done, after which it
            counts as livelock. (The start of a pipecat call takes about 250.) As long as frames
            go through the pipeline, as of an answer that is very long, it is 40 times as many.
        outside_secs: Real seconds for which nothing comes from the outside work that virtual time
            stands still for.
        stray_secs: Real seconds to wait for threads of which nothing is known, when nothing is
            scheduled any more and other threads are alive.
    """

    virtual_secs: float = 3600.0
    wall_secs: float = 600.0
    turns: int = 50_000
    outside_secs: float = 60.0
    stray_secs: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (value > 0 or (field.name == "stray_secs" and value == 0)):
                raise ArgumentError(f"Limits.{field.name} is {value!r}: give a positive number")


class Guards:
    """Checks the limits for one loop, and words the errors. Used on the loop's thread only."""

    def __init__(
        self,
        limits: Limits,
        describe: Callable[[], str] | None,
        waiting: Callable[[], str],
        progress: Callable[[], int] | None = None,
    ) -> None:
        """Make the guards of one loop.

        Args:
            limits: The limits.
            describe: Gives the caller's part of every message, or None.
            waiting: Gives the lines that say which task waits for what.
            progress: Counts what has been done; None where nobody counts.
        """
        self.limits = limits
        self.describe = describe
        self._waiting = waiting
        self._began_at = time.monotonic()
        # Virtual ns since the start; moved once, by `ending`.
        self.cap_ns: int = round(limits.virtual_secs * 1e9)
        # Real seconds from `_began_at`; moved once, by `ending`.
        self._wall_secs = limits.wall_secs
        # Callbacks seen in the last turns before the livelock guard.
        self._seen: Counter[str] = Counter()
        self._progress = progress
        # What had been done when the turns were last counted anew, how often they were at this
        # instant, and the instant (s); written by `check_turns`.
        self._done, self._rounds, self._round_at = 0, 0, -1.0

    def begin(self) -> None:
        """Start the wall clock."""
        self._began_at = time.monotonic()

    def ending(self, elapsed_ns: int, virtual_secs: float, wall_secs: float) -> None:
        """Give the cancelled tasks at the end of a simulation a fresh, small allowance."""
        self._seen.clear()
        self.cap_ns = elapsed_ns + round(virtual_secs * 1e9)
        self.begin()
        self._wall_secs = wall_secs

    def check_wall(self, elapsed: float) -> None:
        """Raise if the simulation has taken too much real time."""
        if time.monotonic() - self._began_at > self._wall_secs:
            raise self.limit(
                f"The simulation has run for {self._wall_secs:g} real seconds and is at virtual "
                f"second {elapsed:.3f}: give it more with Limits(wall_secs=...)"
            )

    def check_turns(self, turns: int, elapsed: float, ready: Iterable[asyncio.Handle]) -> bool:
        """Count the ready callbacks of a turn close to the livelock limit; raise at the limit.

        Returns:
            Whether the turns are to be counted anew: much was done in them.
        """
        self._seen.update(_callback_name(handle) for handle in ready)
        if turns < self.limits.turns:
            return False
        if elapsed != self._round_at:
            self._rounds, self._round_at = 0, elapsed
        done = 0 if self._progress is None else self._progress()
        busy = done - self._done >= self.limits.turns / _BUSY_PART
        self._done = done
        if busy and self._rounds < MOST_ROUNDS:
            self._rounds += 1
            self._seen.clear()
            return True
        most = "\n".join(f"  {count} x {name}" for name, count in self._seen.most_common(_NAMED))
        why = (
            "Frames keep going through the pipeline and nothing of them takes any time: an answer "
            "without end, or services that answer each other. Allow more with Limits(turns=...)"
            if busy
            else "Something polls without waiting"
        )
        turns += self._rounds * self.limits.turns
        raise self.limit(
            f"Virtual time stands at {elapsed:.3f} s while callbacks keep coming: {turns} turns of "
            f"the loop (Limits.turns). {why}. Seen most in the last {SAMPLED_TURNS} turns:\n{most}",
            stood_still=True,
        )

    def check_cap(self, next_ns: int, elapsed: float) -> None:
        """Raise if the next instant is beyond the cap on virtual time."""
        if next_ns > self.cap_ns:
            raise self.limit(
                f"The simulation reached its cap of {self.cap_ns / 1e9:g} virtual seconds (it is "
                f"at {elapsed:.3f}, the next timer at {next_ns / 1e9:.3f}): end the call earlier, "
                f"or give it more with Limits(virtual_secs=...)"
            )

    def outside_silent(self, what: Iterable[str], elapsed: float) -> SimulationLimitError:
        """Return the error for outside work that virtual time stood still for in vain."""
        return self.limit(
            f"Virtual time stands at {elapsed:.3f} s because of {', '.join(what)}, and nothing "
            f"came from there for {self.limits.outside_secs:g} real seconds: name a job that lives "
            f"as long as the call in JobPolicy(background=...), or allow more with "
            f"Limits(outside_secs=...)",
            stood_still=True,
        )

    def limit(self, message: str, *, stood_still: bool = False) -> SimulationLimitError:
        """Return a limit error with the waiting tasks and the caller's context."""
        return SimulationLimitError(self._worded(message), stood_still=stood_still)

    def deadlock(self, elapsed: float) -> SimulationDeadlockError:
        """Return the error for a loop on which nothing will ever happen."""
        return SimulationDeadlockError(
            self._worded(f"Nothing is scheduled and nothing is ready at {elapsed:.3f} virtual s")
        )

    def _worded(self, message: str) -> str:
        message = f"{message}\nWaiting:\n{self._waiting()}"
        if self.describe is None:
            return message
        try:
            return f"{message}\n{self.describe()}"
        except Exception as exc:  # a broken description must not hide the error
            return f"{message}\n(no description: {exc!r})"


def _callback_name(handle: asyncio.Handle) -> str:
    """Return the name of a handle's callback; a task's step has the name of its coroutine."""
    callback = getattr(handle, "_callback", None)
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        coro = owner.get_coro()
        return f"{owner.get_name()} ({getattr(coro, '__qualname__', coro)})"
    return getattr(callback, "__qualname__", repr(callback))
