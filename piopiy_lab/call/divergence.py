"""Where a call that was run again first went another way. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from piopiy_lab.call.course import Course, Exchange
from piopiy_lab.call.tool_calls import ToolCall
from piopiy_lab.display.wording import called, clock
from piopiy_lab.redaction import shown

#: What differs: a tool's call, who had the floor, the call's end, or what the caller waited for.
DivergenceKind = Literal["tool", "floor", "end", "caller"]


@dataclass(frozen=True)
class Divergence:
    """The first difference between a call and its replay that isn't one of wording.

    Attributes:
        turn: The caller's turn, from 1; 0 before the first.
        at: The replay's seconds.
        kind: "tool" (another call of a tool, or none), "floor" (who spoke, who broke in), "end"
            (the call ended otherwise) or "caller" (what the recorded caller waited for did not
            come).
        was: What happened in the recorded call.
        now: What happens in the replay.
    """

    turn: int
    at: float
    kind: DivergenceKind
    was: str
    now: str

    def __str__(self) -> str:
        where = f"turn {self.turn}" if self.turn else "the greeting"
        return (
            f"diverged at {where} ({clock(self.at, 1)}), {self.kind}: "
            f"was {shown(self.was)}, now {shown(self.now)}"
        )


def first_divergence(
    was: Course,
    now: Course,
    *,
    so_far: bool = False,
    begins: int | None = None,
    speaks: bool | None = None,
    turns: int | None = None,
) -> Divergence | None:
    """Return the first difference in tools, floor or end; None if there is none.

    Words that differ are none, nor are times: who had the floor, what was called with which
    arguments, and how it ended are compared.

    Args:
        was: The recorded call's course.
        now: The replay's.
        so_far: The replay is still running: what may still come isn't missed.
        begins: Of one that is still running: the caller's turn that is about to begin. What belongs
            to those before it is over.
        speaks: And whether the agent speaks now, where the recorded caller spoke into its words.
        turns: The first of the caller's turns that isn't compared, nor the end; None: all are.
    """
    if turns is not None:
        was, now = _before(was, turns), _before(now, turns)
    found: list[Divergence] = []
    for place in range(max(len(was.exchanges), len(now.exchanges))):
        a = was.exchanges[place] if place < len(was.exchanges) else None
        b = now.exchanges[place] if place < len(now.exchanges) else None
        # Of what the other caller's turn may have cut, and of what still goes on, the end is open.
        open_ended = (so_far or turns is not None) and place >= len(now.exchanges) - 1
        if begins is not None and a is not None and b is not None and b.number < begins:
            one = _in_closed(a, b, was, speaks) if open_ended else None
            one = one or _in_exchange(a, b, was, now, open_ended)
        else:
            one = _in_exchange(a, b, was, now, open_ended)
        if one is not None:
            found.append(one)
            break
    else:
        ends = turns is None and not so_far and "end_reason" not in was.not_known
        if ends and (_why(was), was.failed) != (_why(now), now.failed):
            turn = now.exchanges[-1].number
            found.append(Divergence(turn, now.ended_at, "end", _end(was), _end(now)))
    for at, what in now.missed:
        turn = max((e.number for e in now.exchanges if e.start <= at), default=0)
        found.append(Divergence(turn, at, "caller", "the caller's cue came", what))
    return min(found, key=lambda one: one.at) if found else None


def _before(course: Course, turn: int) -> Course:
    kept = tuple(one for one in course.exchanges if one.number < turn)
    end = kept[-1].end if kept else 0.0
    missed = tuple(one for one in course.missed if one[0] <= end)
    return replace(course, exchanges=kept, missed=missed)


def _in_closed(a: Exchange, b: Exchange, was: Course, speaks: bool | None) -> Divergence | None:
    """Return what is missing in an exchange that the caller's next turn is about to end."""
    tools = len(a.tools) if "tools" not in was.not_known else 0
    if len(b.tools) < tools:
        return Divergence(b.number, b.end, "tool", _tool(a.tools[len(b.tools)]), _tool(None))
    if a.agent and not b.agent and not speaks:
        return Divergence(b.number, b.start, "floor", _floor(a), _floor(b))
    if a.interrupted and speaks is False:
        return Divergence(b.number, b.cut_at, "floor", _floor(a), _floor(b))
    return None


def _in_exchange(
    a: Exchange | None, b: Exchange | None, was: Course, now: Course, open_ended: bool
) -> Divergence | None:
    if b is None:
        if open_ended or a is None:
            return None
        return Divergence(a.number, now.ended_at, "end", _caller(a), _end(now))
    if a is None:
        return Divergence(b.number, b.start, "floor", _end(was), _caller(b))
    tools = 0 if "tools" in was.not_known else max(len(a.tools), len(b.tools))
    for place in range(tools):
        old = a.tools[place] if place < len(a.tools) else None
        new = b.tools[place] if place < len(b.tools) else None
        if new is None and open_ended:
            break
        if old is None or new is None or not _same(old, new):
            at = b.end if new is None else new.start
            return Divergence(b.number, at, "tool", _tool(old), _tool(new))
    if open_ended:
        return None
    if a.interrupted != b.interrupted:
        return Divergence(b.number, b.cut_at, "floor", _floor(a), _floor(b))
    if bool(a.agent) != bool(b.agent) or bool(a.caller) != bool(b.caller):
        return Divergence(b.number, b.start, "floor", _floor(a), _floor(b))
    return None


def _same(a: ToolCall, b: ToolCall) -> bool:
    return a.name == b.name and a.arguments == b.arguments


def _tool(tool: ToolCall | None) -> str:
    return "no tool" if tool is None else called(tool.name, tool.arguments)


def _caller(one: Exchange) -> str:
    return f"the caller's {one.said('caller')!r}" if one.caller else "the agent's greeting"


def _floor(one: Exchange) -> str:
    if not one.agent:
        return f"no answer to {one.said('caller')!r}" if one.caller else "no greeting"
    if one.interrupted:
        return f"the agent was broken into at {clock(one.cut_at, 1)}"
    return "the agent was heard out"


def _why(course: Course) -> str:
    """Return why a call ended; all ways of hanging up are one, as is a log that breaks off."""
    hung_up = ("caller_hung_up", "hung_up", "cancelled", None)
    return "hung_up" if course.reason in hung_up else str(course.reason)


def _end(course: Course) -> str:
    if course.reason is None:
        return "the call broke off"
    told = {"caller_hung_up": "the caller hung up", "agent_ended": "the agent ended the call"}
    why = told.get(course.reason, f"the call ended ({course.reason.replace('_', ' ')})")
    return f"{why} at {clock(course.ended_at, 1)}" + (" with an error" if course.failed else "")
