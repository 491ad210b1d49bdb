"""The caller's audio on its way into the pipeline, without pipecat's queue for filters.

pipecat's input takes each piece from a queue with a timeout: a task, a timer and a future for each
20 ms, so that a filter may take its time. Where there is none, a piece can go on at once. In a
simulation it goes on at the same turn of the loop as it would through that queue and the one of the
`Keypad` aggregator, which audio doesn't pass either: what happens at one and the same instant of
virtual time happens in the order of turns, so calls stay what they were, to the byte.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Protocol, runtime_checkable

from pipecat.frames.frames import InputAudioRawFrame

#: Turns of the loop that pipecat's queue takes (its reader's task, that one's end, the task that
#: waits for it), and those of the queue that audio would wait in before the user's side.
TURNS = 3 + 1


@runtime_checkable
class KnowsWhatIsReady(Protocol):
    """A loop on which turns of nothing can be left out: a simulation's."""

    def nothing_else_now(self) -> bool:
        """Tell, from within a callback, whether nothing else runs at this instant."""
        ...


Push = Callable[[InputAudioRawFrame], Coroutine[object, object, None]]


class InTurn:
    """Hands each piece on when so many turns of the loop have passed, in order."""

    def __init__(self, push: Push) -> None:
        """Take what pushes a piece."""
        self._push = push
        self._waiting: deque[InputAudioRawFrame] = deque()
        self._due: asyncio.Future[None] | None = None  # while run() waits for a piece
        self._counting = False  # turns, for the first piece
        self._nothing_else: Callable[[], bool] | None = None  # the loop's, written by run()

    def add(self, frame: InputAudioRawFrame) -> None:
        """Take a piece."""
        self._waiting.append(frame)
        if not self._counting:
            self._count(TURNS)

    def clear(self) -> None:
        """Drop what has not been handed on."""
        self._waiting.clear()

    def _count(self, turns: int) -> None:
        if turns < TURNS and self._nothing_else is not None and self._nothing_else():
            turns = 1  # nobody is there to come before or after
        self._counting = turns > 1
        if self._counting:
            asyncio.get_running_loop().call_soon(self._count, turns - 1)
        elif self._due is not None and not self._due.done():
            self._due.set_result(None)

    async def run(self) -> None:
        """Hand pieces on until cancelled."""
        loop = asyncio.get_running_loop()
        self._nothing_else = loop.nothing_else_now if isinstance(loop, KnowsWhatIsReady) else None
        while True:
            self._due = loop.create_future()
            if self._waiting and not self._counting:
                self._count(TURNS)
            await self._due
            if self._waiting:
                await self._push(self._waiting.popleft())
