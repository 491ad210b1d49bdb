"""What a model answered, kept by all that it was given: exact, because it is a function of that.

The detector, the end-of-turn model and the offline recogniser keep nothing between two calls, so
the same sound in the same state gives the same answer, bit for bit. In simulations, where the same
callers are heard over and over (a test that is run again, another prompt for the same callers), the
answer is taken from here and the model not asked. A live call hears no sound twice and is not
slowed down by this: what is new is remembered inside of `remembered` only.

Every memory is bounded, and forgets what was asked for longest ago. Any thread may use one.
"""

from __future__ import annotations

import contextvars
import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Generic, TypeVar

V = TypeVar("V")

#: Whether answers are remembered here; None where nobody has said.
_wanted: contextvars.ContextVar[bool | None] = contextvars.ContextVar("remembers", default=None)
_memories: weakref.WeakSet[PureMemory[object]] = weakref.WeakSet()  # all but the lasting ones


class PureMemory(Generic[V]):
    """A bounded mapping of what a function was given to what it returned.

    Values are shared by whoever asks: they must never be changed.
    """

    def __init__(self, most: int, *, lasting: bool = False) -> None:
        """Make an empty memory.

        Args:
            most: The most answers that are kept.
            lasting: Whether it is of what every call has, silence say, and outlives `forget_all`.
        """
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, V] = OrderedDict()  # under _lock; the oldest first
        #: How often an answer was known, and how often not. For benchmarks: not exact in threads.
        self.hits = self.misses = 0
        if not lasting:
            _memories.add(self)  # type: ignore[arg-type]  # of any values

    def get(self, key: Hashable) -> V | None:
        """Return an answer, None if it isn't known."""
        with self._lock:
            value = self._known.get(key)
            if value is None:
                self.misses += 1
                return None
            self.hits += 1
            self._known.move_to_end(key)
            return value

    def put(self, key: Hashable, value: V) -> V:
        """Keep an answer and return it; None is none."""
        with self._lock:
            self._known[key] = value
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return value

    def forget(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._known.clear()

    def __len__(self) -> int:
        return len(self._known)


@contextmanager
def remembered(remember: bool = True) -> Iterator[None]:
    """Remember what models answer inside the block; an outer block decides for inner ones.

    Holds for this context and for the tasks that are made in it.

    Args:
        remember: Whether to.
    """
    decided = _wanted.get()
    token = _wanted.set(remember if decided is None else decided)
    try:
        yield
    finally:
        _wanted.reset(token)


def remembers() -> bool:
    """Tell whether answers are remembered here."""
    return _wanted.get() is True


def forget_all() -> None:
    """Empty every memory of what was heard: what comes is new."""
    for memory in list(_memories):
        memory.forget()


def digest(*parts: bytes) -> bytes:
    """Return 16 bytes that stand for parts of fixed lengths."""
    made = blake2b(digest_size=16)
    for part in parts:
        made.update(part)
    return made.digest()
