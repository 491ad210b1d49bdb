"""What has to be known of a call to show it: structural types, so nothing here imports Call.

``Call`` fits them; so does anything that tests make by hand. All of it is read, never written,
from whichever thread shows the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import CallState, EndReason, Role, ToolStatus


class ShownEntry(Protocol):
    """One utterance of the transcript."""

    @property
    def role(self) -> Role:
        """Either "user" or "assistant"."""
        ...

    @property
    def text(self) -> str:
        """What was heard."""
        ...

    @property
    def start(self) -> float:
        """Seconds of the call's clock."""
        ...

    @property
    def end(self) -> float:
        """Seconds of the call's clock."""
        ...

    @property
    def interrupted(self) -> bool:
        """Whether it was cut short."""
        ...

    @property
    def words(self) -> Sequence[Sequence[Any]]:
        """``(text, start, end)`` of each word, seconds; empty when no word times are known."""
        ...


class ShownTurn(Protocol):
    """One answered user turn."""

    @property
    def total(self) -> float:
        """Seconds from the end of the user's speech to the first sound of the answer."""
        ...

    @property
    def parts(self) -> Mapping[str, float]:
        """Seconds of each stage, in order; they sum to ``total``."""
        ...

    @property
    def user(self) -> str:
        """What the user said, typed or pressed."""
        ...

    @property
    def assistant(self) -> str:
        """What was heard of the answer."""
        ...

    @property
    def start(self) -> float:
        """Seconds of the call's clock when the user's speech ended."""
        ...


class ShownToolCall(Protocol):
    """One tool call."""

    @property
    def name(self) -> str:
        """The tool's name."""
        ...

    @property
    def arguments(self) -> object:
        """What it was called with."""
        ...

    @property
    def result(self) -> object:
        """What it gave."""
        ...

    @property
    def error(self) -> str | None:
        """Why it failed, or None."""
        ...

    @property
    def status(self) -> ToolStatus:
        """Either "running", "returned", "failed" or "cancelled"."""
        ...

    @property
    def start(self) -> float:
        """Seconds of the call's clock."""
        ...

    @property
    def end(self) -> float | None:
        """Seconds of the call's clock; None while it runs."""
        ...


class ShownCall(Protocol):
    """A call, running or ended, just made or loaded."""

    @property
    def events(self) -> EventLog:
        """The event log."""
        ...

    @property
    def transcript(self) -> Sequence[ShownEntry]:
        """The conversation as it was heard, in order."""
        ...

    @property
    def turns(self) -> Sequence[ShownTurn]:
        """The user's turns and how long the answers took."""
        ...

    @property
    def tool_calls(self) -> Sequence[ShownToolCall]:
        """The tool calls, in order."""
        ...

    @property
    def recording(self) -> Any:
        """An int16 array (n, 2) with ``sample_rate``, caller left, agent right; or None."""
        ...

    @property
    def duration(self) -> float:
        """Seconds."""
        ...

    @property
    def state(self) -> CallState:
        """Either "starting", "listening" or "ended"."""
        ...

    @property
    def end_reason(self) -> EndReason | None:
        """Why it ended; None while it runs."""
        ...

    def plot(self) -> Any:
        """Draw the timeline: a figure with ``axes`` and ``_repr_png_()``."""
        ...
