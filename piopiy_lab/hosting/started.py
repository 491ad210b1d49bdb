"""What notebook cells and scripts have started and what still runs, on threads of its own.

Running a cell again ends what the same cell started before; the process's exit ends everything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from piopiy_lab import display
from piopiy_lab.errors import CallError, SignalingError
from piopiy_lab.hosting.seams import when_forked, when_leaving

T = TypeVar("T")


class Started(Generic[T]):
    """The things of one kind that run in the background. Safe from any thread."""

    def __init__(
        self,
        end: Callable[[T], None],
        join: Callable[[T, float], object],
        exit_secs: float,
        *,
        hurry: Callable[[T], None] = lambda _: None,
    ) -> None:
        """Know of nothing yet.

        Args:
            end: Asks one to end; returns at once, and does nothing if it has ended.
            join: Waits for one, so many seconds at most; a TimeoutError if that is too short.
            exit_secs: Seconds that the process's exit waits for each.
            hurry: Asks one that ends to do so without doing anything else first.
        """
        self._end = end
        self._join = join
        self._hurry = hurry
        self._lock = threading.Lock()
        self._running: dict[T, str | None] = {}  # and the cell that started it; under _lock
        when_leaving(self.end_all, exit_secs)
        when_forked(self._forget)

    def _forget(self) -> None:
        """Know of nothing, in a forked child: what runs, runs in the parent."""
        self._lock = threading.Lock()  # it may have been held by a thread that is not here
        self._running = {}

    def end_older(self) -> None:
        """End what the cell that runs now has started when it ran before."""
        cell = display.cell_key()
        if cell is None:
            return
        with self._lock:
            older = [thing for thing, its_cell in self._running.items() if its_cell == cell]
        for thing in older:
            self._end(thing)

    def add(self, thing: T) -> None:
        """Note that this runs from now on, and that the cell which runs now has started it."""
        with self._lock:
            self._running[thing] = display.cell_key()

    def discard(self, thing: T) -> None:
        """Note that this has ended."""
        with self._lock:
            self._running.pop(thing, None)

    def __iter__(self) -> Iterator[T]:
        """What runs, oldest first; a copy."""
        with self._lock:
            return iter(list(self._running))

    def end_all(self, timeout: float) -> None:
        """End everything, and wait.

        Args:
            timeout: Seconds to wait for each.
        """
        things = list(self)
        for thing in things:
            self._end(thing)
            self._hurry(thing)
        for thing in things:
            try:
                self._join(thing, timeout)
            except (TimeoutError, SignalingError, CallError):
                continue  # a blocked loop: its thread is a daemon
