"""The one account of a call: an append-only list of events, safe to read from any thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Protocol, TypeVar, get_type_hints

from piopiy_lab.checks.data_frames import ANYTHING, data_frame, kind_of
from piopiy_lab.checks.texts import described
from piopiy_lab.events import ErrorOccurred, Event

if TYPE_CHECKING:
    from pandas import DataFrame

#: Its filter, which takes secrets out of it, is set where the package's loggers are made.
_log = logging.getLogger("piopiy_lab.call")

E = TypeVar("E", bound=Event)


def clock_from_now() -> Callable[[], float]:
    """Return a clock that gives the seconds since now, for a call on the wall clock."""
    began = time.monotonic()
    return lambda: time.monotonic() - began


class LineSink(Protocol):
    """Where each event's line goes as it happens (a file that is flushed line by line)."""

    def write_line(self, line: str) -> None:
        """Write one line, without its newline, and make sure that it outlives the process."""
        ...


class EventLog:
    """An append-only list of events.

    Producers append from the session's loop (and from whichever thread a transport lives on);
    views pull with a cursor from any thread. Nothing here draws or waits.
    """

    def __init__(self, clock: Callable[[], float] | None = None, sink: LineSink | None = None):
        """Make an empty log.

        Args:
            clock: Gives the call's seconds; without one the log is a finished call's.
            sink: Gets every event's line as it is appended.
        """
        self._events: list[Event] = []  # written by append(), under _lock
        self._lock = threading.Lock()
        self._clock = clock
        self._sink = sink  # set to None when it failed or the call was closed
        self._listeners: tuple[Callable[[Event], None], ...] = ()  # replaced, never mutated
        self.sink_error: OSError | None = None  # why the sink was given up, if it was

    def now(self) -> float:
        """Return the call's seconds now; the last event's time in a finished log."""
        if self._clock is not None:
            return self._clock()
        return self._events[-1].at if self._events else 0.0

    def append(self, event: Event) -> None:
        """Append an event, write its line, and tell the listeners on this thread.

        A listener that raises is dropped, with an event and a log line: the others go on.
        A sink that fails (a full disk) is given up once and remembered in ``sink_error``; the
        events stay in memory.
        """
        with self._lock:
            self._events.append(event)
            if self._sink is not None:
                try:
                    self._sink.write_line(event.to_json())
                except OSError as error:
                    self.sink_error = error
                    self._sink = None
        for listener in self._listeners:
            try:
                listener(event)
            except Exception as error:
                self._drop(listener, error)

    def _drop(self, listener: Callable[[Event], None], error: Exception) -> None:
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known != listener)
        name = getattr(listener, "__name__", type(listener).__name__)
        _log.exception("the listener %s() of a call's events is told of nothing more", name)
        message = f"the listener {name}() of the events raised {described(error)}"
        remedy = "it is told of nothing more"
        self.append(
            ErrorOccurred(at=self.now(), message=message, source=f"{name}()", remedy=remedy)
        )

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``listener(event)`` after each append, on the appending thread.

        For parts that must act at once (a scripted caller). Views pull with :meth:`since`
        instead. The listener must not block.

        Returns:
            A function that ends the subscription.
        """
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(known for known in self._listeners if known != listener)

        return unsubscribe

    def close(self) -> None:
        """Stop writing to the sink; the clock stands still at the last event."""
        with self._lock:
            self._sink = None
            self._clock = None

    def since(self, cursor: int) -> tuple[list[Event], int]:
        """Return the events from ``cursor`` on and the next cursor; start with 0."""
        with self._lock:
            return self._events[cursor:], len(self._events)

    def of(self, *kinds: type[E]) -> list[E]:
        """Return the events of these kinds, in order."""
        return [event for event in self.snapshot() if isinstance(event, kinds)]

    def to_pandas(self, *kinds: type[Event]) -> DataFrame:
        """Return a table: a row per event.

        Its columns are at (seconds of the call's clock), type, and the fields of the events that
        are in it, or of the kinds that were asked for.

        Args:
            *kinds: Kinds of events; without any, all.

        Raises:
            MissingExtraError: pandas isn't installed (the extra ``pandas``).
        """
        found = self.of(*kinds) if kinds else self.snapshot()
        rows = (
            {"type": type(e).__name__, **{f.name: getattr(e, f.name) for f in fields(e)}}
            for e in found
        )
        columns = {"at": "float64", "type": "string"}
        for kind in dict.fromkeys((*kinds, *map(type, found))):
            hints = get_type_hints(kind)
            for field in fields(kind):
                held = kind_of(hints[field.name])
                same = columns.setdefault(field.name, held) == held
                columns[field.name] = held if same else ANYTHING
        return data_frame(rows, columns)

    def snapshot(self) -> list[Event]:
        """Return a copy of the list as it stands."""
        with self._lock:
            return list(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.snapshot())

    def __getitem__(self, index: int) -> Event:
        return self._events[index]

    def __repr__(self) -> str:
        return f"<EventLog: {len(self._events)} events>"
