"""Ending and transferring a call from code, with and without a platform behind it."""

from __future__ import annotations

import asyncio
import contextlib
import re

import pytest
from session_settings import settle
from wait_until import wait_until

from piopiy_lab import (
    Caller,
    VoiceAgent,
    events,
    offline_realtime,
    offline_stack,
    simulate,
    start_call,
)
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CallControlError, CallError
from piopiy_lab.session import commands
from piopiy_lab.session.call_control import TransferNews
from piopiy_lab.session.session import current_session
from piopiy_lab.session.targets import check_target
from piopiy_lab.session.transfer_order import TransferOrder

GREETING = "Hello, this is the desk, one moment please."


class Platform:
    """A phone platform's answers, in place of the REST client; ``news`` come through the room.

    Each is (seconds after the request, status) or (seconds, status, reason).
    """

    def __init__(
        self, fail=None, secs=0.2, news=((0.5, "completed"),), state="queued", leaves=None
    ):
        self.fail, self.secs, self.news, self.asked = fail, secs, news, []
        self.state, self.leaves = TransferNews(state, "tr-1"), leaves
        self.session = None

    async def hang_up(self, reason=None):
        self.asked.append(("hang_up", reason))
        await asyncio.sleep(self.secs)
        if self.fail:
            raise self.fail

    async def transfer(self, order):
        self.asked.append(order)
        loop, transfers = asyncio.get_running_loop(), self.session.transfers
        for after, status, *reason in self.news:
            loop.call_later(after, transfers.told, TransferNews(status, "tr-1", *reason))
        if self.leaves is not None:
            loop.call_later(self.leaves, transfers.caller_left)
        await asyncio.sleep(self.secs)
        if self.fail:
            raise self.fail
        return "tr-1"

    async def transfer_state(self, request_id):
        self.asked.append(request_id)
        return self.state


NUMBER = "+918012345678"
RING = ((0.3, "started"), (8, "failed", "no_answer"))


def session(act, control=None, idle_timeout_secs=60):
    """A session whose code acts on its agent 0.5 s into the greeting."""

    async def create_session():
        settle(control=control)
        if control is not None:
            control.session = current_session()
        agent = VoiceAgent(instructions="x", greeting=GREETING, idle_timeout_secs=idle_timeout_secs)
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
    call = run(session(lambda agent: agent.transfer_call(NUMBER), platform))
    call.raise_for_error()
    assert platform.asked == [TransferOrder(NUMBER)]
    assert call.end_reason == "agent_ended"
    asked, done = (
        call.events.of(events.TransferRequested)[0],
        call.events.of(events.TransferFinished)[0],
    )
    assert done.status == "transferred"
    assert done.at - asked.at == pytest.approx(0.5, abs=0.02)  # when the room says so
    assert done.request_id == "tr-1"


@pytest.mark.parametrize(
    ("platform", "words"),
    [
        (Platform(fail=CallControlError("403: not allowed"), news=()), "403: not allowed"),
        (Platform(secs=60, news=()), "no answer in 10 s"),
        (Platform(news=((3, "failed", "busy"),)), "busy"),
        (Platform(news=((3, "failed"),)), "failed"),
        (Platform(news=()), "no outcome in 75 s"),
    ],
)
def test_a_transfer_that_fails_leaves_the_call_running(platform, words):
    seen = []

    async def act(agent):
        with pytest.raises(CallControlError, match=words) as error:
            await agent.transfer_call(NUMBER)
        seen.append(error.value)

    call = run(session(act, platform, 0), Caller().waits(100).hangs_up())
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
    assert platform.asked == [("hang_up", "agent_ended")]
    assert call.end_reason == "agent_ended"
    told = [e.message for e in call.events.of(events.ErrorOccurred)]
    assert told == (
        [] if fail is None else ["the caller's line could not be hung up: 503: try again"]
    )


def test_the_caller_stays_with_the_agent_while_it_rings():
    """And hears what happens, and the LLM is told; nobody answers, and nothing has changed."""
    platform = Platform(news=RING)
    seen = []

    async def act(agent):
        with pytest.raises(CallControlError, match="no_answer"):
            await agent.transfer_call(NUMBER)
        seen.append(True)

    caller = (
        Caller().hears("stay on the line", within=10).says("a table for two").hears("two people")
        .hears("nobody is answering", within=12).says("for seven o'clock").hears_reply().hangs_up()
    )  # fmt: skip
    call = run(session(act, platform), caller)
    call.raise_for_error()
    assert seen
    assert call.end_reason == "caller_hung_up"
    (started,) = call.events.of(events.TransferStarted)
    assert (started.to, started.request_id) == (NUMBER, "tr-1")
    (done,) = call.events.of(events.TransferFinished)
    assert (done.status, done.error, done.request_id) == ("failed", "no_answer", "tr-1")
    said = [m["content"] for m in call.events.of(events.ContextSent)[-1].messages]
    assert any("The transfer failed: no_answer" in text for text in said)
    assert any("nobody is answering there" in text for text in said)


