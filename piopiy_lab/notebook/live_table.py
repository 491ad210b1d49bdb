"""A table in a notebook's cell that follows what it shows, until that has come to its end.

It pulls: a daemon thread looks every half second whether there is something new.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol

from piopiy_lab.events.values import ServedState

#: Seconds between two looks.
LOOK_SECS = 0.5


class Changing(Protocol):
    """What can be shown so. Its properties may be read from any thread."""

    @property
    def changes(self) -> int:
        """A number that is another one after each change."""
        ...

    @property
    def state(self) -> ServedState:
        """Where it stands; "stopped" and "failed" are the end."""
        ...

    def _repr_html_(self) -> str: ...


def show_live(obj: Changing) -> None:
    """Show an object in the cell that runs now, and keep what is shown up to date."""
    from IPython.display import display

    handle: object = display(_bundle(obj), raw=True, display_id=True)
    if handle is not None:
        threading.Thread(
            target=_follow, args=(obj, handle), name="piopiy-live-table", daemon=True
        ).start()


def _follow(obj: Changing, handle: Any) -> None:
    shown: object = None
    while True:
        ended = obj.state in ("stopped", "failed")
        # a running call's seconds grow without a change: every tenth look shows them
        now = (obj.changes, obj.state, int(time.monotonic() / (10 * LOOK_SECS)))
        if now != shown:
            shown = now
            handle.update(_bundle(obj), raw=True)
        if ended:
            return
        time.sleep(LOOK_SECS)


def _bundle(obj: Changing) -> dict[str, str]:
    return {"text/plain": repr(obj), "text/html": obj._repr_html_()}
