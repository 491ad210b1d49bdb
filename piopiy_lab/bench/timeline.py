"""Who was heard when, in one call: what the public definitions are counted on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: What a caller's sound is to the definitions: a turn (or an interruption, if the agent speaks), a
#: listener's word, a noise, words to somebody else; "again": where a caller who was not answered
#: would speak again; "set-up": what was said to make the agent talk, which isn't counted.
Label = Literal["turn", "backchannel", "tic", "aside", "again", "set-up"]

#: Seconds of a tick: everything the public definitions say is a multiple of it.
TICK_SECS = 0.2


@dataclass(frozen=True)
class Said:
    """A sound of the caller's.

    Attributes:
        start: Seconds of the call's clock.
        end: Seconds.
        label: What it is.
    """

    start: float
    end: float
    label: Label


@dataclass(frozen=True)
class Timeline:
    """Who was heard when, in one call.

    Attributes:
        said: The caller's sounds, in order.
        agent: ``(start, end)`` of the agent's sound as the caller heard it, in order.
        secs: The call's length.
    """

    said: tuple[Said, ...]
    agent: tuple[tuple[float, float], ...]
    secs: float


@dataclass(frozen=True)
class Segment:
    """A run of ticks in which one side is heard.

    Attributes:
        start: Its first tick.
        end: The tick after its last.
        label: What the caller's sound in its first tick is; None for the agent.
    """

    start: int
    end: int
    label: Label | None = None


class Ticks:
    """A timeline cut into ticks: a side speaks in a tick if any of its sound is in it."""

    def __init__(self, timeline: Timeline, tick: float = TICK_SECS) -> None:
        """Cut a timeline.

        Args:
            timeline: Who was heard when.
            tick: Seconds of a tick.
        """
        self.tick = tick
        self.count = max(1, _up(timeline.secs / tick))
        user: list[Label | None] = [None] * self.count
        for said in timeline.said:
            for place in self._places(said.start, said.end):
                user[place] = user[place] or said.label
        agent = [False] * self.count
        for start, end in timeline.agent:
            for place in self._places(start, end):
                agent[place] = True
        self.agent: Sequence[bool] = agent
        self.user: Sequence[Label | None] = user

    def _places(self, start: float, end: float) -> range:
        first = max(0, int(start / self.tick + _ROUNDING))
        return range(first, min(self.count, max(_up(end / self.tick), first + 1)))

    def of_user(self) -> list[Segment]:
        """Return the caller's segments; a segment is what its first tick is."""
        return [
            Segment(start, end, self.user[start])
            for start, end in _runs([label is not None for label in self.user])
        ]

    def of_agent(self) -> list[Segment]:
        """Return the agent's segments."""
        return [Segment(start, end) for start, end in _runs(self.agent)]


#: What a clock's rounding may move a sound over a tick's edge, in ticks.
_ROUNDING = 1e-6


def _up(value: float) -> int:
    return -int(-(value - _ROUNDING) // 1)


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    edges = [
        place
        for place in range(len(flags) + 1)
        if (place > 0 and flags[place - 1]) != (place < len(flags) and flags[place])
    ]
    return list(zip(edges[::2], edges[1::2], strict=True))
