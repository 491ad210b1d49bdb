"""The documentation's examples, unchanged, on the microphone: what a first-time user does.

What each is there to show is looked for where it must be: in what came out of the speaker, which is
compared with the sentence as its voice says it, and in the events.
"""

from __future__ import annotations

import functools

import pytest
from example_matrix import METADATA, NAMES, example, offline, piopiy_names, two_of_each
from live_calls import LINE, count, greeted, on, until
from session_settings import settle
from virtual_card import at_monitor_rate, correlation, with_a_speaker_that_keeps_up

from piopiy_lab import Microphone, events
from piopiy_lab.sound import speech

TABLE, ASKED = "A table for two tomorrow at seven.", "What name is it under?"
#: How well a sentence that was played is found, at the least, and one that was not, at the most:
#: 0.99 and 0.38 were measured.
ALIKE, DIFFERENT = 0.95, 0.6


@pytest.fixture(autouse=True)
def alias(monkeypatch):
    with piopiy_names(monkeypatch):
        yield


class Conversation:
    """The person at the microphone."""

    def __init__(self, card, call):
        self.card, self.call = card, call

    def begins(self, line):
        """Say a line, and don't wait for what comes of it."""
        return self.card.say(line)

    def says(self, line):
        """Say a line, and wait until the agent has answered."""
        before = count(self.call, events.AgentSpeechStopped)
        self.begins(line)
        until(self.call, lambda: count(self.call, events.AgentSpeechStopped) > before)


def at_home(module, replace):
    """Return an example's session, with services that need no key."""

    @functools.wraps(module.create_session)  # it has its arguments by their names
    async def create_session(*args, **kwargs):
        settle(replace=replace)
        await module.create_session(*args, **kwargs)

    return create_session


def talk(card, module, replace, during, microphone=None):
    """Run an example on the microphone; returns the ended call and what the speaker played."""

    def greeted_first(call):
        greeted(call)
        during(Conversation(card, call))

    session = at_home(module, replace)
    return on(
        card,
        microphone or Microphone(),
        greeted_first,
        session,
        compared=True,
        metadata=METADATA,
    )


def found(speaker, sentence, voice=speech.AGENT_VOICE, rate=24000):
    """How well a sentence, as a voice says it, is found in what the speaker played: 0 to 1."""
    said = speech.synthesize(sentence, voice, sample_rate=rate).samples
    return correlation(at_monitor_rate(said, rate), speaker)[0]


def heard(call, speaker, sentence, voice=speech.AGENT_VOICE, rate=24000, alike=ALIKE):
    """Assert that a sentence came out of the speaker."""
    alike_is = found(speaker, sentence, voice, rate)
    assert alike_is > alike, f"{sentence!r}: {alike_is:.3f}\n{story(call)}"


def first_sentence(text):
    return text.partition(".")[0] + "."


def asks_for_a_table(person):
    person.says(LINE)


def books(person):
    person.says(f"{LINE} my name is anna")
    person.says("yes please")


def texts(call, role):
    return [entry.text for entry in call.transcript if entry.role == role]


def story(call):
    """What was said and heard when, for a failure's message."""
    of_speech = ("UserSp", "UserTurn", "Agent", "Transcribed", "Audio", "ServiceSw")
    told = [event for event in call.events if type(event).__name__.startswith(of_speech)]
    return "\n".join(str(event)[:120] for event in told)


@with_a_speaker_that_keeps_up
def test_basic_greets_hears_and_answers(card):
    call, speaker = talk(card, example("basic"), offline("basic"), asks_for_a_table)
    assert texts(call, "user") == [LINE]
    assert texts(call, "assistant") == ["Hello! How can I help you today?", f"{TABLE} {ASKED}"]
    heard(call, speaker, "How can I help you today?")
    heard(call, speaker, TABLE)
    assert found(speaker, "Your table is booked.") < DIFFERENT


@with_a_speaker_that_keeps_up
def test_tools_runs_the_handler_and_says_its_result(card):
    module = example("tools")
    call, speaker = talk(card, module, offline("tools"), books)
    (tool,) = call.tool_calls
    assert tool.result == {"status": "booked", "reference": "R-7"}
    assert module.booked == [tool.arguments]
    assert tool.arguments["name"] == "Anna"
    heard(call, speaker, "The reference is R - seven.")


@with_a_speaker_that_keeps_up
def test_metadata_and_vad_greets_by_name_and_ends_speech_as_the_dict_says(card):
    module = example("metadata_and_vad")
    call, speaker = talk(card, module, offline("metadata_and_vad"), asks_for_a_table)
    ((call_id, metadata, room, others),) = module.seen
    assert (call_id, metadata, room) == (call.call_id, METADATA, None)  # a room is the phone's
    assert others == ["agent_id"]  # a microphone has no numbers
    assert texts(call, "user") == [LINE]
    heard(call, speaker, "Hello Asha!")
    assert found(speaker, "Hello there!") < DIFFERENT
    stopped = call.events.of(events.UserSpeechStopped)[-1]
    loud = [
        sample.at
        for sample in call.events.of(events.VADSampled)
        if sample.at < stopped.at and sample.confidence >= 0.6 and sample.volume >= 0.5
    ]
    assert stopped.stop_secs == 0.3
    assert stopped.at - loud[-1] == pytest.approx(0.3, abs=0.06)  # and it is 0.2 by default


