"""Writing to a terminal, a pipe or a file: colors where they help, and no surprises elsewhere.

Nothing here raises because of what is written: characters that the stream's encoding lacks are
escaped, and control characters in what people and models said become spaces.
"""

from __future__ import annotations

import errno
import os
import sys
import unicodedata
from typing import TextIO

from piopiy_lab.redaction import redact_text

_CODES = {"dim": "2", "bold": "1", "agent": "36", "caller": "32", "tool": "33", "bad": "31"}


class OutputClosedError(Exception):
    """Nobody reads what is written any more (``piopiy-lab ... | head``)."""


class Terminal:
    """Standard output, or a stream in its place."""

    def __init__(self, stream: TextIO | None = None, *, color: bool = True) -> None:
        """Write to a stream.

        Args:
            stream: Standard output if None.
            color: False for no colors; True for colors on a tty where NO_COLOR is not set.
        """
        self._stream = sys.stdout if stream is None else stream
        self.redraws: bool = _shows_codes(self._stream)  # whether a line can be drawn anew
        self.colored: bool = color and self.redraws and not os.environ.get("NO_COLOR")

    def line(self, text: str = "") -> None:
        """Write a line."""
        self.write(f"{text}\n")

    def heading(self, text: str) -> None:
        """Write an empty line and a heading."""
        self.line(f"\n{self.styled(text, 'bold')}")

    def write(self, text: str) -> None:
        """Write a text, at once.

        Raises:
            OutputClosedError: The reader of the pipe has gone.
        """
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()
        except OSError as error:
            # Windows says "invalid argument" for a pipe that was closed at its other end.
            if error.errno in (errno.EPIPE, errno.EINVAL, errno.ESHUTDOWN):
                raise OutputClosedError from error
            raise

    @property
    def columns(self) -> int:
        """How many characters go on a line."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80  # no terminal

    def styled(self, text: str, style: str) -> str:
        """Return the text in a style: dim, bold, agent, caller, tool or bad."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.colored and text else text


def printable(text: str) -> str:
    """Return the text on one line, without control characters and secrets."""
    return "".join(char if char.isprintable() else " " for char in redact_text(text))


def fitted(text: str, columns: int, *, keep_end: bool = False) -> str:
    """Return as much of a text as goes on so many columns of a terminal.

    Args:
        text: One line of it.
        columns: How many there are.
        keep_end: Keep its end, after "...", where not all of it fits.
    """
    widths = [_columns_of(char) for char in text]
    if sum(widths) <= columns:
        return text
    mark = "..." if keep_end and columns > 3 else ""
    chars = zip(text, widths, strict=True)
    kept, room = "", columns - len(mark)
    for char, width in reversed(list(chars)) if keep_end else chars:
        room -= width
        if room < 0:
            break
        kept = char + kept if keep_end else kept + char
    return mark + kept


def _columns_of(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def forget_stdout() -> None:
    """Point standard output at nothing, so that Python's own flush at exit can't fail."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return  # no real file
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, number)
    os.close(nothing)


def _shows_codes(stream: TextIO) -> bool:
    if os.environ.get("TERM") == "dumb":
        return False
    if sys.platform == "win32" and not {"WT_SESSION", "TERM"} & set(os.environ):
        return False  # the old console shows the codes themselves
    return stream.isatty()
