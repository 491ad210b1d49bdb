"""That code runs on the thread it says: ``assert self._here(), "only on the session's loop"``.

An assert, so ``python -O`` leaves it out; it costs one comparison.
"""

from __future__ import annotations

import threading


class SameThread:
    """Remembers the thread that it was made on; calling it says whether this is it."""

    def __init__(self) -> None:
        self._ident = threading.get_ident()

    def __call__(self) -> bool:
        """Say whether this is the thread."""
        return threading.get_ident() == self._ident
