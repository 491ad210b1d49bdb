"""A realtime model whose connection is lost says so.

pipecat's realtime services read from their provider in a task of their own. When that task ends
because the connection broke, or never came about, nothing is pushed: the caller would hear silence
until the idle time is over. Here the end of that task becomes an error of the service, which can't
go on. Used on the session's loop.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from piopiy_lab.services import seams


def watch_connection(llm: object) -> None:
    """Let a realtime service report the end of its connection; any other stays as it is.

    Raises:
        IncompatibleVersionError: Its reading task is not where it used to be.
    """
    seams.replace_readers(llm, functools.partial(_reporting, llm))


def _reporting(llm: Any, read: Callable[..., Any], end_is_loss: bool) -> Callable[..., object]:
    @functools.wraps(read)
    async def reading(*args: Any, **kwargs: Any) -> None:
        lost: Exception | None = None
        try:
            await read(*args, **kwargs)
        except Exception as error:
            lost = error
        if seams.is_leaving(llm) or not (lost or end_is_loss):
            return
        why = f": {lost}" if lost is not None and str(lost) else ""
        await llm.push_error(
            error_msg=f"connection to the provider lost{why}",
            exception=lost,
            force_treat_as_permanent=True,
        )

    return reading
