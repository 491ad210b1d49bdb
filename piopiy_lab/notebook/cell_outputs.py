"""What the cell that runs now has put out so far, so that a progress line can go without a trace.

What a cell displays can be replaced, but not taken back: only all of a cell's output can be
cleared. So whoever wants to leave nothing has to know whether anything else is there. Neither
ipykernel nor the protocol tells; every message to the front end goes through the kernel's one
``session.send`` (public, jupyter_client), which is listened to here.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

#: The messages that put something below a cell.
_OUTPUTS = {"display_data", "execute_result", "stream", "error"}


class CellOutputs:
    """Counts what each cell of a kernel puts out."""

    def __init__(self, kernel: Any) -> None:
        """Listen to a kernel's messages from now on.

        Args:
            kernel: ipykernel's, with its ``session``.
        """
        self._kernel = kernel
        self._lock = threading.Lock()  # streams are sent by a thread of their own
        self._cell, self._count = "", 0  # under _lock: the cell's request, and its outputs
        self._send = kernel.session.send
        kernel.session.send = self._sent

    def count(self) -> int:
        """Return how many outputs the cell that runs now has; on the thread that runs it."""
        sys.stdout.flush()  # what was printed is sent by then
        sys.stderr.flush()
        with self._lock:
            return self._count if self._cell == _request_of(self._kernel.get_parent("shell")) else 0

    def _sent(self, stream: Any, message: Any, *args: Any, **given: Any) -> Any:
        sent = self._send(stream, message, *args, **given)
        kind = message.get("msg_type") if isinstance(message, dict) else message
        if kind in _OUTPUTS and isinstance(sent, dict):
            cell = str(sent.get("parent_header", {}).get("msg_id", ""))
            with self._lock:
                if cell != self._cell:
                    self._cell, self._count = cell, 0
                self._count += 1
        return sent


def _request_of(parent: Any) -> str:
    """Return the id of the request that runs a cell."""
    return str(parent.get("header", {}).get("msg_id", ""))
