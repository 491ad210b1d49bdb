"""Notices that a loop is stuck, and says where and for whom. Runs on a thread of its own.

What counts is one *step* of the loop (a callback, or a task up to its next await): twenty calls
that begin at once keep a loop busy for seconds, but each step is short, and all of them come about.
"""

from __future__ import annotations

import contextvars
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from piopiy_lab.hosting import seams

#: Seconds between two looks at a loop that has work. A pulse is one no-op callback.
PULSE_SECS = 0.5
#: Seconds after which a step of the loop counts as stuck: well past a slow model's start, and short
#: enough that a blocked call has ended within 5 s.
BLOCKED_SECS = 3.0
#: The same while it imports, which ends by itself: on a busy machine a first call's imports take
#: longer than that.
IMPORTING_SECS = 30.0


@dataclass(frozen=True, kw_only=True)
class Stall:
    """One step of the loop that lasts and lasts.

    Attributes:
        place: File, line, function and source line of where it is stuck.
        secs: Seconds since it was first seen.
        context: The context that the step runs in, by which a call knows its own; None if the loop
            is in no step at all.
        first: Whether this is the first time that it is told.
    """

    place: str
    secs: float
    context: contextvars.Context | None
    first: bool


class Watchdog:
    """Looks after one loop for as long as it has users. Its methods may be called on any thread."""

    def __init__(self, call: Callable[[Callable[[], None]], None], ident: int) -> None:
        """Look after nobody yet.

        Args:
            call: Calls a function soon on the loop, from any thread.
            ident: ``threading.get_ident()`` of the loop's thread.
        """
        self._call = call
        self._ident = ident
        self._users: dict[object, Callable[[Stall], None]] = {}  # who to tell; under _lock
        self._lock = threading.Lock()
        self._answered = 0.0  # time.monotonic() of the last pulse; written on the loop
        self._thread: threading.Thread | None = None  # runs while there are users; under _lock
        self._wake = threading.Event()  # set when there are no users any more
        #: Whether the loop was ever stuck; written by the watchdog's thread, never cleared.
        self.found_stuck = False

    def add(self, user: object, on_stuck: Callable[[Stall], None]) -> None:
        """Tell ``user`` of stalls from now on; see ``LoopThread.watch``.

        Raises:
            IncompatibleVersionError: A slow model of this onnxruntime would count as a stall.
        """
        seams.expect_model_loading()
        with self._lock:
            self._users[user] = on_stuck
            if self._thread is None:
                self._wake.clear()
                self._thread = threading.Thread(
                    target=self._watch, name="piopiy-lab-watchdog", daemon=True
                )
                self._thread.start()

    def discard(self, user: object) -> None:
        """Tell it no more; the thread ends with the last user."""
        with self._lock:
            self._users.pop(user, None)
            if not self._users:
                self._wake.set()

    def _watch(self) -> None:
        """Pulse the loop; the watchdog's thread."""
        step: FrameType | None = None  # the one that it was in at the last look
        since = time.monotonic()  # when that step was first seen
        told = False
        while True:
            with self._lock:
                self._wake.clear()
                if not self._users:
                    self._thread = None
                    return
            asked = time.monotonic()
            self._call(self._answer)
            self._wake.wait(PULSE_SECS)
            now = time.monotonic()
            if self._answered >= asked:
                step = None
                continue
            seen, suspended = self._step(), now - asked > 2 * PULSE_SECS  # this thread slept too
            if seen is None or seen is not step or suspended:
                step, since, told = seen, asked, False
                continue
            limit = IMPORTING_SECS if self._gets_ready() else BLOCKED_SECS
            if now - since >= limit:
                self._tell(seen, now - since, first=not told)
                told = True

    def _answer(self) -> None:
        self._answered = time.monotonic()

    def _tell(self, step: FrameType, secs: float, *, first: bool) -> None:
        self.found_stuck = True
        context = seams.context_of(step)  # first: a step that has ended has none
        stall = Stall(place=self._where(), secs=secs, context=context, first=first)
        with self._lock:
            everybody = list(self._users.values())
        for on_stuck in everybody:
            # it may have gone on while its place was looked up, which reads source files: a call
            # that listens by now was not stuck as a call that listens
            if self._step() is step:
                on_stuck(stall)

    def _step(self) -> FrameType | None:
        """Return the frame of the step that the loop's thread is in; None between two steps."""
        found = None
        frame = sys._current_frames().get(self._ident)
        while frame is not None:
            if seams.is_step(frame):
                found = frame  # the outermost: a loop may be run inside of another's step
            frame = frame.f_back
        return found

    def _gets_ready(self) -> bool:
        """Whether the loop's thread is importing a module, or reading a model's weights."""
        frame = sys._current_frames().get(self._ident)
        while frame is not None:
            imports = frame.f_code.co_filename.startswith("<frozen importlib")
            if imports or seams.loads_a_model(frame):
                return True
            frame = frame.f_back
        return False

    def _where(self) -> str:
        """Say where the loop's thread is: the innermost frame outside of the standard library."""
        frame = sys._current_frames().get(self._ident)
        if frame is None:
            return "nowhere: the loop's thread has ended"
        stack = traceback.extract_stack(frame)
        ours = (__file__, sys.modules[f"{__package__}.loop_thread"].__file__)
        own = [f for f in stack if not _in_stdlib(f.filename) and f.filename not in ours]
        place = (own or list(stack))[-1]
        return f"{place.filename}:{place.lineno} in {place.name}: {place.line}"


def _in_stdlib(filename: str) -> bool:
    """Whether a file is Python's own: a lock's ``wait()`` says nothing of who waits."""
    stdlib = sysconfig.get_path("stdlib")
    return filename.startswith((stdlib, "<frozen ")) and "site-packages" not in filename
