"""What is typed while something else goes on: keys one by one where a terminal gives them."""

from __future__ import annotations

import codecs
import contextlib
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Iterator

#: What the keys that are no characters send (arrows, function keys, Alt with another).
_ESCAPES = re.compile(r"\x1b(?:[\[O][0-?]*[ -/]*[@-~]|.?)", re.DOTALL)


#: What Ctrl-D sends where keys come one by one.
_END_KEY = "\x04"


class Typed:
    """Nothing is typed; what is has a class of its own. Used on one thread.

    Attributes:
        by_hand: Whether a person types, who sees what is said meanwhile.
        over: Whether nothing more will come: the end of a file, or Ctrl-D.
    """

    by_hand: bool = False
    over: bool = False

    def take(self) -> str:
        """Return what was typed since the last time, at once."""
        return ""

    def wait(self, secs: float) -> None:
        """Wait, less long if a key is pressed."""
        time.sleep(secs)


class Lines(Typed):
    """Lines from a pipe or a terminal that can't give single keys; read by a thread of its own."""

    def __init__(self) -> None:
        """Begin to read standard input."""
        self.by_hand = sys.stdin.isatty()
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # None is the end
        threading.Thread(target=self._read, name="piopiy-lab-typing", daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.put(line if line.endswith("\n") else f"{line}\n")
        self._lines.put(None)

    def take(self) -> str:
        """Return the lines that came since the last time."""
        lines: list[str] = []
        with contextlib.suppress(queue.Empty):
            while (line := self._lines.get_nowait()) is not None:
                lines.append(line)
            self.over = True
        return "".join(lines)


class Keys(Typed):
    """Keys of a terminal, as they are pressed."""

    by_hand = True

    def __init__(self, number: int) -> None:
        """Read a file descriptor of a terminal that gives keys one by one."""
        self._number = number
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
        self._open = True

    def take(self) -> str:
        """Return the characters that were typed since the last time, without cursor keys."""
        data = b""
        while self._pressed(0):
            try:
                part = os.read(self._number, 1024)
            except OSError:
                part = b""
            self._open = bool(part)  # nothing to read although there is: the terminal has gone
            data += part
        keys = _ESCAPES.sub("", self._decoder.decode(data))
        self.over = self.over or _END_KEY in keys or not self._open
        return keys

    def wait(self, secs: float) -> None:
        """Wait, until a key is pressed at most."""
        if self._open:
            self._pressed(secs)
        else:
            time.sleep(secs)

    def _pressed(self, secs: float) -> bool:
        import select

        return self._open and bool(select.select([self._number], [], [], secs)[0])


def one_by_one() -> bool:
    """Whether keys can be read one by one; what is typed is then shown by nobody else."""
    return sys.platform != "win32" and sys.stdin is not None and sys.stdin.isatty()


@contextlib.contextmanager
def typing(*, keys: bool) -> Iterator[Typed]:
    """Give what is typed.

    Args:
        keys: Key by key, without the terminal's echo, where :func:`one_by_one`; False for lines.
    """
    if sys.stdin is None or sys.stdin.closed:
        yield Typed()
        return
    if not keys or not one_by_one():
        yield Lines()
        return
    import termios
    import tty

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    tty.setcbreak(number)  # Ctrl-C stays what it is
    try:
        yield Keys(number)
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)
