"""``Call.replay``: a recorded call's caller, on the agent as it is now, in virtual time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as changed
from pathlib import Path
from typing import Any, Literal, cast

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.call.course import course_of
from piopiy_lab.call.divergence import first_divergence
from piopiy_lab.call.replay import Replay
from piopiy_lab.cassette import RecordMode
from piopiy_lab.display.wording import clock
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import Direction
from piopiy_lab.line.line import Line
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.from_call import recall
from piopiy_lab.screenplay.recalled import Recalls
from piopiy_lab.screenplay.steps import (
    HearsGreeting,
    HearsReply,
    Listens,
    Presses,
    Says,
    Step,
    Waits,
)
from piopiy_lab.services.modelled_latency import Latency
from piopiy_lab.session.by_hand import done_by_hand
from piopiy_lab.session.callback import SessionCallback
from piopiy_lab.session.replacing import PARTS, TOOLS, Replacements
from piopiy_lab.session.scripted_transfers import OUTCOMES
from piopiy_lab.simulation.limits import Limits
from piopiy_lab.simulation.simulate import simulate
from piopiy_lab.simulation.turn_model import measured_in
from piopiy_lab.simulation.turn_numbers import numbered
from piopiy_lab.tools.recorded import RecordedTools

#: Seconds for which another caller listens to the answer to the last recorded turn.
LISTENS_SECS = 60.0
#: Seconds of the agent's silence and idleness after which a caller takes over.
TAKES_OVER_SECS = 1.5


async def replay(
    call: Call,
    create_session: SessionCallback,
    *,
    from_turn: int | None = None,
    then: Caller | None = None,
    on_divergence: Literal["recorded", "stop"] | Caller = "recorded",
    tools: Literal["recorded", "run"] = "recorded",
    cassette: str | Path | None = None,
    record_mode: RecordMode | None = None,
    replace: Replacements | None = None,
    latency: Mapping[str, Latency] | None = None,
    limits: Limits | None = None,
    record: bool | str | Path = True,
) -> Replay[Call]:
    """Run a call again; see :meth:`piopiy_lab.Call.replay`."""
    caller = caller_again(call, from_turn, then)
    assert caller.line is not None, "a caller from a call has a line"
    if tools not in ("recorded", "run"):
        raise ArgumentError(f'tools={tools!r}: give "recorded", or "run" to run them')
    notes: list[str] = []
    if on_divergence != "recorded":
        caller = changed(caller, line=changed(caller.line, **_watch(call, on_divergence)))
        if isinstance(on_divergence, Caller):  # whose voice the recorded sounds don't need
            caller = changed(caller, voice=on_divergence.voice, vary=on_divergence.vary)
    again = await simulate(
        create_session,
        caller,
        replace=_with_recorded_tools(call, replace) if tools == "recorded" else replace,
        cassette=cassette,
        record_mode="none" if cassette is not None and record_mode is None else record_mode,
        latency=latency_of(call) if latency is None else latency,
        limits=limits,
        record=record,
        transfer_outcomes=transfer_outcomes_of(call),
        line=line_of(call),
        **details_of(call),
    )
    if from_turn is not None:
        notes.append(f"from turn {from_turn} on the caller is another one, and is not compared")
    if note := switched_elsewhere(call, again):
        notes.append(note)
    known = {event.message for event in call.events.of(ev.NoticeGiven)}
    notes += [e.message for e in again.events.of(ev.NoticeGiven) if e.message not in known]
    return Replay(again, call, notes, turns=from_turn)


def switched_elsewhere(was: Call, now: Call) -> str | None:
    """Return what to know of services that were switched in a call, and aren't in its replay."""
    before, after = (
        [event for event in call.events.of(ev.ServiceSwitched) if event.cause == "manual"]
        for call in (was, now)
    )
    if len(after) >= len(before):
        return None
    times = ", ".join(clock(event.at, 1) for event in before)
    return (
        f"in the recorded call a service was switched (at {times}), and not as often in this one: "
        "by the agent's own code, or by hand before that was kept"
    )


def _with_recorded_tools(call: Call, replace: Replacements | None) -> Replacements | None:
    """Return what is replaced, and a double for each tool: the given one, or what was recorded."""
    if isinstance(replace, tuple) and len(replace) == len(PARTS):
        replace = dict(zip(PARTS, replace, strict=True))
    if replace is not None and not isinstance(replace, Mapping):
        return replace  # simulate() says what is wrong with it
    given: Any = (replace or {}).get(TOOLS)
    recorded = RecordedTools(call)
    find = given.get if isinstance(given, Mapping) else given
    if find is not None and not callable(find):
        return replace
    doubles = recorded if find is None else lambda name: find(name) or recorded(name)
    return {**(replace or {}), TOOLS: doubles}


