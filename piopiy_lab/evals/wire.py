"""A line in memory in place of the WebSocket between pipecat's eval client and a bot.

Both ends are on one loop. What pipecat's client asks of a WebSocket is here, and no more.
"""

from __future__ import annotations

import asyncio

from websockets.protocol import State


class End:
    """One end: what is sent here comes out of the other, in order, as the loop gets to it."""

    def __init__(self) -> None:
        """Make an end that is not joined to another yet; see :func:`wire`."""
        self._came: asyncio.Queue[str | bytes | None] = asyncio.Queue()  # None: the other hung up
        self._other: End | None = None
        self.state: State = State.OPEN
        # As of a WebSocket that was closed in order; pipecat puts them into a failure's reason.
        self.close_code: int | None = None
        self.close_reason: str | None = None

    def join(self, other: End) -> None:
        """Make ``other`` the end that hears this one; once."""
        self._other = other

    async def send(self, message: str | bytes) -> None:
        """Hand a message to the other end; after the line was closed it is lost, as on a socket."""
        if self.state is State.OPEN and self._other is not None:
            self._other._came.put_nowait(message)

    def __aiter__(self) -> End:
        return self

    async def __anext__(self) -> str | bytes:
        """Return the next message.

        Raises:
            StopAsyncIteration: The line was closed.
        """
        if self.state is State.CLOSED and self._came.empty():
            raise StopAsyncIteration
        message = await self._came.get()
        if message is None:
            raise StopAsyncIteration
        return message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Hang up, at both ends; what was sent before still arrives."""
        self.hang_up(code, reason)

    def hang_up(self, code: int = 1000, reason: str = "") -> None:
        """Hang up without waiting."""
        for end in (self, self._other):
            if end is not None and end.state is not State.CLOSED:
                end.state = State.CLOSED
                end.close_code, end.close_reason = code, reason
                end._came.put_nowait(None)


def wire() -> tuple[End, End]:
    """Return the two ends of a new line."""
    one, other = End(), End()
    one.join(other)
    other.join(one)
    return one, other