LINES = {"started": "Momento por favor.", "busy": "", "failed": "Lo siento mucho."}


@pytest.mark.parametrize(
    ("outcome", "lines", "said", "reason"),
    [
        ("answered", {}, ["I am connecting you now. Please stay on the line."], "agent_ended"),
        ("answered", LINES, ["Momento por favor."], "agent_ended"),
        ("busy", LINES, ["Momento por favor."], "caller_hung_up"),
        ("rejected", LINES, ["Momento por favor.", "Lo siento mucho."], "caller_hung_up"),
        ("no_answer", {"started": "", "failed": "Sorry."}, ["Sorry."], "caller_hung_up"),
    ],
)
def test_a_simulation_says_what_becomes_of_a_transfer(outcome, lines, said, reason):
    async def act(agent):
        agent.transfer_lines = lines
        with contextlib.suppress(CallControlError):
            await agent.transfer_call(NUMBER, timeout_secs=20)

    call = asyncio.run(
        simulate(session(act), Caller().waits(45).hangs_up(), transfer_outcomes={NUMBER: outcome})
    )
    call.raise_for_error()
    assert call.end_reason == reason
    assert " ".join(entry.text for entry in call.transcript) == " ".join([GREETING, *said])
    (started,) = call.events.of(events.TransferStarted)
    (done,) = call.events.of(events.TransferFinished)
    answered = outcome == "answered"
    assert (done.status, done.error) == (("transferred", None) if answered else ("failed", outcome))
    assert done.at - started.at == pytest.approx(20 if outcome == "no_answer" else 5, abs=0.1)


@pytest.mark.parametrize(
    ("outcomes", "error"),
    [
        ({NUMBER: "asleep"}, ArgumentError),
        ({"204": "busy"}, ArgumentError),
        ([NUMBER], ArgumentTypeError),
    ],
)
def test_bad_transfer_outcomes(outcomes, error):
    with pytest.raises(error):
        asyncio.run(simulate(session(None), Caller(), transfer_outcomes=outcomes))


@pytest.mark.parametrize("speaks", [True, False])
def test_a_realtime_model_is_asked_to_say_how_a_transfer_stands(speaks):
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        voice = {} if speaks else {"tts": offline_stack()[2]}
        await agent.Action(llm=offline_realtime(speaks=speaks), **voice)
        task = asyncio.ensure_future(agent.start())
        await current_session().wait_until_listening()
        await asyncio.sleep(1.5)
        with contextlib.suppress(CallControlError):
            await agent.transfer_call(NUMBER)
        await task

    caller = Caller().hears("stay on the line", 15).hears("their line is busy", 15).hangs_up()
    call = asyncio.run(simulate(create_session, caller, transfer_outcomes={NUMBER: "busy"}))
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"


def test_a_blind_transfer_is_done_when_the_platform_has_accepted_it():
    platform = Platform(news=())
    call = run(session(lambda agent: agent.transfer_call(NUMBER, blind=True), platform))
    call.raise_for_error()
    assert platform.asked == [TransferOrder(NUMBER, blind=True)]  # and nobody is hung up
    assert call.end_reason == "agent_ended"
    assert call.events.of(events.TransferFinished)[0].status == "transferred"


@pytest.mark.parametrize(
    ("news", "state", "reason", "status"),
    [
        ((), "queued", "caller_hung_up", "failed"),
        ((), "completed", "agent_ended", "transferred"),
        (((1.4, "completed"),), "queued", "agent_ended", "transferred"),
    ],
)
def test_a_caller_who_leaves_while_it_rings(news, state, reason, status):
    """Has been handed over if the platform says so, now or when asked; has hung up if not."""
    platform = Platform(news=news, state=state, leaves=1.2)
    call = run(session(lambda agent: agent.transfer_call(NUMBER), platform))
    call.raise_for_error()
    (done,) = call.events.of(events.TransferFinished)
    assert (call.end_reason, done.status) == (reason, status)
    assert ("hang_up", reason) not in platform.asked


def test_a_call_that_ends_while_it_rings():
    platform = Platform(news=RING)
    call = run(session(lambda agent: agent.transfer_call(NUMBER), platform), Caller().waits(6))
    call.raise_for_error()
    (done,) = call.events.of(events.TransferFinished)
    assert (done.status, done.error) == ("failed", "the call ended first")


def test_ringing_is_no_idle_time_and_what_comes_before_the_answer_is_not_lost():
    platform = Platform(secs=0.5, news=((0.1, "started"), (70, "completed")))
    order = {"hold_audio": True, "timeout_secs": 65}

    act = session(lambda agent: agent.transfer_call(NUMBER, **order), platform, 20)
    call = run(act, Caller().waits(100))
    call.raise_for_error()
    assert call.end_reason == "agent_ended"
    assert len(call.events.of(events.TransferStarted)) == 1
    assert [e.text for e in call.transcript] == [GREETING]  # the caller hears music


