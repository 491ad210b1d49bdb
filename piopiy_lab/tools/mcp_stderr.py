"""Where an MCP server's standard error goes: to a file of ours, for the words of an error.

``mcp`` gives a server the ``sys.stderr`` of when it was imported. A notebook's has no file
descriptor, so there no server would start; and elsewhere a server's log lines would land in the
user's terminal. The client's module is patched once, when a client is first seen.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextvars import ContextVar
from functools import cache
from typing import TextIO

from piopiy_lab.redaction import shown
from piopiy_lab.tools import seams

#: The file for the server that is started in this context.
STDERR: ContextVar[TextIO | None] = ContextVar("piopiy_lab_mcp_stderr", default=None)

#: Characters of a server's last words in an error.
_LAST_WORDS = 300


def redirect_stderr() -> None:
    """Patch pipecat's MCP module, if it is loaded, so that servers start in a notebook too.

    Raises:
        IncompatibleVersionError: The module is not as MCP tools need it.
    """
    seams.wrap_stdio_client(lambda: STDERR.get() or _default())


def _default() -> TextIO:
    """Return the process's standard error, or a file that nobody reads where it has none."""
    try:
        sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return _nowhere()
    return sys.stderr


@cache
def _nowhere() -> TextIO:
    """Return a file that nobody reads, open as long as the process lives: servers share it."""
    return open(os.devnull, "w", encoding="utf-8")


def new_file() -> TextIO:
    """Return a file for one server; it is gone when it is closed."""
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")


def last_words(file: TextIO | None) -> str:
    """Return the end of what a server wrote, in one line and without secrets; "" if nothing."""
    if file is None or file.closed:
        return ""
    descriptor = file.fileno()
    size = os.fstat(descriptor).st_size
    raw = os.pread(descriptor, 4 * _LAST_WORDS, max(0, size - 4 * _LAST_WORDS))
    lines = raw.decode("utf-8", "replace").strip().splitlines()
    return shown(" ".join(lines[-1].split())[-_LAST_WORDS:]) if lines else ""
