"""Ending and transferring a call from code, with and without a platform behind it."""

from __future__ import annotations

import asyncio

import pytest
from session_settings import settle
from wait_until import wait_until

from piopiy_lab import Caller, VoiceAgent, events, offline_stack, simulate, start_call
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CallControlError, CallError
from piopiy_lab.session.session import current_session
from piopiy_lab.session.targets import check_target

GREETING = "Hello, this is the desk, one moment please."


class Platform:
    """A phone platform's answers, in place of the REST client."""

    def __init__(self, fail=None, secs=0.2):
        self.fail, self.secs, self.asked = fail, secs, []

    async def hang_up(self):
        self.asked.append("hang_up")
        await asyncio.sleep(self.secs)
        if self.fail:
            raise self.fail

    async def transfer(self, to):
        self.asked.append(to)
        await asyncio.sleep(self.secs)
        if self.fail:
            raise self.fail


def session(act, control=None):
    """A session whose code acts on its agent 0.5 s into the greeting."""

    async def create_session():
        settle(control=control)
        agent = VoiceAgent(instructions="x", greeting=GREETING)
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        task = asyncio.ensure_future(agent.start())
        await current_session().wait_until_listening()
        await asyncio.sleep(0.5)
        await act(agent)
        await task

    return create_session


def run(create_session, caller=None):
    return asyncio.run(simulate(create_session, caller or Caller().waits(20).hangs_up()))


def test_end_call_lets_the_agent_finish():
    call = run(session(lambda agent: agent.end_call()))
    call.raise_for_error()
    assert call.end_reason == "agent_ended"
    assert call.transcript[0].text == GREETING
    assert not call.transcript[0].interrupted
    (stopped,) = call.events.of(events.AgentSpeechStopped)
    assert stopped.cause == "finished"
    assert call.duration < stopped.at + 1  # and no longer than that


def test_a_transfer_off_the_phone_is_an_event_and_the_end():
    call = run(session(lambda agent: agent.transfer_call("+91 (80) 1234-5678")))
    call.raise_for_error()
    assert call.end_reason == "agent_ended"
    (asked,) = call.events.of(events.TransferRequested)
    (done,) = call.events.of(events.TransferFinished)
    assert (asked.to, asked.cause) == ("+918012345678", "code")
    assert (done.to, done.status, done.error) == ("+918012345678", "not_on_phone", None)
    assert asked.at >= call.events.of(events.AgentSpeechStopped)[0].at  # heard out first


def test_on_the_phone_the_platform_transfers_and_nobody_hangs_the_caller_up():
    platform = Platform()
    call = run(session(lambda agent: agent.transfer_call("204"), platform))
    call.raise_for_error()
    assert platform.asked == ["204"]
    assert call.end_reason == "agent_ended"
    asked, done = (
        call.events.of(events.TransferRequested)[0],
        call.events.of(events.TransferFinished)[0],
    )
    assert done.status == "transferred"
    assert done.at - asked.at == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    ("platform", "words"),
    [
        (Platform(fail=CallControlError("403: not allowed")), "403: not allowed"),
        (Platform(secs=60), "no answer in 20 s"),
    ],
)
def test_a_transfer_that_fails_leaves_the_call_running(platform, words):
    seen = []

    async def act(agent):
        with pytest.raises(CallControlError, match=words) as error:
            await agent.transfer_call("204")
        seen.append(error.value)

    call = run(session(act, platform), Caller().waits(40).hangs_up())
    call.raise_for_error()
    assert seen
    assert call.end_reason == "caller_hung_up"
    (done,) = call.events.of(events.TransferFinished)
    assert done.status == "failed"
    assert words in done.error


@pytest.mark.parametrize("fail", [None, CallControlError("503: try again")])
def test_on_the_phone_the_end_of_the_call_hangs_the_caller_up(fail):
    platform = Platform(fail)
    call = run(session(lambda agent: agent.end_call(), platform))
    assert platform.asked == ["hang_up"]
    assert call.end_reason == "agent_ended"
    told = [e.message for e in call.events.of(events.ErrorOccurred)]
    assert told == (
        [] if fail is None else ["the caller's line could not be hung up: 503: try again"]
    )


def test_a_caller_who_hung_up_is_not_hung_up_again():
    platform = Platform()
    call = run(session(lambda agent: asyncio.sleep(0), platform), Caller().waits(3).hangs_up())
    assert call.end_reason == "caller_hung_up"
    assert platform.asked == []


@pytest.mark.parametrize("fail", [None, CallControlError("403: not allowed")])
def test_call_transfer_from_another_thread(no_leftovers, fail):
    platform = Platform(fail)

    async def create_session():
        settle(control=platform)
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    call = start_call(create_session, Caller().hears_greeting().waits(3).hangs_up())
    wait_until(lambda: call.events.of(events.AgentSpeechStarted), 10, call)
    call.transfer("204")
    call.join(20)
    (asked,) = call.events.of(events.TransferRequested)
    assert asked.cause == "command"
    assert asked.at >= call.events.of(events.AgentSpeechStopped)[0].at
    (done,) = call.events.of(events.TransferFinished)
    assert done.status == ("transferred" if fail is None else "failed")
    assert call.end_reason == ("agent_ended" if fail is None else "caller_hung_up")
    assert platform.asked == ["204"]


@pytest.mark.parametrize("to", ["", "call Anna", "1-", "1", "+", "sip:desk", "0" * 16])
def test_what_is_no_number_is_refused(to):
    with pytest.raises(ArgumentError, match="that is no number"):
        check_target(to)


def test_a_number_is_a_text():
    with pytest.raises(ArgumentTypeError, match="as a text"):
        check_target(918012345678)


@pytest.mark.parametrize(
    ("to", "number"),
    [
        ("+91 80 1234 5678", "+918012345678"),
        ("(080) 123.456", "080123456"),
        ("204", "204"),
        (" sip:desk@example.com ", "sip:desk@example.com"),
    ],
)
def test_numbers_are_taken_as_people_write_them(to, number):
    assert check_target(to) == number


def test_an_agent_that_is_in_no_call():
    agent = VoiceAgent(instructions="x")
    with pytest.raises(CallError, match="end_call: this VoiceAgent is in no call"):
        asyncio.run(agent.end_call())
    with pytest.raises(CallError, match="transfer_call"):
        asyncio.run(agent.transfer_call("204"))
