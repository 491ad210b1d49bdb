"""A terminal for a program under test: a pseudo-terminal, and a screen that shows what it drew."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

_CODES = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])")


class Screen:
    """What a person sees: rows of characters, some of them drawn over, long lines wrapped."""

    def __init__(self, columns: int) -> None:
        self.rows = [""]
        self._columns = columns
        self._row = self._column = 0
        self._unread = ""  # the beginning of an escape code

    def show(self, text: str) -> None:
        text, at = self._unread + text, 0
        self._unread = ""
        while at < len(text):
            char = text[at]
            if char == "\x1b":
                code = _CODES.match(text, at)
                if code is None:
                    self._unread = text[at:]
                    return
                self._obey(code)
                at = code.end()
                continue
            at += 1
            if char == "\r":
                self._column = 0
            elif char == "\n":
                self._next_row()
            else:
                self._put(char)

    def _obey(self, code: re.Match[str]) -> None:
        assert code[2] in "mKJA", f"an escape code that this terminal lacks: {code[0]!r}"
        if code[2] == "A":
            self._row -= int(code[1] or 1)
            assert self._row >= 0, "above the first row"
        elif code[2] in "KJ":
            self.rows[self._row] = self.rows[self._row][: self._column]
        if code[2] == "J":
            del self.rows[self._row + 1 :]

    def _next_row(self) -> None:
        self._row, self._column = self._row + 1, 0
        if self._row == len(self.rows):
            self.rows.append("")

    def _put(self, char: str) -> None:
        if self._column == self._columns:
            self._next_row()
        row = self.rows[self._row].ljust(self._column)
        self.rows[self._row] = row[: self._column] + char + row[self._column + 1 :]
        self._column += 1


class PtyProgram:
    """A program whose controlling terminal is a pseudo-terminal."""

    def __init__(self, arguments: list[str], env: dict[str, str], columns: int = 80) -> None:
        self._keys, self._terminal = pty.openpty()
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)
        self.modes = self.modes_now()
        self.screen = Screen(columns)
        self.seen: list[str] = []  # the bottom row after each piece of output
        # The child makes the terminal its own, so that Ctrl-C is a signal there.
        own = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        run = "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", own + run, *arguments],
            env={**env, "TERM": "xterm"},
            stdin=self._terminal,
            stdout=self._terminal,
            stderr=self._terminal,
            start_new_session=True,
        )

    def modes_now(self) -> list:
        """What the terminal does with keys and output now."""
        return termios.tcgetattr(self._terminal)

    def press(self, keys: str) -> None:
        os.write(self._keys, keys.encode())

    def until(self, met, secs: float = 20.0) -> None:
        """Read what it shows until something is true of it."""
        deadline = time.monotonic() + secs
        while not met():
            left = deadline - time.monotonic()
            assert left > 0, f"not in {secs} s:\n" + "\n".join(self.screen.rows)
            if select.select([self._keys], [], [], min(left, 0.1))[0]:
                self.screen.show(os.read(self._keys, 4096).decode(errors="replace"))
                self.seen.append(self.screen.rows[-1])

    @property
    def text(self) -> str:
        return "\n".join(self.screen.rows)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._keys)
        os.close(self._terminal)