def test_a_transfer_that_was_begun_elsewhere_is_told_and_ends_the_call():
    async def act(agent):
        transfers = current_session().transfers
        for status, reason in (("started", None), ("failed", "busy"), ("failed", "busy")):
            transfers.told(TransferNews(status, "tr-9", reason))
        await asyncio.sleep(9)
        transfers.told(TransferNews("completed", "tr-10"))

    platform = Platform()
    call = run(session(act, platform))
    call.raise_for_error()
    assert call.end_reason == "agent_ended"
    assert [e.request_id for e in call.events.of(events.TransferStarted)] == ["tr-9"]
    assert [(e.request_id, e.status) for e in call.events.of(events.TransferFinished)] == [
        ("tr-9", "failed"),
        ("tr-10", "transferred"),
    ]
    assert "their line is busy" in call.transcript[-1].text
    assert platform.asked == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"to": "sip:204@pbx.example.com", "blind": True}, "leave out blind=True, or give a num"),
        ({"blind": True, "confirm": True}, "a blind transfer takes no confirm="),
        ({"sip_headers": {"X-Who": "me"}}, "a telephone takes none"),
        ({"to": "sip:a@b", "sip_headers": {"X-Who": "me\r\nTo: you"}}, "is no header"),
        ({"caller_id": "Anna"}, "caller_id='Anna' is no number"),
        ({"timeout_secs": 0}, "timeout_secs=0"),
        ({"confirm": 1}, "confirm=1: give True or False"),
        ({"hold_audio": " "}, "hold_audio=' ' is empty"),
        ({"summary": 7}, "summary=7: give a text"),
        ({"variables": {"a": float("nan")}}, "is no JSON"),
        ({"variables": {"a": object()}}, "is no JSON"),
        ({"variables": [1]}, "give names to values"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused(options, words):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=re.escape(words)):
        TransferOrder(**{"to": NUMBER, **options})


def test_work_after_the_call_holds_no_caller_up():
    platform, at = Platform(), {}

    async def hang_up(reason=None):
        at["hung up"] = platform.session.now()

    platform.hang_up = hang_up
    inner = session(lambda agent: agent.end_call(), platform)

    async def create_session():
        await inner()
        at["returned"] = current_session().now()
        await asyncio.sleep(8)  # a summary for the CRM

    call = run(create_session)
    call.raise_for_error()
    assert call.end_reason == "agent_ended"
    assert at["hung up"] == pytest.approx(at["returned"], abs=0.5)
    assert call.duration > at["hung up"] + 7


def test_a_caller_who_hung_up_is_not_hung_up_again():
    platform = Platform()
    call = run(session(lambda agent: asyncio.sleep(0), platform), Caller().waits(3).hangs_up())
    assert call.end_reason == "caller_hung_up"
    assert platform.asked == []


@pytest.mark.parametrize("fail", [None, CallControlError("403: not allowed")])
def test_call_transfer_from_another_thread(no_leftovers, fail):
    platform = Platform(fail, news=() if fail else ((0.3, "completed"),))

    async def create_session():
        settle(control=platform)
        platform.session = current_session()
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    call = start_call(create_session, Caller().hears_greeting().waits(3).hangs_up())
    wait_until(lambda: call.events.of(events.AgentSpeechStarted), 10, call)
    call.transfer(NUMBER, caller_id="+91 1122 3344")
    call.join(20)
    (asked,) = call.events.of(events.TransferRequested)
    assert asked.cause == "command"
    assert asked.at >= call.events.of(events.AgentSpeechStopped)[0].at
    (done,) = call.events.of(events.TransferFinished)
    assert done.status == ("transferred" if fail is None else "failed")
    assert call.end_reason == ("agent_ended" if fail is None else "caller_hung_up")
    assert platform.asked == [commands.Transfer(NUMBER, caller_id="+9111223344")]


@pytest.mark.parametrize("to", ["", "call Anna", "1-", "1", "+", "sip:desk", "0" * 16])
def test_what_is_no_number_is_refused(to):
    with pytest.raises(ArgumentError, match="that is no number"):
        check_target(to)


@pytest.mark.parametrize("to", ["204", "12", "+20 4", "911"])
def test_an_extension_is_refused_with_the_remedy(to):
    digits = to.replace(" ", "").lstrip("+")
    with pytest.raises(ArgumentError, match=f"extension.*'sip:{digits}@pbx.example.com'"):
        check_target(to)


def test_a_number_is_a_text():
    with pytest.raises(ArgumentTypeError, match="as a text"):
        check_target(918012345678)


@pytest.mark.parametrize(
    ("to", "number"),
    [
        ("+91 80 1234 5678", "+918012345678"),
        ("(080) 123.456", "080123456"),
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
        asyncio.run(agent.transfer_call(NUMBER))
