"""What the tools of a recorded call did: each call of a tool, its result, and what it did besides.

Pure: events in, records out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from piopiy_lab import events as ev
from piopiy_lab.call.tool_calls import ToolCall, build_tool_calls
from piopiy_lab.redaction import redact

#: A call that is over so many seconds after a tool was ended by it, if by the agent at all.
ENDED_BY_SECS = 1.0
#: Seconds after which a language model has surely been given a result.
AT_ONCE_SECS = 0.5


@dataclass(frozen=True)
class RecordedCall:
    """One call of a tool as it was recorded.

    Attributes:
        call: The call, its result or error, its times.
        error_told: What the log said of its failure; None if it said nothing.
        lines: What it let the agent say, each with its seconds from the tool's beginning.
        transferred_to: Whom it handed the caller over to, or tried to.
        rang: Whether it rang there, on the phone: the tool was over then, and the call was not.
        ended_at: When it ended the call; None if it didn't.
        run_llm: Whether the language model went on with its result; None where nothing tells.
    """

    call: ToolCall
    error_told: str | None = None
    lines: tuple[tuple[float, str], ...] = ()
    transferred_to: str | None = None
    rang: bool = False
    ended_at: float | None = None
    run_llm: bool | None = None

    @property
    def key(self) -> str:
        """What it is found by."""
        return key_of(self.call.name, self.call.arguments)


def key_of(name: str, arguments: object) -> str:
    """Return what a tool call is found by: its name and arguments, whatever order those are in."""
    return f"{name} {json.dumps(redact(arguments), sort_keys=True, default=str)}"


def recorded_calls(events: Iterable[ev.Event]) -> list[RecordedCall]:
    """Return a call's tool calls in the order in which they were called."""
    log = list(events)
    calls = build_tool_calls(log)
    lines = _lines(log, calls)
    last = max(calls, key=lambda call: call.start, default=None)
    return [
        RecordedCall(
            call,
            error_told=_told(log, call),
            lines=tuple(lines.get(call.number, ())),
            transferred_to=(to := _transfer(log, call)),
            rang=any(isinstance(e, ev.TransferStarted) and e.to == to for e in log),
            ended_at=_ended_by(log, call) if call is last else None,
            run_llm=_ran_llm(log, call),
        )
        for call in calls
    ]


def _within(call: ToolCall, at: float) -> bool:
    return call.start <= at and (call.end is None or at <= call.end)


def _told(log: list[ev.Event], call: ToolCall) -> str | None:
    """Return the log's words on a tool's failure: they name it."""
    if call.status != "failed":
        return None
    names = (f"the tool {call.name} failed", f"[{call.name}]")
    said = (
        event.message
        for event in log
        if isinstance(event, ev.ErrorOccurred)
        and _within(call, event.at)
        and any(name in event.message for name in names)
    )
    return next(said, None)


def _lines(log: list[ev.Event], calls: list[ToolCall]) -> Mapping[int, list[tuple[float, str]]]:
    """Return what tools let the agent say: the texts beside the LLM's while one was at work."""
    found: dict[int, list[tuple[float, str]]] = {}
    asked = -math.inf  # when a transfer was asked for: what is said of it is not the tool's
    for event in log:
        match event:
            case ev.TransferRequested():
                asked = event.at
            case ev.SpeechRequested():
                at_work = [c for c in calls if _within(c, event.at) and not _within(c, asked)]
                if at_work:
                    call = at_work[-1]
                    found.setdefault(call.number, []).append((event.at - call.start, event.text))
            case _:
                pass
    return found


def _transfer(log: list[ev.Event], call: ToolCall) -> str | None:
    """Return whom a tool asked to hand the caller over to."""
    asked = (e for e in log if isinstance(e, ev.TransferRequested) and e.cause == "tool")
    return next((e.to for e in asked if _within(call, e.at)), None)


def _ended_by(log: list[ev.Event], call: ToolCall) -> float | None:
    ended = next((e for e in log if isinstance(e, ev.CallEnded)), None)
    if ended is None or ended.reason != "agent_ended":
        return None
    if call.end is None or call.error == "the call ended":
        return ended.at
    thought = any(isinstance(e, ev.ContextSent) and e.at > call.end for e in log)
    return None if thought or ended.at - call.end > ENDED_BY_SECS else min(call.end, ended.at)


def _ran_llm(log: list[ev.Event], call: ToolCall) -> bool | None:
    """Say whether the LLM went on with a result, from what came next in the log.

    A result that comes while the caller has the floor waits for the turn, and says nothing.
    """
    if call.status not in ("returned", "failed"):
        return None
    over, open_turn = False, False
    for event in log:
        match event:
            case ev.UserTurnStarted():
                open_turn = True
            case ev.UserTurnStopped():
                open_turn = False
            case ev.ToolReturned(number=number) if number == call.number:
                if open_turn:
                    return None
                over = True
            case ev.ContextSent() if over:
                return True
            case ev.UserTurnAdded() | ev.UserTextTyped() if over:
                # a realtime model's transcript may come late, and is of the turn before
                if event.at - (call.end or event.at) >= AT_ONCE_SECS:
                    return False
            case ev.CallEnded() if over:  # it goes on at once, if it does
                return None if event.at - (call.end or event.at) < AT_ONCE_SECS else False
            case ev.AgentInterrupted() if over:
                return None
            case _:
                pass
    return None
