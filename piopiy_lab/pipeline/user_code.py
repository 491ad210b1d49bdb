"""What a user's own code raises inside of a pipeline: an event and a log line, or the call's end.

pipecat writes what an event handler or an observer raises into its log, which is off, and an
observer that raised once is never told of anything again. And an exception whose ``__str__`` raises
ends pipecat's task without a word.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Coroutine
from logging import Logger
from typing import Any

from pipecat.utils.asyncio.task_manager import TaskManager

from piopiy_lab import events
from piopiy_lab.checks.texts import described
from piopiy_lab.display.user_traceback import user_place
from piopiy_lab.errors import ServiceError
from piopiy_lab.logs import safe_logger
from piopiy_lab.pipeline import seams
from piopiy_lab.session.session import current_session
from piopiy_lab.tools.calling import is_being_cancelled

log: Logger = safe_logger("piopiy_lab.call")


def report_handler(event_name: str, handler: object, error: BaseException) -> bool:
    """Report what an event handler raised; whether this is inside of a call of ours."""
    name = getattr(handler, "__name__", type(handler).__name__)
    return report(f"the handler {name}() of {event_name}", error)


def report(what: str, error: BaseException) -> bool:
    """Write an exception of the user's into the log of the call, once for each line that raises.

    Args:
        what: Whose it is, as the start of a sentence.
        error: The exception.

    Returns:
        Whether this is inside of a call of ours.
    """
    session = current_session()
    if session is None:
        return False
    place = user_place(error)
    if (what, place) not in session.reported:
        session.reported.add((what, place))
        message = f"{what} raised {described(error)} ({place})"
        log.error("%s", message)
        session.log.append(
            events.ErrorOccurred(
                at=session.now(),
                message=message,
                source=what.removeprefix("the "),
                remedy="the call goes on without what it did",
            )
        )
    return True


class CallTasks(TaskManager):
    """pipecat's tasks of one call, which ends if one of them dies without a word.

    Of an exception that can't be read, say, or of a CancelledError that nobody sent.
    """

    def create_task(
        self,
        coroutine: Coroutine[Any, Any, Any],
        name: str,
        context: contextvars.Context | None = None,
    ) -> Any:
        """Make a task, as pipecat does."""
        takes_frames = seams.takes_frames(coroutine)

        async def run() -> Any:
            try:
                return await coroutine
            except asyncio.CancelledError as error:
                if takes_frames and not is_being_cancelled():
                    _end("was cancelled from inside", error)
                raise
            except Exception as error:
                _end_if_unreadable(error)
                raise

        def close(_: object) -> None:  # it was cancelled before it began
            if inspect.iscoroutine(coroutine) and (
                inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED
            ):
                coroutine.close()

        task = super().create_task(run(), name, context)
        task.add_done_callback(close)
        return task


def _end_if_unreadable(error: Exception) -> None:
    """End the call if pipecat failed because it could not write down what had been raised."""
    cause = error.__context__
    if cause is not None and _is_unreadable(cause):
        _end(f"failed: {described(cause)}", cause)


def _end(how: str, error: BaseException) -> None:
    """End the call with what happened to its pipeline, unless it is ending already."""
    session = current_session()
    if session is None or session.reason is not None:
        return
    failed = ServiceError(f"the pipeline {how} ({user_place(error)})")
    failed.__cause__ = error
    log.error("%s", failed)
    session.end("error", failed)


def _is_unreadable(error: BaseException) -> bool:
    try:
        str(error)
    except Exception:
        return True
    return False
