"""``sys.exit()`` in a call's code ends that call, and neither the loop nor the process.

asyncio lets SystemExit and KeyboardInterrupt out of the loop, whichever task raises them: on a loop
that calls share, one call's tool would end them all. While a call runs, each task that belongs to
a call (its own, pipecat's, those that its code starts) is made with a coroutine that catches them,
and ends the call with the line that raised. What a signal raises is let through: Ctrl-C is the
user's.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import dis
import signal
import threading
import weakref
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from logging import Logger
from types import CodeType, TracebackType
from typing import Any

from piopiy_lab.checks.texts import described
from piopiy_lab.display.user_traceback import user_place
from piopiy_lab.errors import CallError
from piopiy_lab.hosting import seams
from piopiy_lab.logs import safe_logger
from piopiy_lab.session.session import Session, current_session, session_of

log: Logger = safe_logger("piopiy_lab.call")

_RAISE = dis.opmap["RAISE_VARARGS"]

#: What asyncio keeps in the task that raised it.
_KEPT_BY_ASYNCIO = (Exception, asyncio.CancelledError)
#: What it lets out of the loop.
_LEAVE_THE_LOOP = (SystemExit, KeyboardInterrupt)

#: How many calls run on a loop whose tasks are made here.
_calls: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, int] = weakref.WeakKeyDictionary()


@contextmanager
def contained() -> Iterator[None]:
    """Keep what the tasks of calls raise inside of their calls, on this loop, inside the block."""
    loop = asyncio.get_running_loop()
    own = loop.get_task_factory()
    _calls[loop] = _calls.get(loop, 0) + 1
    if _calls[loop] == 1:
        loop.set_task_factory(_factory(own))
    try:
        yield
    finally:
        _calls[loop] -= 1
        factory = loop.get_task_factory()
        if not _calls[loop] and isinstance(factory, _Factory):
            loop.set_task_factory(factory.own)


class _Factory:
    """Makes a loop's tasks: those of a call with a coroutine that contains what they raise."""

    def __init__(self, own: Any) -> None:
        self.own = own  # the loop's factory before, None for asyncio's

    def __call__(
        self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any
    ) -> asyncio.Future[Any]:
        context: contextvars.Context | None = options.get("context")
        session = current_session() if context is None else session_of(context)
        if session is not None and asyncio.iscoroutine(coro):
            coro = _Contained(coro, session)
        if self.own is None:
            return asyncio.Task(coro, loop=loop, **options)
        return self.own(loop, coro, **options)


def _factory(own: Any) -> _Factory:
    return own if isinstance(own, _Factory) else _Factory(own)


class _Contained(Coroutine[Any, Any, Any]):
    """A task's coroutine, whose last exceptions stay in its call."""

    def __init__(self, coroutine: Any, session: Session) -> None:
        self._coroutine, self._session = coroutine, session

    def __getattr__(self, name: str) -> Any:  # its name and frame, for whoever shows tasks
        return getattr(self._coroutine, name)

    def send(self, value: Any) -> Any:
        """Run the coroutine to its next await."""
        __tracebackhide__ = True  # in notebooks and pytest
        try:
            return self._coroutine.send(value)
        except _KEPT_BY_ASYNCIO:
            raise
        except BaseException as error:
            keep_in_call(self._session, error)
            raise

    def throw(self, *error: Any) -> Any:
        """Let the coroutine's await raise."""
        try:
            return self._coroutine.throw(*error)
        except _KEPT_BY_ASYNCIO:
            raise
        except BaseException as raised:
            keep_in_call(self._session, raised)
            raise

    def close(self) -> None:
        """Close the coroutine."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()


def keep_in_call(session: Session, error: BaseException) -> None:
    """End the call whose task raises what is no ordinary exception; a signal's is let through.

    Raises:
        asyncio.CancelledError: In place of what would leave the loop.
    """
    if _is_kept_by_asyncio(error):
        return
    if (task := asyncio.current_task()) is not None:
        task.add_done_callback(_seen)
    if is_of_a_signal(error):
        return
    end_for(session, error)
    if isinstance(error, _LEAVE_THE_LOOP):
        raise asyncio.CancelledError from error


def _seen(task: asyncio.Task[Any]) -> None:
    """Take a task's exception, which is on its way already: asyncio would tell it again."""
    if not task.cancelled():
        task.exception()


def _is_kept_by_asyncio(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_kept_by_asyncio, error.exceptions))
    return isinstance(error, _KEPT_BY_ASYNCIO)


def end_for(session: Session, error: BaseException) -> BaseException:
    """End a call because of what its code raised; return the call's error."""
    ended = error
    if isinstance(error, _LEAVE_THE_LOOP):
        ended = CallError(
            f"{described(error)}, raised at {user_place(error)}: a call's code can't end the "
            "process, so this call ended alone. To end a call: params.end_call(), agent.end_call()"
        )
        ended.__cause__ = error
    log.error("a call ends: %s", described(ended))
    session.end("error", ended)
    return ended


def end_its_call(loop: asyncio.AbstractEventLoop, error: BaseException) -> bool:
    """End the call whose callback let an exception out of the loop; whether there was one.

    Callbacks (``call_soon``, ``call_later``) are no tasks: what they raise leaves ``run_forever``.
    On the loop's thread, before it is run again.
    """
    if is_of_a_signal(error):
        return False
    for frame, _ in _frames(error):
        if seams.is_step(frame):
            context = seams.context_of(frame)
            session = None if context is None else session_of(context)
            if session is not None:
                loop.call_soon(end_for, session, error)
                return True
    return False


def is_of_a_signal(error: BaseException) -> bool:
    """Whether a signal raised this, Ctrl-C say, and not the code that happened to run.

    A handler written in Python stands in the traceback. Python's own for Ctrl-C doesn't: then the
    innermost line has not raised anything.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    frames = list(_frames(error))
    handlers = set(map(_code, map(signal.getsignal, signal.valid_signals())))
    if any(frame.f_code in handlers for frame, _ in frames):
        return True
    if not isinstance(error, KeyboardInterrupt) or not frames:
        return False
    frame, instruction = frames[-1]
    return frame.f_code.co_code[instruction] != _RAISE


def _frames(error: BaseException) -> Iterator[tuple[Any, int]]:
    """Yield the frames of an exception's traceback, each with its instruction."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        yield trace.tb_frame, trace.tb_lasti
        trace = trace.tb_next


def _code(handler: Any) -> CodeType | None:
    """Return the code of a signal's handler, None if it is not Python's."""
    handler = getattr(handler, "func", handler)  # a partial, as asyncio.run() uses
    return getattr(getattr(handler, "__func__", handler), "__code__", None)
