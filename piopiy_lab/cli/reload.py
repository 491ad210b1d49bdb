"""``piopiy-lab talk --reload``: the command begins again when its session's code is saved."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import NoReturn

from piopiy_lab.display.user_traceback import is_users

#: Seconds between two looks at the files while nothing else is to be done.
LOOK_SECS = 0.2


class Watched:
    """A session's file and the modules of the same folder that it imports. Used on one thread."""

    def __init__(self, file: Path) -> None:
        """Watch a file from now on; what it imports is watched once it is imported."""
        self.file = file
        self._saved: dict[Path, int] = {}  # ns; when a file was saved, as far as is known
        self.changed()

    def changed(self) -> Path | None:
        """Return a file that was saved since the last time; None while none was."""
        found: Path | None = None
        for path in self._files():
            try:
                saved = path.stat().st_mtime_ns
            except OSError:
                continue  # an editor writes it at this moment
            if self._saved.setdefault(path, saved) != saved:
                self._saved[path], found = saved, path
        return found

    def wait(self) -> Path:
        """Wait until one is saved, and return it."""
        while (path := self.changed()) is None:
            time.sleep(LOOK_SECS)
        return path

    def _files(self) -> set[Path]:
        names = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        paths = {Path(name) for name in names if isinstance(name, str) and is_users(name)}
        return {self.file, *(path for path in paths if path.is_relative_to(self.file.parent))}


def begin_again() -> NoReturn:
    """Begin this very command again, in this process's place: every module is read anew."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
