"""Temporary folders that don't outlive their process for long.

A process that is killed can't take its folders away: the work for the workers is in one, with what
the session closes over, and the calls' sound in another. Who makes one next clears those of
processes that are gone. Their names have the process's number, and the machine's name.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import tempfile
from pathlib import Path

_OURS = re.compile(r"piopiy-lab-(?:work|calls|marks)-(\d+)@(.*)-[^-]*$")


def temporary_folder(what: str) -> tempfile.TemporaryDirectory[str]:
    """Make a folder that nobody else may read, and clear what killed processes of ours left.

    Args:
        what: "work", "calls" or "marks".

    Raises:
        OSError: The disk is full, or can't be written.
    """
    _clear()
    return tempfile.TemporaryDirectory(prefix=f"piopiy-lab-{what}-{os.getpid()}@{_machine()}-")


def _clear() -> None:
    with contextlib.suppress(OSError):
        for place in Path(tempfile.gettempdir()).glob("piopiy-lab-*"):
            name = _OURS.match(place.name)
            if name is None or name[2] != _machine():
                continue  # a container's processes have numbers of their own
            if not _lives(int(name[1])):
                shutil.rmtree(place, ignore_errors=True)  # another user's can't be removed


def _machine() -> str:
    return re.sub(r"[^\w.]", "_", platform.node())


def _lives(pid: int) -> bool:
    """Whether there is such a process; one that isn't ours counts as alive."""
    if os.name == "nt":
        return True  # os.kill(pid, 0) would end it there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
