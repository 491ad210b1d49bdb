"""What a session does after its call: it is given time, cut with a notice, and its errors count."""

from __future__ import annotations

import asyncio

import pytest

from piopiy_lab import Caller, VoiceAgent, events, offline_stack, simulate
from piopiy_lab.errors import ArgumentError

LEAVES = Caller().hears_greeting().hangs_up()


async def talk() -> None:
    stt, llm, tts = offline_stack()
    agent = VoiceAgent(instructions="x", greeting="Hello.")
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


def run(create_session, caller=LEAVES, **options):
    return asyncio.run(simulate(create_session, caller, record=False, **options))


def notices(call):
    return [event.message for event in call.events.of(events.NoticeGiven)]


def test_an_exception_after_the_call_is_the_calls_error():
    async def create_session():
        await talk()
        await asyncio.sleep(3)
        raise KeyError("saving the booking failed")

    call = run(create_session)
    assert call.end_reason == "caller_hung_up"  # as it did
    with pytest.raises(KeyError, match="saving the booking failed"):
        call.raise_for_error()
    (told,) = call.events.of(events.ErrorOccurred)
    assert told.source == "create_session"
    assert "KeyError: 'saving the booking failed'" in told.message
    (ended,) = call.events.of(events.CallEnded)
    assert ended.error == "KeyError: 'saving the booking failed'"


def test_the_first_error_is_the_calls_and_a_later_one_is_told():
    async def create_session():
        await talk()
        raise KeyError("later")

    call = run(create_session, Caller().hears("something else", within=1))
    assert call.end_reason == "error"
    assert "something else" in str(call.error)
    (told,) = call.events.of(events.ErrorOccurred)
    assert "later" in told.message


def test_work_after_the_call_has_half_a_minute():
    done = []

    async def create_session():
        await talk()
        await asyncio.sleep(25)  # a request to a language model
        done.append("a summary")

    call = run(create_session)
    assert done == ["a summary"]
    assert notices(call) == []


def test_longer_work_is_cut_with_a_notice():
    cut = []

    async def create_session():
        await talk()
        try:
            await asyncio.sleep(300)
        except asyncio.CancelledError:
            cut.append("cut")
            raise

    call = run(create_session)
    assert cut == ["cut"]
    assert call.end_reason == "caller_hung_up"
    assert call.error is None
    assert notices(call) == [
        "create_session was still at work and was cut off 30 s after its call; "
        "after_call_secs= gives it more"
    ]


@pytest.mark.parametrize(("secs", "finishes"), [(400, True), (100, False), (0.5, False)])
def test_the_time_can_be_set(secs, finishes):
    done = []

    async def create_session():
        await talk()
        await asyncio.sleep(300)
        done.append("a summary")

    call = run(create_session, after_call_secs=secs)
    assert bool(done) is finishes
    assert call.duration == pytest.approx(1.4 + (300 if finishes else secs), abs=0.2)
    with pytest.raises(ArgumentError, match="after_call_secs=-1"):
        run(create_session, after_call_secs=-1)


def test_a_session_that_does_nothing_after_its_call_needs_no_time():
    call = run(talk, after_call_secs=0)
    assert call.error is None
    assert notices(call) == []
