"""What a call makes of a Deepgram that is slow, late, broken, limited or refuses the key."""

from __future__ import annotations

import pytest
from cloud_desk import BOOKS, SAYS, Desk, errors_of, said

from piopiy_lab import Caller, events
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, ServiceError
from piopiy_lab.fake_providers import FakeDeepgram, Scenario

ASKS = Caller().hears_greeting().says(SAYS[0]).hears("what name", within=8).hears_reply()


def run(scenario, caller=ASKS, **options):
    desk = Desk({"stt": scenario}, **options)
    return desk, desk.call(caller)


@pytest.mark.parametrize(
    ("scenario", "secs"),
    [
        (Scenario.slow(first_byte=0.4), 0.4),
        (Scenario.late_final(0.6), 0.6),
        (Scenario.late_final(3.0), 3.0),  # later than pipecat's own patience for a final
    ],
)
def test_a_late_transcript_is_in_its_own_part_of_the_latency(scenario, secs):
    _, call = run(scenario)
    call.raise_for_error()
    assert call.turns[0].parts["transcript"] == pytest.approx(secs, abs=0.011)
    assert said(call, "user") == [SAYS[0]]
    assert not errors_of(call)


def test_an_interim_comes_before_the_final():
    _, call = run(Scenario.normal())
    interims = [e for e in call.events if isinstance(e, events.InterimTranscribed)]
    final = next(e for e in call.events if isinstance(e, events.Transcribed))
    assert interims[0].at < final.at
    assert SAYS[0].startswith(interims[0].text)


def test_without_word_times_the_words_are_there():
    _, call = run(Scenario.no_word_times())
    assert said(call.raise_for_error(), "user") == [SAYS[0]]


DROPPED = (
    ASKS.waits(7.0)  # the connection breaks and is made again
    .says(SAYS[1])
    .hears("is that right", within=5)
    .hears_reply()
)


def test_a_dropped_connection_is_told_and_made_again():
    desk, call = run(Scenario.drops_after(secs=6), DROPPED)
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"
    (error,) = errors_of(call)
    assert error.at == 6.0
    assert error.source == "DeepgramSTTService"
    assert "connection to the provider is broken" in error.remedy
    assert desk.deepgram.connections == 2
    assert said(call, "user") == list(SAYS[:2])


def test_a_provider_that_stays_away_ends_the_call_with_its_name():
    _, call = run(Scenario.drops_after(secs=6, then_refuses=True), ASKS.waits(30))
    assert call.end_reason == "error"
    assert isinstance(call.error, ServiceError)
    assert "DeepgramSTTService failed" in str(call.error)
    assert "the provider itself fails" in str(call.error)
    assert call.duration < 25
    assert [e.message.count("503") for e in errors_of(call)[1:3]] == [1, 1]


def test_garbage_from_the_provider_is_told_and_the_connection_made_again():
    waits = Caller().hears_greeting().says(SAYS[0]).waits(6).says(SAYS[0]).hears("what name")
    desk, call = run(Scenario.malformed(1), waits, hears={"script": ("lost", SAYS[0])})
    assert "not its protocol" in errors_of(call)[0].remedy
    assert desk.deepgram.connections >= 2


@pytest.mark.parametrize("times", [-1, 1])
def test_a_rate_limit_ends_the_call_and_says_what_to_do(times):
    _, call = run(Scenario.rate_limit(times))
    assert call.end_reason == "error"
    assert "status 429" in str(call.error)
    assert "fewer calls at once" in str(call.error)
    assert "higher limit" in errors_of(call)[0].remedy


def test_what_the_client_sends_is_recorded():
    desk, call = run(Scenario.normal())
    call.raise_for_error()
    connect = desk.deepgram.of("connect")[0].message
    assert connect["encoding"] == "linear16"
    assert connect["sample_rate"] == "16000"
    (finalize,) = desk.deepgram.of("Finalize")
    assert finalize.at == pytest.approx(call.transcript[1].end + 0.2, abs=0.02)
    assert desk.deepgram.of("KeepAlive")
    assert len(desk.deepgram.of("CloseStream")) == 1
    heard = sum(item.message for item in desk.deepgram.of("audio")) / 2 / 16000
    assert heard == pytest.approx(call.duration, abs=0.6)
    assert "key" not in repr([item.message for item in desk.deepgram.received]).lower()


def test_it_can_really_recognise():
    says = "a table for four tomorrow at seven"
    phrases = ["a table for {n} tomorrow at seven"]
    caller = Caller().hears_greeting().says(says).hears("a table for four").hears_reply()
    hears = {"phrases": phrases, "slots": {"n": ["two", "four", "five"]}}
    _, call = run(None, caller, hears=hears)
    assert said(call.raise_for_error(), "user") == [says]


def test_past_its_script_it_says_so():
    _, call = run(Scenario.normal(), BOOKS, hears={"script": SAYS[:1]})
    assert "unscripted utterance 2" in said(call, "user")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, ArgumentError, "either script"),
        ({"script": ["a"], "phrases": ["b"]}, ArgumentError, "either script"),
        ({"script": "a text"}, ArgumentTypeError, "a list of texts"),
        ({"script": ["a"], "slots": {"x": ["y"]}}, ArgumentError, "belongs to phrases"),
        ({"script": ["a"], "key": ""}, ArgumentError, "must use as their key"),
        ({"script": ["a"], "scenario": "slow"}, ArgumentTypeError, "give a Scenario"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        FakeDeepgram(**arguments)


def test_a_server_that_is_not_open_says_how_to_open_it():
    with pytest.raises(ArgumentError, match="async with FakeDeepgram"):
        _ = FakeDeepgram(["a"]).base_url
