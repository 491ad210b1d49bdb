"""Whoever is hung up on in the middle of a screenplay has shown nothing: the call fails."""

from __future__ import annotations

import asyncio

import pytest
from quick_agents import SURE

from piopiy_lab import (
    Caller,
    VoiceAgent,
    calls_tool,
    events,
    offline_stack,
    simulate,
    simulate_many,
)
from piopiy_lab.errors import ScreenplayError
from piopiy_lab.session.session import current_session

ASKS = Caller().hears_greeting().says("tomorrow").hears("thank").says("anna").hears_reply()


def leaves(*, after=None, answers=0, greeting="Hello, this is the desk."):
    """A session whose agent hangs up: after seconds, or in the middle of an answer."""

    async def create_session():
        agent = VoiceAgent(instructions="Helps.", greeting=greeting)
        replies = {"tomorrow": "Thank you, that is noted.", "anna": "Thank you, anna."}
        stt, llm, tts = offline_stack(phrases=list(replies), replies=replies)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        spoken = asyncio.Event()

        async def leave():
            if after is not None:
                await asyncio.sleep(after)
            else:
                for _ in range(answers + 1):  # the greeting is the first
                    spoken.clear()
                    await spoken.wait()
            await agent.end_call()

        session = current_session()
        assert session is not None
        session.log.subscribe(
            lambda event: spoken.set() if isinstance(event, events.AgentSpeechStarted) else None
        )
        leaving = asyncio.create_task(leave())
        await agent.start()
        await leaving

    return create_session


def made(session, caller):
    return asyncio.run(simulate(session, caller))


@pytest.mark.parametrize(
    ("greeting", "step"),
    [(None, "step 1 of the screenplay, hears_greeting()"), ("Hello.", "step 2")],
)
def test_the_first_step_that_was_not_over_is_named(greeting, step):
    call = made(leaves(after=0.6, greeting=greeting), ASKS)
    assert call.end_reason == "agent_ended"
    with pytest.raises(ScreenplayError, match="the agent ended the call first") as raised:
        call.raise_for_error()
    assert str(raised.value).startswith(step)
    (failed,) = call.events.of(events.CallerStepFailed)
    assert failed.why == "the agent ended the call first"
    assert failed.at <= call.duration


def test_a_reply_that_was_being_heard_is_heard_and_what_comes_after_it_is_not():
    whole = made(leaves(answers=2), ASKS)
    assert (whole.error, whole.end_reason) == (None, "agent_ended")
    half = made(leaves(answers=2), ASKS.says("tomorrow"))
    assert "step 6 of the screenplay, says('tomorrow')" in str(half.error)


@pytest.mark.parametrize("last", [Caller.hangs_up, lambda caller: caller.waits(60)])
def test_to_wait_and_to_hang_up_are_over_with_the_call(last):
    assert made(leaves(answers=2), last(ASKS)).error is None


def test_a_session_that_is_cancelled_has_answered_nobody():
    async def create_session():
        raise asyncio.CancelledError

    call = made(create_session, Caller().hears_greeting())
    assert (call.end_reason, type(call.error)) == ("cancelled", ScreenplayError)


def test_many_calls_count_it_as_failed():
    (row,) = asyncio.run(simulate_many(leaves(after=0.6), {"one": SURE}, executor=0))
    assert (row.kind, row.failing_step) == ("failed", "says('tomorrow')")


@pytest.mark.parametrize("last", [Caller.hears_reply, lambda caller: caller.hears("that is noted")])
def test_a_goodbye_is_heard_to_its_last_word_though_the_agent_is_stopped_before(last):
    caller = Caller().hears_greeting().says("tomorrow").expects_tool("note", day="tomorrow")

    async def create_session():
        agent = VoiceAgent(instructions="Notes the day.", greeting="Hello.")

        async def note(day: str) -> str:
            return "noted"

        agent.add_tool(note)
        said = calls_tool("note", day="tomorrow").says("Thank you, that is noted.")
        stt, llm, tts = offline_stack(phrases=["tomorrow"], replies={"tomorrow": said})
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)

        def leave(event):
            if isinstance(event, events.AgentTurnAdded) and "noted" in event.text:
                ending.append(asyncio.ensure_future(agent.end_call()))

        ending = []
        session = current_session()
        assert session is not None
        session.log.subscribe(leave)
        await agent.start()

    call = made(create_session, last(caller).waits(5))
    assert (call.error, call.end_reason) == (None, "agent_ended")


def test_a_tool_that_was_not_called_and_a_word_that_was_not_said_are_missing():
    for want in (lambda c: c.expects_tool("book"), lambda c: c.hears("goodbye")):
        call = made(leaves(answers=1), want(Caller().hears_greeting().says("tomorrow")))
        assert "step 3 of the screenplay" in str(call.error)
