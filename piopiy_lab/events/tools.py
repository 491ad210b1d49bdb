"""Tools: called, returned, cancelled."""

from __future__ import annotations

from dataclasses import dataclass

from piopiy_lab.events.base import Event
from piopiy_lab.events.values import CancelCause


@dataclass(frozen=True, kw_only=True)
class ToolCalled(Event):
    """The LLM called a tool."""

    name: str
    arguments: dict[str, object]
    number: int  # counts the tool calls of this call of the agent, from 1


@dataclass(frozen=True, kw_only=True)
class ToolReturned(Event):
    """A tool gave its result, or failed."""

    name: str
    number: int
    result: object
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class ToolCancelled(Event):
    """A tool was cancelled before it gave a result."""

    name: str
    number: int
    cause: CancelCause