def caller_again(call: Call, from_turn: int | None, then: Caller | None) -> Caller:
    """Return the caller of a call, up to a turn as recorded, and from there on another one.

    Raises:
        ArgumentError: There is no such turn, or only one of both is given.
        ArgumentTypeError: ``then`` is no caller.
        ReplayError: The call can't be replayed.
    """
    course = course_of(call)
    by_hand = done_by_hand(call.meta)
    steps, line, background = recall(call.events, call.heard, call.call_id, by_hand)
    caller = Caller(steps=numbered(steps, course), line=line, background=background)
    if from_turn is None and then is None:
        return caller
    if from_turn is None or then is None:
        raise ArgumentError("from_turn= and then= go together: give both, or neither")
    if not isinstance(then, Caller):
        raise ArgumentTypeError(f"then= takes a Caller, got {then!r}")
    recalled = [step for step in caller.steps if isinstance(step, Recalls)]
    turns = max((step.turn for step in recalled if step.wants_floor), default=0)
    if isinstance(from_turn, bool) or not isinstance(from_turn, int):
        raise ArgumentTypeError(f"from_turn={from_turn!r}: give a turn's number")
    if not 1 <= from_turn <= turns + 1:
        raise ArgumentError(
            f"from_turn={from_turn}: the caller of call {call.call_id} has "
            f"{turns} turn{'' if turns == 1 else 's'}; give a number from 1 to {turns + 1}"
        )
    kept = tuple(s for s in recalled if s.turn < from_turn and s.what != "hangs up")
    answered = course.exchanges[min(from_turn, turns + 1) - 1 :]
    replaced = next((s for s in recalled if s.turn == from_turn), None)
    heard = bool(answered and answered[0].agent) if replaced is None else replaced.after != "own"
    cue: tuple[Step, ...] = ()
    if then.steps and isinstance(then.steps[0], Says | Presses):
        if heard:  # the agent spoke before the turn that is replaced, and is heard out now
            hears = HearsReply if any(s.turn for s in kept) else HearsGreeting
            cue = (hears(LISTENS_SECS),)
        elif replaced is not None:
            cue = (Waits(replaced.gap),)
    return changed(caller, voice=then.voice, vary=then.vary, steps=(*kept, *cue, *then.steps))


def _watch(call: Call, on_divergence: object) -> dict[str, Any]:
    """Return what a line needs to look for the divergence before each act of the caller's."""
    if on_divergence == "stop":
        otherwise: Caller = Caller()
    elif isinstance(on_divergence, Caller):
        otherwise = on_divergence
    else:
        raise ArgumentError(
            f'on_divergence={on_divergence!r}: give "recorded", "stop", or a Caller who takes over'
        )
    was = course_of(call)

    views: dict[int, Call] = {}  # one for each log that is looked at

    def diverged(log: EventLog, begins: int | None, speaks: bool | None) -> bool:
        if id(log) not in views:
            views[id(log)] = Call(log, call.sample_source, None, {})
        now = course_of(views[id(log)])
        found = first_divergence(was, now, so_far=True, begins=begins, speaks=speaks)
        return found is not None

    cue = (Listens(TAKES_OVER_SECS),) if otherwise.steps else ()
    return {"diverged": diverged, "otherwise": (*cue, *otherwise.steps)}


def latency_of(call: Call) -> Mapping[str, Latency]:
    """Return what a replay's services take: what was modelled, or of a live call what is known.

    In virtual time the turn model takes none; in a live call each verdict took what was measured.
    """
    if call.meta.get("virtual", True):
        return cast("Mapping[str, Latency]", call.meta.get("latency") or {})
    secs = measured_in(call.events)
    return {"turn": secs} if secs else {}


def line_of(call: Call) -> Line | None:
    """Return the phone line of a call, for what the agent says: the caller is as heard over it.

    Raises:
        SavedCallError: What ``meta.json`` has is no line.
        MissingExtraError: Its codec needs PyAV.
    """
    told = call.meta.get("line")
    return None if told is None else Line.from_json(told).only("agent")


def transfer_outcomes_of(call: Call) -> dict[str, str]:
    """Return what became of the transfers that rang, for ``simulate``."""
    outcomes: dict[str, str] = {}
    for event in call.events.of(ev.TransferFinished):
        outcome = "answered" if event.status == "transferred" else event.error
        if event.status != "not_on_phone" and event.to and outcome in OUTCOMES:
            outcomes.setdefault(event.to, outcome)
    return outcomes


def details_of(call: Call) -> dict[str, Any]:
    """Return what the callback was told of the call, for ``simulate``."""
    meta = call.meta
    told = {
        "call_id": call.call_id,
        "agent_id": meta.get("agent_id", "local"),
        "from_number": meta.get("from_number"),
        "to_number": meta.get("to_number"),
        "metadata": meta.get("metadata"),
        "direction": cast("Direction | None", meta.get("direction")),
        "variables": meta.get("variables"),
        "sip_headers": meta.get("sip_headers"),
    }
    return {name: value for name, value in told.items() if value is not None}
