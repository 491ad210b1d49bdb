"""Opening files that others may have put there: regular ones only."""

from __future__ import annotations

import os
import stat
from os import PathLike
from typing import BinaryIO

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def open_regular(path: str | PathLike[str]) -> BinaryIO:
    """Open a file for reading; a pipe, a device or a folder of its name is refused at once.

    Opening a pipe would wait for ever, and a device may have no end.

    Raises:
        OSError: It can't be opened, or is no regular file.
    """
    handle = os.open(path, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{os.fspath(path)!r} is no regular file")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise
