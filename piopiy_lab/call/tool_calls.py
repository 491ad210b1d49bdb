"""The tools that the LLM called in a call: a pure function from events to records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from piopiy_lab import events as ev
from piopiy_lab.checks.data_frames import ANYTHING, data_frame
from piopiy_lab.events.tools import arguments_text
from piopiy_lab.events.values import ToolStatus
from piopiy_lab.redaction import redact, shown

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class ToolCall:
    """One call of a tool.

    Attributes:
        name: The tool's name.
        arguments: What the LLM gave: names to values, unless it gave something else.
        number: Counts the tool calls of the call, from 1.
        start: Seconds of the call's clock when the LLM called it.
        end: Seconds of the call's clock when it was over; None while it runs.
        status: "running", "returned", "failed" or "cancelled".
        result: What it gave; None unless it returned.
        error: Why it failed or was cancelled; None otherwise.
    """

    name: str
    arguments: Any
    number: int
    start: float
    end: float | None = None
    status: ToolStatus = "running"
    result: Any = None
    error: str | None = None

    @property
    def secs(self) -> float | None:
        """How long it ran, in seconds; None while it runs."""
        return None if self.end is None else self.end - self.start

    def __repr__(self) -> str:
        given = arguments_text(self.arguments)
        after = "" if self.secs is None else f" after {self.secs:.3f} s"
        outcome = {"returned": f": {redact(self.result)!r}"}
        failed = f": {shown(self.error)}" if self.error else ""
        tail = outcome.get(self.status, failed)
        return f"<{shown(self.name)}({given}) {self.status}{after}{tail}>"


class ToolCalls(list[ToolCall]):
    """The tool calls of a call, in the order in which they were called."""

    def to_pandas(self) -> DataFrame:
        """Return a table: a row per tool call.

        Its columns are number, name, arguments, start and end (seconds of the call's clock), secs
        (how long it ran), status, result and error.

        Raises:
            MissingExtraError: pandas isn't installed (the extra ``pandas``).
        """
        columns = {
            "number": "int64", "name": "string", "arguments": ANYTHING, "start": "float64",
            "end": "float64", "secs": "float64", "status": "string", "result": ANYTHING,
            "error": "string",
        }  # fmt: skip
        return data_frame(
            ({name: getattr(call, name) for name in columns} for call in self), columns
        )


def build_tool_calls(events: Iterable[ev.Event]) -> list[ToolCall]:
    """Build the records of the tool calls, in the order in which they were called.

    A call that never gave a result stays "running"; in a call that has ended it is "cancelled".
    """
    calls: dict[int, ToolCall] = {}
    for event in events:
        match event:
            case ev.ToolCalled():
                calls[event.number] = ToolCall(event.name, event.arguments, event.number, event.at)
            case ev.ToolReturned() if event.number in calls:
                calls[event.number] = replace(
                    calls[event.number],
                    end=event.at,
                    status="returned" if event.error is None else "failed",
                    result=event.result,
                    error=event.error,
                )
            case ev.ToolCancelled() if event.number in calls:
                _cancel(calls, event.number, event.at, event.cause)
            case ev.CallEnded():
                for number in calls:
                    _cancel(calls, number, event.at, "the call ended")
            case _:
                pass
    return list(calls.values())


def _cancel(calls: dict[int, ToolCall], number: int, at: float, why: str) -> None:
    call = calls[number]
    if call.status == "running":
        calls[number] = replace(call, end=at, status="cancelled", error=why)
