"""Joining a room is never left half done: LiveKit's library would end the whole process.

When ``Room.connect()`` is cancelled between the library's answer and the line that takes it, the
library waits for our "ready", and then sends SIGTERM to its own process ("timed out waiting for
ReadyForRoomEventRequest"). So whoever is cancelled stops waiting, the connecting itself goes on in
the background, and what it brought is left again.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from logging import Logger
from typing import Protocol

from piopiy_lab.logs import safe_logger

log: Logger = safe_logger("piopiy_lab.agent")

#: Seconds that an agent which shuts down waits for joins that nobody waits for any more: more than
#: LiveKit takes to give up on a server that accepts connections and says nothing (32 s, measured).
UNFINISHED_SECS = 40.0
#: Seconds that leaving a room which was joined in the background may take.
LEAVE_SECS = 5.0


class Room(Protocol):
    """What is used of LiveKit's room."""

    async def disconnect(self) -> None:
        """Leave."""


_unfinished: set[asyncio.Task[None]] = set()  # joins in the background; each removes itself


async def connect_whole(
    room: Room,
    connect: Callable[..., Awaitable[None]],
    *arguments: object,
    give_up: Callable[[], None] | None = None,
    leave_secs: float = LEAVE_SECS,
    **options: object,
) -> None:
    """Join a room; when this is cancelled the joining is brought to its end, and the room left.

    Args:
        room: LiveKit's room.
        connect: Its ``connect()``.
        *arguments: What that takes: the server's address and the token, which is never shown.
        give_up: Called when it can't be left again in time.
        leave_secs: Seconds that leaving it again may take.
        **options: And LiveKit's ``options``.
    """
    connecting = asyncio.ensure_future(connect(*arguments, **options))
    try:
        await asyncio.shield(connecting)
    except asyncio.CancelledError:
        leaving = _leave_again(room, connecting, give_up, leave_secs)
        task = asyncio.create_task(leaving, name="piopiy_lab.room.leave")
        _unfinished.add(task)
        task.add_done_callback(_unfinished.discard)
        raise


async def wait_for_unfinished() -> None:
    """Wait until no join of this loop goes on in the background: before its loop is closed."""
    loop = asyncio.get_running_loop()
    if tasks := [task for task in _unfinished if task.get_loop() is loop]:
        log.info("%d unfinished joins of rooms are waited for", len(tasks))
        await asyncio.wait(tasks, timeout=UNFINISHED_SECS)


async def _leave_again(
    room: Room,
    connecting: asyncio.Future[None],
    give_up: Callable[[], None] | None,
    leave_secs: float,
) -> None:
    try:
        await connecting
    except Exception as error:  # LiveKit's; there is nothing to leave then
        log.info("a join that nobody waited for failed: %s", type(error).__name__)
        return
    try:
        async with asyncio.timeout(leave_secs):
            await room.disconnect()
    except TimeoutError:
        log.warning("a room that was joined too late could not be left in %g s", leave_secs)
        if give_up is not None:
            give_up()
