"""The clock of the live views: one thread that lets each view pull a few times a second.

The page draws at its own pace from what it was sent, a moment behind the call; so seven messages a
second are enough for a picture that moves smoothly, and a kernel that is busy in a cell draws on.
The thread runs while a page looks at a running call, and ends by itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from logging import Logger
from typing import Protocol

from piopiy_lab.logs import safe_logger

log: Logger = safe_logger(__name__)

#: Seconds between two pulls.
PULL_SECS = 0.15
#: Seconds after which a page that has not been heard of counts as gone. Long, because a kernel
#: that is busy in a cell hears nothing either.
GONE_SECS = 600.0


class Pulled(Protocol):
    """A view that can be asked to send what is new."""

    def pull(self) -> bool:
        """Send what is new; on the pump's thread. False: there will be nothing more."""
        ...


class Pump:
    """Lets views pull until they have nothing more, or nobody looks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Make a pump; its thread starts with the first view."""
        self._clock = clock
        self._views: dict[Pulled, float] = {}  # view -> when it was last heard of; under _lock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None  # runs while there are views
        self._wake = threading.Event()

    def add(self, view: Pulled) -> None:
        """Let a view pull from now on, or say that its page is still there. Any thread."""
        with self._lock:
            self._views[view] = self._clock()
            if self._thread is None:
                self._wake.clear()
                self._thread = threading.Thread(
                    target=self._run, name="piopiy-lab-panel", daemon=True
                )
                self._thread.start()

    def remove(self, view: Pulled) -> None:
        """Let a view rest: nobody looks. Any thread."""
        with self._lock:
            self._views.pop(view, None)
            if not self._views:
                self._wake.set()

    def _run(self) -> None:
        while True:
            began = self._clock()
            with self._lock:
                gone = [v for v, heard in self._views.items() if began - heard > GONE_SECS]
                for view in gone:
                    del self._views[view]
                views = list(self._views)
                if not views:
                    self._thread = None
                    return
            for view in views:
                if not _pulled(view):
                    self.remove(view)
            self._wake.wait(max(0.0, began + PULL_SECS - self._clock()))


def _pulled(view: Pulled) -> bool:
    """Let a view pull; one that can't is dropped with a word, and the others go on."""
    try:
        return view.pull()
    except Exception as error:
        log.error("%r follows its call no more (%s: %s)", view, type(error).__name__, error)
        return False


#: The process's pump.
pump: Pump = Pump()
