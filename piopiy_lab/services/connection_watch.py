"""A realtime model whose connection is lost says so.

pipecat's realtime services read from their provider in a task of their own. When that task ends
because the connection broke, or never came about, nothing is pushed: the caller would hear silence
until the idle time is over. Here the end of that task becomes an error of the service, which can't
go on. Used on the session's loop.
"""

from __future__ import annotations

import functools
from typing import Any

# The reading task of a service, and whether its mere end means that the connection is gone (Gemini
# Live's also ends when it has connected again).
_READERS = {"_receive_task_handler": True, "_connection_task_handler": False}


def watch_connection(llm: object) -> None:
    """Let a realtime service report the end of its connection; any other stays as it is."""
    for name, end_is_loss in _READERS.items():
        read = getattr(llm, name, None)
        if read is not None and not hasattr(read, "__wrapped__"):
            setattr(llm, name, _reporting(llm, read, end_is_loss))


def _reporting(llm: Any, read: Any, end_is_loss: bool) -> Any:
    @functools.wraps(read)
    async def reading(*args: Any, **kwargs: Any) -> None:
        lost: Exception | None = None
        try:
            await read(*args, **kwargs)
        except Exception as error:
            lost = error
        if getattr(llm, "_disconnecting", False) or not (lost or end_is_loss):
            return
        why = f": {lost}" if lost is not None and str(lost) else ""
        await llm.push_error(
            error_msg=f"connection to the provider lost{why}",
            exception=lost,
            force_treat_as_permanent=True,
        )

    return reading
