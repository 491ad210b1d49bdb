"""The loop thread: one asyncio loop in its own thread, shared by the calls of this process.

``start_call`` returns at once because the call runs here. Cells, widgets and scripts reach the
loop only through this module; nothing else in the package crosses threads with asyncio.

A loop that is blocked (C code, ``time.sleep`` in an ``async def``) can't be stopped from outside.
A watchdog notices and names the line it is stuck in: the call that blocks it ends as
"unresponsive", the others wait for it, and the next call gets a fresh loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from logging import Logger
from typing import TypeVar

from piopiy_lab.hosting.containment import end_its_call
from piopiy_lab.hosting.seams import when_forked, when_leaving
from piopiy_lab.hosting.watchdog import Stall, Watchdog
from piopiy_lab.logs import safe_logger

log: Logger = safe_logger("piopiy_lab.call")

T = TypeVar("T")


class LoopThread:
    """An asyncio loop that runs in a daemon thread until :meth:`stop`, watched while in use."""

    def __init__(self, name: str = "piopiy-lab-loop") -> None:
        """Start the thread and wait until its loop runs.

        Args:
            name: The thread's name, as seen in tracebacks and ``threading.enumerate()``.
        """
        self.loop = asyncio.new_event_loop()
        self._workers = ThreadPoolExecutor(thread_name_prefix="asyncio")  # as the loop makes it
        self.loop.set_default_executor(self._workers)
        self._ending = threading.Lock()
        self._ended = False  # whether it was told to stop; under _ending
        running = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(running,), name=name, daemon=True)
        self._thread.start()
        running.wait()
        self._watchdog = Watchdog(self.call, self._thread.ident or -1)

    def _run(self, running: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.call_soon(running.set)
        self._run_calls()
        pending = asyncio.all_tasks(self.loop)
        for task in pending:
            task.cancel()
        if pending:
            self.loop.run_until_complete(asyncio.wait(pending, timeout=2.0))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self._end_workers()
        self.loop.close()

    def _end_workers(self) -> None:
        """Wait for what runs in threads; the loop runs meanwhile, for one may need it to finish."""
        try:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
        except RuntimeError:  # it starts a thread, which Python 3.12 refuses when the process ends
            self._workers.shutdown()

    def _run_calls(self) -> None:
        """Run the loop until it is stopped, whatever the callbacks of a call's code raise."""
        while True:
            try:
                self.loop.run_forever()
                return
            except BaseException as error:  # sys.exit() in one: the others' calls go on
                if not end_its_call(self.loop, error):
                    log.exception("a callback let this out of the calls' loop, which goes on")

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

    def watch(self, user: object, on_stuck: Callable[[Stall], None]) -> None:
        """Keep a watchdog on the loop while ``user`` uses it.

        Args:
            user: Any object, to be given to :meth:`unwatch`.
            on_stuck: Called on the watchdog's thread, twice a second while one step of the loop
                lasts longer than ``watchdog.BLOCKED_SECS``.

        Raises:
            IncompatibleVersionError: A slow model of this onnxruntime would count as a stall.
        """
        self._watchdog.add(user, on_stuck)

    def unwatch(self, user: object) -> None:
        """End what :meth:`watch` began; the watchdog ends with its last user."""
        self._watchdog.discard(user)

    @property
    def blocked(self) -> bool:
        """Whether the loop was ever found stuck: new calls go elsewhere."""
        return self._watchdog.found_stuck

    def end(self) -> None:
        """Let the loop stop; any thread, as often as one likes.

        Only the first counts: another would cut off what the loop does at its end.
        """
        with self._ending:
            ended, self._ended = self._ended, True
        if not ended:
            self.call(self.loop.stop)

    def stop(self, timeout: float = 5.0) -> None:
        """Cancel what runs, stop the loop and join the thread; not from the loop's own thread.

        Args:
            timeout: Seconds to wait; a blocked loop is left behind as a daemon thread.
        """
        self.end()
        self._thread.join(timeout)


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


def _forget_shared() -> None:
    """Have no loop thread, in a forked child: the parent's is not here, and its loop is shared."""
    global _shared, _shared_lock
    _shared, _shared_lock = None, threading.Lock()


when_forked(_forget_shared)
# Registered first, so run last: what runs on the thread is ended by whoever started it.
when_leaving(stop_shared)
