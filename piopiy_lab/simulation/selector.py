"""The selector of a virtual loop: asks the loop how long to wait."""

from __future__ import annotations

import selectors
from collections.abc import Callable, Mapping
from typing import Any


class VirtualSelector(selectors.BaseSelector):
    """Wraps the platform's selector; `select` is decided by the loop, `wait` is the real one."""

    def __init__(self, poll: Callable[[float | None], list[Any]]) -> None:
        self._real = selectors.DefaultSelector()
        self._poll = poll

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a file object."""
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Watch it no more."""
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch for other events."""
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Return what is watched."""
        return self._real.get_map()

    def close(self) -> None:
        """Close the platform's selector."""
        self._real.close()

    def select(self, timeout: float | None = None) -> list[Any]:
        """Ask the loop."""
        return self._poll(timeout)

    def wait(self, timeout: float | None) -> list[Any]:
        """Wait in real time."""
        return self._real.select(timeout)
