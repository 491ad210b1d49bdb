"""A call that hangs: virtual time has stood still for so many real seconds.

That is no limit on the wall clock: a slow machine's calls move on, slowly. ``SIGALRM`` looks every
now and then whether the clock of the simulation moved. When it didn't for long enough, the code
that is at work is interrupted as by Ctrl-C, which no ``except Exception`` of a session's can eat; a
call that waits (for a server, say) is cancelled. In a worker there is a last resort for code that
lets no signal in: Python's ``faulthandler`` writes down where the process is, and ends it.

Only a process's main thread can be interrupted, and only where there is ``SIGALRM`` (not on
Windows); elsewhere nothing is watched.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import re
import selectors
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import IO

from piopiy_lab.display.user_traceback import is_users, place_in
from piopiy_lab.simulation.current import begun_last

#: The last resort comes after so many times the seconds that a call may stand still.
LAST_RESORT = 3
_LOOKS = 4  # how often it is looked, in the seconds that a call may stand still
_LONGEST_TICK_SECS = 5.0

_OUTSIDE = "waiting for something outside"
#: Where a thread stands that waits for another one, or for a socket.
_WAITING = (threading.__file__, selectors.__file__)


class Hung(KeyboardInterrupt):
    """The signal for a call that hangs: as Ctrl-C, it leaves every loop and most handlers."""


def can_watch() -> bool:
    """Whether calls on this thread can be watched."""
    on_main = threading.current_thread() is threading.main_thread()
    return on_main and hasattr(signal, "setitimer")


class Watch:
    """Watches the call that a coroutine makes, while the block runs; on a loop's main thread.

    What stands still raises :class:`Hung` out of the block, or cancels the task with ``told`` set.

    Attributes:
        told: Why the task was cancelled; None if this did not cancel it.
    """

    def __init__(self, still_secs: float, code: CodeType, stacks: IO[str] | None = None) -> None:
        """Prepare a watch.

        Args:
            still_secs: Real seconds for which virtual time may stand still.
            code: Of the coroutine that makes the call: only below it anything is interrupted.
            stacks: An open file for the last resort, which ends the process; None for none.
        """
        self.told: str | None = None
        self._still_secs, self._code, self._stacks = still_secs, code, stacks
        self._at: object = None  # of the simulation's clock when it was last looked at
        self._since = 0.0  # when it moved, real seconds
        # Whoever had the alarm before: their handler, and when they wanted it (real s), or None.
        self._theirs: Callable[[int, FrameType | None], object] | int | None = None
        self._their_time: float | None = None
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> Watch:
        if not can_watch():
            return self
        self._task = asyncio.current_task()
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        self._their_time = time.monotonic() + left if left else None
        self._moved(None)
        self._theirs = signal.signal(signal.SIGALRM, self._rang)
        if self._theirs is None:  # set by C code, which Python can't put back
            self._theirs = signal.SIG_DFL
        self._set_alarm()
        return self

    def __exit__(self, *error: object) -> None:
        if self._task is None:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._theirs)
        if self._their_time is not None:
            left = self._their_time - time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001))
        if self._stacks is not None:
            faulthandler.cancel_dump_traceback_later()
        self._task = None

    def _set_alarm(self) -> None:
        secs = min(self._still_secs / _LOOKS, _LONGEST_TICK_SECS)
        if self._their_time is not None:
            secs = min(secs, max(self._their_time - time.monotonic(), 0.001))
        signal.setitimer(signal.ITIMER_REAL, secs)

    def _moved(self, at: object) -> None:
        self._at, self._since = at, time.monotonic()
        if self._stacks is not None:
            secs = LAST_RESORT * self._still_secs
            faulthandler.dump_traceback_later(secs, exit=True, file=self._stacks)

    def _rang(self, number: int, frame: FrameType | None) -> None:
        """Look whether the clock moved; the handler of SIGALRM."""
        now = time.monotonic()
        if self._their_time is not None and now >= self._their_time:
            self._their_time = None
            if callable(self._theirs):
                self._theirs(number, frame)
        loop = getattr(begun_last, "loop", None)
        at = None if loop is None else (id(loop), loop.elapsed)
        if at != self._at:
            self._moved(at)
        elif now - self._since >= self._still_secs:
            self._since = now  # should the code eat it, it comes again
            self._set_alarm()
            self._stop(frame)
            return
        self._set_alarm()

    def _stop(self, frame: FrameType | None) -> None:
        frames = list(_outwards(frame))
        if any(one.f_code is self._code for one in frames):
            raise Hung(stood_still(self._still_secs, _place(frames)))
        if self._task is not None:
            self.told = stood_still(self._still_secs, _OUTSIDE)
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)


def stood_still(secs: float, where: str) -> str:
    """Return the text of a row of a call that hung."""
    return f"virtual time stood still for {secs:g} real seconds: {where}"


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _place(frames: list[FrameType]) -> str:
    """Return the user's line that is at work; the innermost, or that one waits, if none is."""
    theirs = next((one for one in frames if is_users(one.f_code.co_filename)), frames[0])
    if theirs.f_code.co_filename in _WAITING:
        return _OUTSIDE
    return place_in(theirs.f_code.co_filename, theirs.f_lineno, theirs.f_code.co_name)


_LINE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<name>\S+)')
_MAIN_THREAD = re.compile(r"^(Current thread|Thread) .*$", re.M)


def place_of_stacks(text: str) -> str | None:
    """Return where a process was when the last resort ended it; None if it did not end so.

    Args:
        text: What ``faulthandler`` wrote: the frames of every thread, the innermost first.
    """
    if "Timeout" not in text:
        return None
    # The main thread is written last.
    stack = _MAIN_THREAD.split(text)[-1]
    found = [(m["file"], int(m["line"]), m["name"]) for m in _LINE.finditer(stack)]
    if not found:
        return "its code lets no signal in"
    return place_in(*next((one for one in found if is_users(one[0])), found[0]))


@contextlib.contextmanager
def stacks_in(path: Path | None) -> Iterator[IO[str] | None]:
    """Open the file for the last resort, and take it away when the block ends well or badly.

    It is there only while a call is at work: who finds it after the process's death knows which.
    """
    if path is None:
        yield None
        return
    try:
        file = path.open("w")
    except OSError:  # the folder is on another machine, or its disk is full: no mark then
        yield None
        return
    try:
        yield file
    finally:
        file.close()
        with contextlib.suppress(OSError):
            path.unlink()
