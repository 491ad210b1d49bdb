"""What a tool does while it is recorded: to its service, and to the call.

Knows no pipecat. Runs on the session's loop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from piopiy_lab.checks.json_values import Record


class Came(Protocol):
    """Writes what came."""

    def came(self, number: int, at: float, does: str, args: tuple[Any, ...], named: Record) -> None:
        """Write it."""
        ...


@dataclass(frozen=True)
class ToolAtWork:
    """A tool that runs and is recorded.

    Attributes:
        deck: Where.
        number: Of its answer.
        now: The pipeline's seconds.
        began: When it was called.
    """

    deck: Came
    number: int
    now: Callable[[], float]
    began: float

    def came(self, name: str, args: tuple[Any, ...], named: Record) -> None:
        """Write something that it does."""
        self.deck.came(self.number, self.now() - self.began, name, args, named)


#: The tool that this code runs for. What it does to its service is its own doing, not the answer's
#: that called it.
in_tool: ContextVar[ToolAtWork | None] = ContextVar("piopiy_lab_cassette_tool", default=None)

#: What a tool can do to the call.
ACTS = ("remark", "end_call", "transfer")


def recorded_host(host: Any) -> Any:
    """Return what a tool finds of its call: recorded, if the tool is."""
    work = in_tool.get()
    return host if work is None or host is None else _Host(host, work)


class _Host:
    """A tool's call, of which is written what the tool does to it."""

    def __init__(self, host: Any, work: ToolAtWork) -> None:
        self._host, self._work = host, work

    def __getattr__(self, name: str) -> Any:
        own = getattr(self._host, name)
        if name not in ACTS:
            return own

        def act(*args: Any) -> Any:
            told = [vars(a) if dataclasses.is_dataclass(a) else a for a in args]
            self._work.came(name, tuple(told), {})
            return own(*args)

        return act
