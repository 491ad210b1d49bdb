"""What the agent does, moment by moment."""

from __future__ import annotations

import asyncio

from hand_made_call import running_call

from piopiy_lab import Call, Caller, simulate
from piopiy_lab import events as ev
from piopiy_lab.call.activity import ActivityReader


def activities(log):
    """Each activity of a call, once in a row, with the seconds at which it began."""
    reader, found = ActivityReader(), [(0.0, "idle")]
    for event in log:
        reader.add(event)
        reader.add(event)  # the same twice changes nothing
        if reader.now != found[-1][1]:
            found.append((event.at, reader.now))
    return found


def test_a_turn_is_heard_thought_about_and_answered(booking, tmp_path):
    caller = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()
    call = asyncio.run(simulate(booking(), caller))
    names = [name for _, name in activities(call.events)]
    answered = ["thinking", "speaking", "idle"]
    assert names == ["idle", *answered, "hearing", *answered]
    times = {name: at for at, name in activities(call.events)[4:7]}
    (turn,) = call.turns
    assert times["thinking"] >= call.events.of(ev.UserSpeechStopped)[0].at - 1e-9
    assert times["speaking"] == call.events.of(ev.AgentSpeechStarted)[1].at
    assert turn.total > 0
    assert call.activity == "idle"
    assert Call.load(call.save(tmp_path / "call")).activity == "idle"


def at(kind, **values):
    return kind(at=1.0, **values)


def test_a_caller_who_breaks_in_is_heard():
    reader = ActivityReader()
    for event in (at(ev.AgentSpeechStarted), at(ev.UserSpeechStarted, cause="vad", start_secs=0.2)):
        reader.add(event)
    assert reader.now == "hearing"
    reader.add(at(ev.UserSpeechStopped, cause="vad", stop_secs=0.2))
    assert reader.now == "speaking", "it was a noise"


def test_a_tool_that_runs_in_the_background_is_thought_about():
    reader = ActivityReader()
    reader.add(at(ev.ToolCalled, name="look", arguments={}, number=1))
    reader.add(at(ev.AgentSpeechStarted))
    assert reader.now == "speaking"
    reader.add(at(ev.AgentSpeechStopped, cause="finished"))
    assert reader.now == "thinking"
    reader.add(at(ev.ToolReturned, name="look", number=1, result=None))
    assert reader.now == "idle"


def test_a_running_call_tells_it():
    call = running_call()
    call.events.append(ev.AgentSpeechStarted(at=call.events.now()))
    assert call.activity == "speaking"
    call.events.append(ev.CallEnded(at=call.events.now(), reason="hung_up"))
    assert call.activity == "idle"
