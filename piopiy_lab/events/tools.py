"""Tools: called, returned, cancelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from piopiy_lab.events.base import Event
from piopiy_lab.events.values import CancelCause
from piopiy_lab.redaction import redact, visible


def arguments_text(arguments: object, write: Callable[[object], str] = repr) -> str:
    """Write a tool call's arguments as Python would, whatever the LLM gave: ``room='garden'``.

    For people to read: without secrets, and nothing in it acts on a terminal.
    """
    clean: object = redact(arguments)
    if _are_named(clean):
        return ", ".join(f"{visible(name)}={write(value)}" for name, value in clean.items())
    return "" if clean is None else write(clean)


def _are_named(arguments: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(arguments, Mapping)


@dataclass(frozen=True, kw_only=True)
class ToolCalled(Event):
    """The LLM called a tool."""

    name: str
    arguments: object  # as the LLM gave them: an object, but a bad answer may hold anything
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
