"""What a call makes of a Cartesia that is slow, broken, limited, silent or without word times."""

from __future__ import annotations

import numpy as np
import pytest
from cloud_desk import BOOKS, GREETING, SAYS, Desk, errors_of, said

from piopiy_lab import Caller, events
from piopiy_lab.errors import ArgumentError, ScreenplayError, ServiceError
from piopiy_lab.fake_providers import FakeCartesia, Scenario

ASKS = Caller().hears_greeting().says(SAYS[0]).hears("what name", within=8).hears_reply()


def run(scenario=None, caller=ASKS, **options):
    desk = Desk({"tts": scenario}, **options)
    return desk, desk.call(caller)


def words_of(call):
    return [event for event in call.events if isinstance(event, events.WordSpoken)]


def test_a_slow_voice_is_in_its_own_part_of_the_latency():
    _, call = run(Scenario.slow(first_byte=0.5))
    assert call.raise_for_error().turns[0].parts["tts"] == pytest.approx(0.5, abs=0.011)


def test_words_are_heard_one_by_one_at_their_times():
    _, call = run()
    words = words_of(call.raise_for_error())
    assert [word.text for word in words[:5]] == GREETING.split()
    assert all(word.timed for word in words)
    assert words[4].at > words[0].at + 0.8


def test_without_word_times_sentences_are_heard():
    _, call = run(Scenario.no_word_times())
    words = words_of(call.raise_for_error())
    assert [word.text for word in words][:2] == [GREETING, "A table for two tomorrow at seven."]
    assert not any(word.timed for word in words)
    assert said(call, "assistant")[0] == GREETING


def test_a_barge_in_cancels_the_context_and_nothing_more_is_heard():
    caller = (
        Caller()
        .hears_greeting()
        .says(SAYS[0])
        .interrupts("no make it friday", after=0.8)
        .hears("friday")
        .hears_reply()
    )
    desk, call = run(None, caller, hears={"script": (SAYS[0], "no make it friday")}, speed=1.5)
    call.raise_for_error()
    cut = call.transcript[2]
    assert cut.interrupted
    assert "under" not in cut.text
    sent = [item.message for item in desk.cartesia.received if item.kind == "end"]
    assert len(sent) == 3  # the greeting, the reply that was cut, and the next one
    (cancel,) = desk.cartesia.of("cancel")
    interrupted = next(e for e in call.events if isinstance(e, events.AgentInterrupted))
    assert cancel.at == pytest.approx(interrupted.at, abs=0.05)


def test_a_reply_that_breaks_off_does_not_end_the_call():
    desk, call = run(Scenario.drops_after(40), ASKS.says(SAYS[1]).hears("is that right", within=8))
    call.raise_for_error()
    assert desk.cartesia.connections == 2


def test_an_idle_connection_that_breaks_is_made_again_unheard():
    desk, call = run(Scenario.drops_after(secs=3.3))
    assert not errors_of(call.raise_for_error())
    assert desk.cartesia.connections == 2
    assert said(call, "assistant")[1].endswith("under?")


def test_a_voice_that_stays_away_is_told_and_its_words_were_not_heard():
    _, call = run(Scenario.rate_limit())
    assert isinstance(call.error, ScreenplayError)  # the caller heard nothing
    assert call.transcript == [] or len(call.transcript) == 0
    assert words_of(call) == []
    told = errors_of(call)
    assert "429" in told[0].message
    assert any("sent no sound" in error.remedy for error in told)
    assert all(error.remedy for error in told)


def test_three_silent_replies_end_the_call():
    script = (SAYS[0],) * 6
    caller = Caller().waits(0.5)
    for _ in range(5):
        caller = caller.says(SAYS[0]).waits(1.5)
    _, call = run(Scenario.rate_limit(), caller.waits(20), hears={"script": script})
    assert call.end_reason == "error"
    assert isinstance(call.error, ServiceError)
    # of errors at the same moment it is the first to arrive since the voice was given up: on 3.13
    # that of the connection, before the one that gave it up
    message = str(call.error)
    assert message.startswith("CartesiaTTSService failed")
    assert "3 consecutive TTS contexts completed with no audio" in message or "429" in message


def test_one_refused_connection_is_made_again():
    _, call = run(Scenario.rate_limit(1))
    assert len(errors_of(call.raise_for_error())) == 1


def test_garbage_three_times_ends_the_call():
    _, call = run(Scenario.malformed(5), BOOKS)
    assert call.end_reason == "error"
    assert "CartesiaTTSService failed" in str(call.error)


def test_what_is_heard_is_real_speech_at_the_asked_rate():
    desk, call = run()
    request = desk.cartesia.of("transcript")[0].message
    assert request["output_format"]["sample_rate"] == 24000
    agent = call.recording.samples[:, 1] if hasattr(call.recording, "samples") else None
    agent = np.asarray(call.recording)[:, 1] if agent is None else agent
    assert np.abs(agent[:24000]).max() > 8000


def test_an_unknown_voice_is_refused():
    with pytest.raises(ArgumentError, match="No voice 'robot'"):
        FakeCartesia(voice="robot")
