"""Keeps Python's full garbage collections short while live calls run.

A full collection looks at every object of the process, and nothing else runs meanwhile: 0.25 s with
nothing but pipecat and its services imported (450,000 objects), more beside a notebook's own data.
A voice that is played, or a detector that listens, is cut for as long. So what is there when a live
call begins is set aside (``gc.freeze``) until no live call runs any more; what calls make meanwhile
is collected as ever.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_calls = 0  # live calls that run now; guarded by _lock
_ours = False  # whether it was us who froze; guarded by _lock


@contextmanager
def short_pauses() -> Iterator[None]:
    """Keep full collections short meanwhile; any thread, and any number at once.

    Whoever has used ``gc.freeze()`` before is left alone: nobody can tell their objects from ours.
    """
    global _calls, _ours
    with _lock:
        _calls += 1
        if _calls == 1 and gc.get_freeze_count() == 0:
            gc.freeze()
            _ours = True
    try:
        yield
    finally:
        with _lock:
            _calls -= 1
            if _calls == 0 and _ours:
                gc.unfreeze()
                _ours = False
