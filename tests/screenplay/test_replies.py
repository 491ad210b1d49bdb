"""What counts as a reply: never the greeting, nor what began before the caller's own words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from piopiy_lab import (
    Caller,
    MinWordsInterruptionStrategy,
    VoiceAgent,
    events,
    offline_stack,
    simulate,
)
from piopiy_lab.screenplay.replies import Replies

LONG = (
    "Hello, this is the booking desk of the little restaurant at the corner, where we serve fish "
    "and vegetables every day of the week, and where you are most welcome."
)


def desk(greeting, **action):
    async def create_session():
        stt, llm, tts = offline_stack()
        agent = VoiceAgent(instructions="You take bookings.", greeting=greeting)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, **action)
        await agent.start()

    return create_session


def run(create_session, caller, **options):
    options = {"record": False, "replace": {"stt": "screenplay"}, **options}
    return asyncio.run(simulate(create_session, caller, **options))


TABLE = Caller().says("a table for two tomorrow at seven").hears_reply(timeout=20).hangs_up()


@pytest.mark.parametrize(
    ("greeting", "options", "action"),
    [
        ("Hello.", {}, {}),
        ("A table is waiting for you.", {}, {}),  # it begins as the reply does
        (LONG, {}, {"allow_interruptions": False}),  # the reply follows it without a gap
        ("Hello.", {"latency": {"tts": 0.8}}, {}),  # dropped before it sounded
        ("Hello.", {"latency": {"tts": 1.5}}, {"allow_interruptions": False}),
    ],
    ids=["short", "alike", "uninterrupted", "dropped", "late"],
)
def test_the_greeting_is_no_reply(greeting, options, action):
    call = run(desk(greeting, **action), TABLE, **options).raise_for_error()
    assert "What name" in call.transcript[-1].text
    assert "under?" in call.transcript[-1].text  # to its end
    assert not any(event.cause == "interrupted" for event in call.events.of(_STOPPED)[1:])


_STOPPED = events.AgentSpeechStopped


def test_what_the_agent_was_saying_before_the_caller_spoke_is_no_reply():
    caller = (
        Caller()
        .interrupts("a table for two tomorrow at seven", after=1.0)
        .hears_reply(timeout=20)
        .hangs_up()
    )
    slow = {"latency": {"llm": 9.0}}  # silence between the greeting's end and the reply
    call = run(desk(LONG, allow_interruptions=False), caller, **slow).raise_for_error()
    (answer,) = call.events.of(events.LLMResponseStarted)
    (heard,) = [step for step in call.events.of(events.CallerStepFinished) if step.number == 2]
    assert answer.at < call.events.of(_STOPPED)[-1].at < heard.at


def test_a_greeting_is_still_a_greeting_when_the_caller_spoke_first():
    caller = Caller().says("yes").hears_greeting(timeout=20).hangs_up()
    assert run(desk(LONG, allow_interruptions=False), caller).error is None


def test_a_caller_who_has_said_nothing_yet_hears_any_speech_out():
    caller = Caller().hears("how can I help").hears_reply().hangs_up()
    call = run(desk("Hello, how can I help you today?"), caller).raise_for_error()
    assert [entry.text for entry in call.transcript] == ["Hello, how can I help you today?"]


def test_words_that_were_not_taken_have_no_reply():
    caller = Caller().interrupts("yes", after=1.0).hears_reply(timeout=20).hangs_up()
    strategy = MinWordsInterruptionStrategy(min_words=6)
    call = run(desk(LONG, interruption_strategy=strategy), caller)
    assert "no reply was heard" in str(call.error)


def at(kind, secs, **values):
    return kind(at=secs, **values)


def pipeline(greeting=None, **services):
    return events.PipelineStarted(
        at=0.0,
        services=services or {"stt": "S", "llm": "L", "tts": "T"},
        vad="V",
        vad_params={},
        audio_in_sample_rate=16000,
        audio_out_sample_rate=24000,
        greeting=greeting,
    )


@dataclass
class Heard:
    speech_starts: list[float]
    audible_until: float


def listening(starts, until, *log, turn_from=1.0):
    """A caller whose words began at ``turn_from``, and who has heard this."""
    replies = Replies(Heard(starts, until), log)
    replies.begin_turn(turn_from)
    return replies


SPOKE = at(events.CallerSpoke, 1.0, text="a table", end=3.0)


def test_a_reply_may_begin_in_the_silence_at_the_end_of_the_callers_sound():
    replies = listening([2.6], 4.0, pipeline())
    replies.note(SPOKE)
    assert not replies.reply_heard()  # nobody can have understood yet, as far as the log says
    replies = listening([2.6], 4.0, pipeline())
    replies.note(at(events.UserTurnStopped, 2.2))
    replies.note(SPOKE)
    assert replies.reply_heard()


def test_on_a_line_without_a_pipelines_log_the_ear_decides():
    for start, is_reply in ((0.9, False), (1.2, False), (2.6, True), (3.1, True)):
        replies = listening([start], 4.0)
        replies.note(SPOKE)
        assert replies.reply_heard() is is_reply, start


def test_an_answer_that_was_dropped_is_no_reply():
    replies = listening([0.5], 6.0, pipeline())
    for event in (
        SPOKE,
        at(events.UserTurnStopped, 3.2),
        at(events.LLMResponseStarted, 3.2),
        at(events.AudioSynthesized, 3.4),
    ):
        replies.note(event)
    assert replies.reply_heard()  # the speech of before goes on into it
    replies.note(at(events.AgentInterrupted, 3.5, cause="user", speaking=True))
    assert not replies.reply_heard()


def test_a_model_that_speaks_itself_greets_in_words_of_its_own():
    log = pipeline("Hello.", llm="L")
    replies = listening([1.1], 2.0, log)
    replies.note(at(events.AgentSpeechStarted, 1.1))
    replies.note(at(events.WordSpoken, 1.1, text="Welcome"))
    replies.note(at(events.UserTurnStopped, 1.2))
    assert not replies.reply_heard()
    replies = listening([1.6], 2.0, log)  # the greeting was dropped: this answers the caller
    replies.note(at(events.UserTurnStopped, 1.2))
    replies.note(at(events.AgentSpeechStarted, 1.6))
    assert replies.reply_heard()