@with_a_speaker_that_keeps_up
def test_telecmi_params_sets_the_devices_rates_and_the_detector(card):
    name = "telecmi_params"
    call, speaker = talk(card, example(name), offline(name), asks_for_a_table)
    opened = call.events.of(events.AudioDeviceOpened)
    assert [(event.side, event.sample_rate) for event in opened] == [
        ("input", 8000),
        ("output", 16000),
    ]
    assert call.events.of(events.UserSpeechStopped)[-1].stop_secs == 0.25
    assert texts(call, "user") == [LINE]
    # PulseAudio makes 48 kHz of 16, which the recorder's 16 kHz are not again, sample for sample.
    heard(call, speaker, "Hello, on a phone line.", rate=16000, alike=0.8)


@with_a_speaker_that_keeps_up
def test_interruptions_let_one_word_pass_and_two_cut_the_agent_short(card):
    module = example("interruptions")

    def during(person):
        agent_starts = lambda: count(person.call, events.AgentSpeechStarted)  # noqa: E731
        person.begins(LINE)
        until(person.call, lambda: agent_starts() == 2)
        person.begins("sophia")  # one word, and never taken for two on the way to it
        until(person.call, lambda: count(person.call, events.AgentSpeechStopped) == 2)
        person.begins("what times do you have")
        until(person.call, lambda: agent_starts() == 3)
        person.begins("no my name is sophia")
        until(person.call, lambda: count(person.call, events.AgentSpeechStopped) == 4)

    # With headphones: echo cancellation, which has tests of its own (test_echo_live), weakens what
    # is said over the agent's voice, and this is about which words interrupt.
    headphones = Microphone(echo_cancellation=False)
    call, speaker = talk(card, module, offline("interruptions"), during, headphones)
    greeting, reply, times, answer = (e for e in call.transcript if e.role == "assistant")
    understood = call.events.of(events.Transcribed)
    words = [event.text for event in understood]
    assert words == [LINE, "sophia", "what times do you have", "no my name is sophia"], story(call)
    assert reply.start < understood[1].at < reply.end
    assert [entry.interrupted for entry in (greeting, reply, times, answer)] == [
        False,
        False,
        True,
        False,
    ]
    added = [event.text for event in call.events.of(events.UserTurnAdded)]
    assert added == [
        LINE,
        "what times do you have",
        "no my name is sophia",
    ]  # the one word is dropped
    heard(call, speaker, ASKED)  # the reply was heard to its end
    assert found(speaker, "We have tables from five to ten.") < DIFFERENT
    heard(call, speaker, first_sentence(answer.text))


@with_a_speaker_that_keeps_up
def test_switching_goes_on_in_the_other_voice_and_the_other_ear(card):
    module = example("switching")
    call, speaker = talk(card, module, two_of_each(module), books)
    switched = call.events.of(events.ServiceSwitched)
    assert sorted((event.kind, event.cause) for event in switched) == [
        ("stt", "manual"),
        ("tts", "manual"),
    ]
    first, last = "Hello in my first voice.", texts(call, "assistant")[-1]
    assert last.startswith("booked in another voice")
    before, after = speech.AGENT_VOICE, speech.SECOND_AGENT_VOICE
    heard(call, speaker, first, before)
    heard(call, speaker, last, after)
    assert found(speaker, first, after) < DIFFERENT
    assert found(speaker, last, before) < DIFFERENT


@with_a_speaker_that_keeps_up
def test_speech_agent_hears_with_no_recogniser_and_speaks_through_its_tts(card):
    name = "speech_agent"
    call, speaker = talk(card, example(name), offline(name), asks_for_a_table)
    assert sorted(call.services) == ["llm", "tts"]
    assert texts(call, "user") == [LINE]
    heard(call, speaker, "Hello, this is the booking desk.")
    heard(call, speaker, TABLE)
    assert len(call.events.of(events.UserTurnStarted)) == 1  # its late transcript starts no turn
    assert not call.events.of(events.AgentInterrupted)


@with_a_speaker_that_keeps_up
def test_mcp_asks_a_real_server_and_says_its_answer(card):
    def during(person):
        person.says("what is the weather")

    call, speaker = talk(card, example("mcp"), offline("mcp"), during)
    (tool,) = call.tool_calls
    assert (tool.name, tool.arguments) == ("weather", {"city": "Chennai"})
    heard(call, speaker, "It is sunny in Chennai.")


def test_no_example_is_left_out():
    tests = [name for name in globals() if name.startswith("test_")]
    assert [n for n in NAMES if not any(test.startswith(f"test_{n}_") for test in tests)] == []
