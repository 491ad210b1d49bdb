"""Whole calls by typing, with a speaker and without: the wall clock, the offline desk."""

from __future__ import annotations

import numpy as np
import pytest
from live_calls import LINE, count, desk, greeted, on, until
from virtual_card import MONITOR_RATE, at_monitor_rate, correlation, with_a_speaker_that_keeps_up

from piopiy_lab import Keyboard, events, start_call
from piopiy_lab.errors import ArgumentTypeError, AudioDeviceError, CallEndedError
from piopiy_lab.transports import devices


@pytest.fixture
def type_to():
    """Begin a call by typing; it is hung up at the end."""
    calls = []

    def begin(keyboard, session=desk):
        call = start_call(session, keyboard)
        calls.append(call)
        until(call, lambda: call.state == "listening")
        return call

    yield begin
    for call in calls:
        call.hang_up()
        call.join(8)


def answered(call, replies):
    until(call, lambda: count(call, events.AgentSpeechStopped) >= replies)


def test_a_whole_call_is_typed_without_any_device(type_to):
    call = type_to(Keyboard(voice=False))
    greeted(call)
    for reply, line in enumerate((LINE, "my name is oliver", "yes that is right"), start=2):
        call.user_says(line)
        answered(call, reply)
    call.hang_up()
    call.join(8)
    call.raise_for_error()
    assert call.meta["origin"] == "keyboard"
    assert [entry.role for entry in call.transcript] == ["assistant", "user"] * 3 + ["assistant"]
    assert [entry.text for entry in call.transcript][1::2] == [
        LINE, "my name is oliver", "yes that is right",
    ]  # fmt: skip
    assert [(tool.name, tool.arguments["party_size"]) for tool in call.tool_calls] == [
        ("book_table", 2)
    ]
    assert "booked" in call.transcript[-1].text
    # Each answer is timed from the line; nobody spoke, so no detector and no recogniser took part.
    assert len(call.turns) == 3
    for turn in call.turns:
        assert 0 < turn.total < 5
        assert turn.parts["vad"] == turn.parts["turn"] == turn.parts["transcript"] == 0
    # Silence came in at the pace of a device, and nothing was lost or opened.
    for kind in (events.AudioDropped, events.AudioDeviceOpened, events.ErrorOccurred):
        assert not call.events.of(kind)
    assert call.end_reason == "hung_up"
    assert np.abs(call.recording[:, 0]).max() == 0
    assert np.abs(call.recording[:, 1]).max() > 1000, "the agent's voice is kept"
    with pytest.raises(CallEndedError):
        call.user_says("hello")


def test_what_is_typed_over_the_agent_cuts_it_where_a_listener_would_have_been(type_to):
    call = type_to(Keyboard(voice=False))
    until(call, lambda: count(call, events.WordSpoken) >= 2)
    call.user_says(LINE)
    answered(call, 2)
    greeting = call.transcript[0]
    assert greeting.interrupted
    assert greeting.text.startswith("Hello")
    assert "help" not in greeting.text, "what was not reached is not in the transcript"
    cut = call.events.of(events.AgentSpeechStopped)[0]
    typed = call.events.of(events.UserTextTyped)[0]
    assert cut.cause == "interrupted"
    assert cut.at - typed.at < 0.5
    assert call.transcript[1].text == LINE
    assert "What name" in call.transcript[2].text


@with_a_speaker_that_keeps_up
def test_the_agent_is_heard_at_the_speaker_and_no_microphone_is_opened(card):
    def during(call):
        greeted(call)
        call.user_says(LINE)
        answered(call, 2)

    call, speaker = on(card, Keyboard(), during, compared=True)
    opened = call.events.of(events.AudioDeviceOpened)
    assert [event.side for event in opened] == ["output"]
    rate, places = call.recording.sample_rate, []
    for entry in (call.transcript[0], call.transcript[2]):
        reply = call.recording[round(entry.start * rate) :, 1]
        likeness, at = correlation(at_monitor_rate(reply, rate)[:MONITOR_RATE], speaker)
        # alone it is above 0.95; 0.948 was seen at the end of a whole run
        assert likeness > 0.9
        places.append(at - entry.start)
    assert places[0] == pytest.approx(places[1], abs=0.05), "the greeting was thrown away in part"


def test_without_voice_the_speaker_stays_silent(card):
    _, speaker = on(card, Keyboard(voice=False), greeted)
    assert len(speaker) == 0 or np.abs(speaker).max() < 50


def test_without_a_speaker_the_call_says_so_and_goes_on(type_to, monkeypatch):
    monkeypatch.setattr(devices, "look_again", lambda: None)
    monkeypatch.setattr(devices, "devices", list)
    call = type_to(Keyboard())
    greeted(call)
    call.user_says(LINE)
    answered(call, 2)
    (notice,) = [e.message for e in call.events.of(events.NoticeGiven) if "voice" in e.message]
    assert notice == (
        "the agent's voice is not heard here: this computer has no speaker: plug one in"
    )
    assert call.state == "listening"
    with pytest.raises(AudioDeviceError, match="no speaker"):
        start_call(desk, Keyboard(output="USB"))
    with pytest.raises(ArgumentTypeError, match=r"Keyboard\(voice='no'\)"):
        Keyboard(voice="no")
