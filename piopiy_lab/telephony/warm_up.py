"""The user's own models, loaded before an agent takes its first call at a gateway.

Runs on the agent's loop; a plain function of the user's on a thread of its own.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from logging import Logger

from piopiy_lab.errors import ArgumentError
from piopiy_lab.logs import safe_logger
from piopiy_lab.tools.calling import is_being_cancelled

log: Logger = safe_logger("piopiy_lab.agent")

#: Loads what sessions need, before the first call is taken.
WarmUp = Callable[[], Awaitable[object] | object]


async def run_warm_up(warm_up: WarmUp) -> None:
    """Run ``Agent(warm_up=)`` to its end.

    Raises:
        ArgumentError: It was cancelled by something inside of it, which would end the agent without
            a word.
    """
    try:
        is_async = inspect.iscoroutinefunction(warm_up)
        loading = warm_up() if is_async else await _on_a_thread(warm_up)
        if inspect.isawaitable(loading):
            await loading
    except asyncio.CancelledError as error:
        if is_being_cancelled():
            raise
        raise ArgumentError(
            f"warm_up={warm_up!r} was cancelled from inside: catch CancelledError in it, or let "
            "what it waits for end"
        ) from error


async def _on_a_thread(function: WarmUp) -> Awaitable[object] | object:
    """Run a function on another thread; it can't be cancelled, and may fail when nobody waits."""
    awaited = True  # written on the loop

    def run() -> Awaitable[object] | object:
        try:
            return function()
        except BaseException:
            if not awaited:
                log.exception("warm_up failed; the agent was ended before it was done")
            raise

    try:
        return await asyncio.to_thread(run)
    finally:
        awaited = False
