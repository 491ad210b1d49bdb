"""The loop thread: one asyncio loop in its own thread, shared by the calls of this process.

``start_call`` returns at once because the call runs here. Cells, widgets and scripts reach the
loop only through this module; nothing else in the package crosses threads with asyncio.

A loop that is blocked (C code, ``time.sleep`` in an ``async def``) can't be stopped from outside.
A watchdog thread notices, names the line it is stuck in, and hands the loop over to history: its
calls end as "unresponsive", and the next call gets a fresh loop.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import TypeVar

#: Seconds between two looks at a loop that has work. A pulse is one no-op callback.
PULSE_SECS = 0.5
#: Seconds without an answer after which a loop counts as blocked: well past a slow model's start,
#: and short enough that a blocked call has ended within 5 s.
BLOCKED_SECS = 3.0
#: The same while it imports, which ends by itself: on a busy machine a first call's imports take
#: longer than that.
IMPORTING_SECS = 30.0
#: The function in which onnxruntime reads a model: a tenth of a second, but not beside others.
LOADS_A_MODEL = "_create_inference_session"


T = TypeVar("T")


class LoopThread:
    """An asyncio loop that runs in a daemon thread until :meth:`stop`, watched while in use."""

    def __init__(self, name: str = "piopiy-lab-loop") -> None:
        """Start the thread and wait until its loop runs.

        Args:
            name: The thread's name, as seen in tracebacks and ``threading.enumerate()``.
        """
        self.loop = asyncio.new_event_loop()
        self.blocked = False  # set by the watchdog, never cleared: the loop is given up
        self._users: dict[object, Callable[[str], None]] = {}  # who to tell; any thread, _lock
        self._lock = threading.Lock()
        self._answered = time.monotonic()  # written on the loop, read by the watchdog
        self._watchdog: threading.Thread | None = None  # runs while there are users
        self._unwatched = threading.Event()  # wakes the watchdog so that it can end
        running = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(running,), name=name, daemon=True)
        self._thread.start()
        running.wait()

    def _run(self, running: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.call_soon(running.set)
        self.loop.run_forever()
        pending = asyncio.all_tasks(self.loop)
        for task in pending:
            task.cancel()
        if pending:
            self.loop.run_until_complete(asyncio.wait(pending, timeout=2.0))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    @property
    def thread_ident(self) -> int | None:
        """The thread's identifier, to compare with ``threading.get_ident()``."""
        return self._thread.ident

    def submit(
        self, coroutine: Coroutine[object, object, T], context: contextvars.Context
    ) -> Future[T]:
        """Run a coroutine on the loop in ``context``; call from any thread.

        Returns:
            A future of the calling side; cancelling it cancels the task.
        """
        done: Future[T] = Future()

        def start() -> None:
            task = self.loop.create_task(coroutine, context=context)

            def copy_result(task: asyncio.Task[T]) -> None:
                if done.cancelled():
                    return
                if task.cancelled():
                    done.cancel()
                elif (error := task.exception()) is not None:
                    done.set_exception(error)
                else:
                    done.set_result(task.result())

            task.add_done_callback(copy_result)
            done.add_done_callback(
                lambda done: self.call(task.cancel) if done.cancelled() else None
            )

        self.call(start)
        return done

    def call(self, function: Callable[..., object], *args: object) -> None:
        """Call a function on the loop soon; from any thread. A closed loop ignores it."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(function, *args)

    def watch(self, user: object, on_blocked: Callable[[str], None]) -> None:
        """Keep a watchdog on the loop while ``user`` uses it.

        Args:
            user: Any object, to be given to :meth:`unwatch`.
            on_blocked: Called once, on the watchdog's thread, with the place where the loop is
                stuck (file, line, function and source line).
        """
        with self._lock:
            self._users[user] = on_blocked
            if self._watchdog is None:
                self._answered = time.monotonic()
                self._unwatched.clear()
                self._watchdog = threading.Thread(
                    target=self._watch, name="piopiy-lab-watchdog", daemon=True
                )
                self._watchdog.start()

    def unwatch(self, user: object) -> None:
        """End what :meth:`watch` began; the watchdog ends with its last user."""
        with self._lock:
            self._users.pop(user, None)
            if not self._users:
                self._unwatched.set()

    def _watch(self) -> None:
        """Pulse the loop; runs on the watchdog's thread."""

        def answer() -> None:
            self._answered = time.monotonic()

        while True:
            with self._lock:
                self._unwatched.clear()
                if not self._users:
                    self._watchdog = None
                    return
            asked = time.monotonic()
            self.call(answer)
            self._unwatched.wait(PULSE_SECS)
            silent = time.monotonic() - self._answered
            if self._answered >= asked or silent < BLOCKED_SECS:
                continue
            if silent < IMPORTING_SECS and self._gets_ready():
                continue
            if time.monotonic() - asked > 2 * PULSE_SECS:
                continue  # this thread slept too: the whole process or machine was suspended
            place = self.where()
            with self._lock:
                self.blocked = True
                users, self._users = list(self._users.values()), {}
                self._watchdog = None
            for on_blocked in users:
                on_blocked(place)
            return

    def _gets_ready(self) -> bool:
        """Whether the loop's thread is importing a module, or reading a model's weights."""
        frame = sys._current_frames().get(self._thread.ident or -1)
        while frame is not None:
            code = frame.f_code
            if code.co_filename.startswith("<frozen importlib") or code.co_name == LOADS_A_MODEL:
                return True
            frame = frame.f_back
        return False

    def where(self) -> str:
        """Say where the loop's thread is: the innermost frame outside of the standard library."""
        frame = sys._current_frames().get(self._thread.ident or -1)
        if frame is None:
            return "nowhere: the loop's thread has ended"
        stack = traceback.extract_stack(frame)
        own = [f for f in stack if not _in_stdlib(f.filename) and f.filename != __file__]
        place = (own or list(stack))[-1]
        return f"{place.filename}:{place.lineno} in {place.name}: {place.line}"

    def stop(self, timeout: float = 5.0) -> None:
        """Cancel what runs, stop the loop and join the thread; not from the loop's own thread.

        Args:
            timeout: Seconds to wait; a blocked loop is left behind as a daemon thread.
        """
        self.call(self.loop.stop)
        self._thread.join(timeout)


def _in_stdlib(filename: str) -> bool:
    """Whether a file is Python's own: a lock's ``wait()`` says nothing of who waits."""
    stdlib = sysconfig.get_path("stdlib")
    return filename.startswith((stdlib, "<frozen ")) and "site-packages" not in filename


_shared: LoopThread | None = None
_shared_lock = threading.Lock()


def shared() -> LoopThread:
    """Return the process's loop thread, a new one if there is none or the old one is blocked."""
    global _shared
    with _shared_lock:
        if _shared is None or _shared.blocked or _shared.loop.is_closed():
            _shared = LoopThread()
        return _shared


def stop_shared() -> None:
    """Stop the process's loop thread, if there is one; the next call starts another."""
    global _shared
    with _shared_lock:
        old, _shared = _shared, None
    if old is not None:
        old.stop()


# Registered first, so run last: what runs on the thread is ended by whoever started it.
atexit.register(stop_shared)
