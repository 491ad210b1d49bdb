"""Voices that a call kept as a listener's: in the lab, too, they begin no turn."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from kinds_of_calls import desk

from piopiy_lab import Caller, simulate, what_if
from piopiy_lab import events as ev
from piopiy_lab.events.log import EventLog
from piopiy_lab.turn_lab.beside import beside_turns
from piopiy_lab.turn_lab.listened import Listened
from piopiy_lab.turn_lab.robust import rule_of, sound_of
from piopiy_lab.turn_lab.spoken import turns_of

CALLER = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .backchannels("mm hmm", after=0.6)
    .coughs(after=1.8)
    .hears_reply()
    .says("yes please")
    .hears_reply()
    .hangs_up()
)


def run(caller, **options):
    options = {"hold_backchannels": True} | options
    call = asyncio.run(simulate(desk(**options), caller, replace={"stt": "screenplay"}))
    return call.raise_for_error()


@pytest.fixture(scope="module")
def call():
    return run(CALLER)


def listened(call):
    sound = sound_of(call)
    beside = [(start - sound.begins, end - sound.begins) for start, end in beside_turns(call)]
    rule = rule_of(call)
    return Listened(sound.samples, sound.rate, sound.sizes).course(rule, beside), sound.begins


def test_what_was_kept_in_the_call_is_no_turn_in_the_lab(call):
    kept = call.events.of(ev.BackchannelHeard)
    assert kept[0].text == "mm hmm"
    assert {(one.start, one.end) for one in kept} <= set(beside_turns(call))
    course, begins = listened(call)
    turns = [e.at for e in call.events.of(ev.UserTurnStopped)]
    assert len(turns) == 2
    assert [end.at + begins for end in course.ends] == pytest.approx(turns, abs=0.03)
    judged = [e for e in call.events.of(ev.TurnPredicted) if e.outcome == "used"]
    assert [look.probability for look in course.looks] == [
        pytest.approx(e.probability, abs=1e-5) for e in judged
    ]


def test_without_that_knowledge_it_would_be_one(call):
    """The detector is sure of it: the lab is right because it knows what the call decided."""
    sound = sound_of(call)
    rule = rule_of(call)
    plain = Listened(sound.samples, sound.rate, sound.sizes).course(rule)
    assert len(plain.ends) > 2


def test_it_is_no_pause_and_no_end_of_any_setting(call):
    found = call.robustness(2)
    assert [(one.turn, one.number) for one in found] == [(1, None), (2, None)]
    silence = what_if(call, threshold=0.0)
    assert (silence.pauses, silence.ends, silence.missed) == (0, 2, 0)


def test_a_real_callers_backchannel_is_none_of_their_turns(call):
    """The same call, of which the log has only what the detector found."""
    log = EventLog()
    for event in call.events:
        if not isinstance(event, ev.CallerSpoke):
            log.append(event)
    real = SimpleNamespace(events=log, heard=call.heard, duration=call.duration)
    turns = turns_of(real)
    assert len(turns) == 2
    kept = call.events.of(ev.BackchannelHeard)
    assert all(one.start > turn.end or one.end < turn.start for one in kept for turn in turns)


def test_an_interruption_is_a_turn_there_too():
    caller = (
        Caller()
        .hears_greeting()
        .says("a table for two tomorrow at seven")
        .interrupts("no make it four people", after=0.6)
        .hears_reply()
        .hangs_up()
    )
    call = run(caller)
    assert call.events.of(ev.AgentInterrupted)
    course, begins = listened(call)
    turns = [e.at for e in call.events.of(ev.UserTurnStopped)]
    assert [end.at + begins for end in course.ends] == pytest.approx(turns, abs=0.03)


def test_where_nothing_is_held_a_voice_over_the_agent_is_a_turn():
    call = run(CALLER, hold_backchannels=False)
    course, begins = listened(call)
    turns = [e.at for e in call.events.of(ev.UserTurnStopped)]
    assert [end.at + begins for end in course.ends] == pytest.approx(turns, abs=0.03)
    assert call.events.of(ev.AgentInterrupted)
    assert beside_turns(call) == ()
