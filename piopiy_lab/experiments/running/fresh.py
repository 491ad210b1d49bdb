"""A worker that stays must not run what its user has changed since: their modules, anew.

On a worker's main thread, between calls.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator

from piopiy_lab.display.user_traceback import is_users

#: The user's files that were imported here, and when each was changed last, in ns.
_seen: dict[str, int] = {}


def note_files() -> None:
    """Remember the user's files that are imported by now: after a call."""
    for _, path, changed in _theirs():
        _seen.setdefault(path, changed)


def forget_changed() -> None:
    """Have the user's modules imported anew if a file of theirs has changed: before a call.

    All of them, for one may hold what another had.
    """
    theirs = list(_theirs())
    if all(_seen.get(path, changed) == changed for _, path, changed in theirs):
        return
    for name, _, _ in theirs:
        del sys.modules[name]
    _seen.clear()
    importlib.invalidate_caches()


def _theirs() -> Iterator[tuple[str, str, int]]:
    """Yield the user's modules: name, file, and when it was changed last."""
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and is_users(path) and name not in ("__main__", "__mp_main__"):
            with contextlib.suppress(OSError):  # its file is gone
                yield name, path, os.stat(path).st_mtime_ns
