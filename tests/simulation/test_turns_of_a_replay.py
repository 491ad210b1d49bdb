"""Which turn is which in a replay, and that what is done at a divergence is done there."""

from __future__ import annotations

import asyncio

import pytest
from kinds_of_calls import KINDS, desk

from piopiy_lab import Caller, VoiceAgent, calls_tool, events, offline_stack, simulate
from piopiy_lab.offline import booking_desk

FIRST, SECOND, THIRD = "a table for two tomorrow at seven", "my name is anna", "yes please"
TALK = Caller().hears_greeting().says(FIRST).hears_reply().says(SECOND).hears_reply()
TALK = TALK.says(THIRD).hears_reply().hangs_up()
BYE = Caller().says("goodbye").hears_reply()


def run(coroutine):
    return asyncio.run(coroutine)


@pytest.fixture(scope="module")
def talked():
    return run(simulate(desk(), TALK))


def said(call):
    return [event.text for event in call.events.of(events.CallerSpoke)]


def agent(*, first="For two, tomorrow at seven. What name is it under?", third):
    """An agent by rules, with one tool."""
    replies = {
        "a table for {party} tomorrow at {time}": first,
        "my name is {name}": "Is that right?",
    }
    replies |= {"yes please": third, "goodbye": "Good bye."}

    async def create_session():
        stt, llm, tts = offline_stack(
            replies=replies,
            slots={"party": ["two"], "time": ["seven"], "name": ["anna"]},
        )
        spec = booking_desk()
        voice = VoiceAgent(instructions="x", greeting=spec.greeting, tools=list(spec.tools))
        await voice.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await voice.start()

    return create_session


def test_what_was_said_in_two_goes_before_a_late_answer_is_one_turn():
    caller = Caller().hears_greeting(timeout=30).says(FIRST).waits(4.0).says(SECOND)
    caller = caller.hears_reply(timeout=40).says(THIRD).hears_reply(timeout=40).hangs_up()
    call = run(simulate(desk(), caller, latency={"llm": 6.0}))
    assert said(call) == [FIRST, SECOND, THIRD]
    assert len(call.turns) == 2
    then = Caller().says("goodbye").hears_reply(timeout=40)
    again = run(call.replay(desk(), from_turn=2, then=then))
    assert said(again.call) == [FIRST, SECOND, "goodbye"]
    assert again.divergence is None


def test_the_turn_of_a_divergence_is_the_one_to_go_on_from(talked):
    other = agent(first="No.", third="We are full.")
    split = run(talked.replay(other)).divergence
    assert (split.turn, split.kind) == (3, "tool")
    again = run(talked.replay(desk(), from_turn=split.turn, then=BYE))
    assert said(again.call) == [FIRST, SECOND, "goodbye"]


def test_a_caller_takes_over_before_the_next_recorded_turn():
    booked = run(simulate(KINDS["booking"].session(), KINDS["booking"].caller))
    quick = agent(first="Yes?", third="We are full.")  # there is nothing to break into
    again = run(booked.replay(quick, on_divergence=BYE))
    assert (again.divergence.turn, again.divergence.kind) == (1, "floor")
    assert said(again.call) == [FIRST, "goodbye"]


def test_a_caller_takes_over_where_the_recorded_one_hung_up(talked):
    again = run(talked.replay(agent(third="We are full."), on_divergence=BYE))
    assert again.divergence.kind == "tool"
    assert said(again.call) == [FIRST, SECOND, THIRD, "goodbye"]


def test_another_tool_call_stops_the_call_at_once(talked):
    other = calls_tool("book_table", party_size=9, day="monday", time="07:00", name="Nobody")
    again = run(talked.replay(agent(third=other), on_divergence="stop"))
    assert (again.divergence.turn, again.divergence.kind) == (3, "tool")
    (called,) = again.call.events.of(events.ToolCalled)
    assert again.call.duration - called.at < 0.2
    assert again.call.end_reason == "caller_hung_up"


@pytest.mark.parametrize("name", KINDS)
def test_the_same_agent_is_no_divergence_at_any_moment(name):
    kind = KINDS[name]
    call = run(simulate(kind.session(), kind.caller, **dict(kind.options)))
    again = run(call.replay((kind.again or kind.session)(), on_divergence="stop"))
    assert again.identical, str(again)
