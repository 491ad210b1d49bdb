"""The course of a call: who had the floor, what was said, and what was done. Pure.

What two calls are compared by, exchange by exchange: see :mod:`piopiy_lab.call.divergence`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from piopiy_lab import events as ev
from piopiy_lab.call.record import CallRecord
from piopiy_lab.call.tool_calls import ToolCall
from piopiy_lab.call.transcript_entries import Entry
from piopiy_lab.call.turns import Turn
from piopiy_lab.events.values import EndReason


@dataclass(frozen=True)
class Exchange:
    """What the caller said, and what the agent made of it.

    Attributes:
        number: 0 for what the agent says before the caller has said anything; then 1, 2, ...
        start: The call's seconds at which it began.
        end: And at which the next one began, or the call ended.
        caller: The caller's entries.
        agent: The agent's.
        tools: The tools that were called.
        turn: The answer's latency, if it was answered.
    """

    number: int
    start: float
    end: float
    caller: tuple[Entry, ...] = ()
    agent: tuple[Entry, ...] = ()
    tools: tuple[ToolCall, ...] = ()
    turn: Turn | None = None

    @property
    def interrupted(self) -> bool:
        """Whether the caller broke into the agent's words."""
        return any(entry.interrupted for entry in self.agent)

    @property
    def cut_at(self) -> float:
        """The call's seconds at which the agent was cut short; else, at which it began."""
        if not self.agent:
            return self.start
        return next((e.end for e in self.agent if e.interrupted), self.agent[0].start)

    def said(self, by: str) -> str:
        """Return the words of the "caller" or the "agent"."""
        entries = self.caller if by == "caller" else self.agent
        return " ".join(entry.text for entry in entries)


@dataclass(frozen=True)
class Course:
    """A call's exchanges, and how it ended.

    Attributes:
        exchanges: In order; the first is number 0.
        reason: Why the call ended; None while it runs, and where a saved log breaks off.
        failed: Whether it ended with an error.
        ended_at: The call's seconds at its end, or now.
        missed: What a recorded caller waited for in vain: seconds, and what.
        not_known: What a call from elsewhere doesn't tell, and can't be compared by: "tools",
            "end_reason".
    """

    exchanges: tuple[Exchange, ...]
    reason: EndReason | None
    failed: bool
    ended_at: float
    missed: tuple[tuple[float, str], ...] = ()
    not_known: tuple[str, ...] = ()


def course_of(call: CallRecord) -> Course:
    """Return the course of a call, running or ended; any thread."""
    entries = sorted(call.transcript, key=lambda entry: entry.start)
    starts: list[float] = [0.0]
    grouped: list[tuple[list[Entry], list[Entry]]] = [([], [])]
    for entry in entries:
        caller, agent = grouped[-1]
        if entry.role == "user":
            # words that come apart with nothing of the agent's between are one turn's
            if agent or not caller:
                caller, agent = [], []
                grouped.append((caller, agent))
                starts.append(entry.start)
            caller.append(entry)
        else:
            agent.append(entry)
    ends = [*starts[1:], call.duration]
    tools, turns = list(call.tool_calls), list(call.turns)
    exchanges = tuple(
        Exchange(
            number,
            start,
            end,
            tuple(caller),
            tuple(agent),
            tuple(tool for tool in tools if start <= tool.start < before),
            next((t for t in turns if t.start >= start and t.answered <= end + 1e-6), None)
            if number
            else None,
        )
        for number, (start, end, before, (caller, agent)) in enumerate(
            zip(starts, ends, [*starts[1:], math.inf], grouped, strict=True)
        )
    )
    ended = call.events.of(ev.CallEnded)
    return Course(
        exchanges=exchanges,
        reason=call.end_reason,
        failed=bool(ended and ended[-1].error),
        ended_at=call.duration,
        missed=tuple(
            (event.at, f"{event.step}: {event.why}")
            for event in call.events.of(ev.CallerStepFailed)
        ),
        not_known=_not_known(call),
    )


def _not_known(call: CallRecord) -> tuple[str, ...]:
    told = call.meta.get("not_known")
    return tuple(str(one) for one in told) if isinstance(told, list | tuple) else ()
