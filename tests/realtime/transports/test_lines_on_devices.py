"""A microphone and a keyboard over a phone line: what the agent hears, and what is played."""

from __future__ import annotations

import asyncio

import numpy as np
from live_calls import LINE, count, desk, greeted, on, until
from virtual_card import MONITOR_RATE, at_monitor_rate, correlation, with_a_speaker_that_keeps_up

from piopiy_lab import Keyboard, Line, Microphone, events, start_call
from piopiy_lab.line.way import Way
from piopiy_lab.transports.live import LiveTransport


@with_a_speaker_that_keeps_up
def test_a_microphone_is_heard_over_the_line_and_the_speaker_plays_over_it(card, monkeypatch):
    """Sample for sample; the recording has the caller as the microphone had them."""
    line = Line(codec="pcmu", loss=0.05, noise="hum", snr_db=30.0)
    fed = []
    monkeypatch.setattr(LiveTransport, "fed", lambda transport, samples: fed.append(samples))

    def during(call):
        greeted(call)
        card.say(LINE)
        until(call, lambda: count(call, events.UserTurnStopped) >= 1)

    call, speaker = on(card, Microphone(echo_cancellation=False), during, compared=True, line=line)
    heard = call.heard.samples
    over = Way(line, MONITOR_RATE, "caller").process(np.concatenate(fed))
    np.testing.assert_array_equal(heard, over[: len(heard)])
    assert np.abs(heard.astype(int)).max() > 3000
    clean = at_monitor_rate(call.recording.caller, call.recording.sample_rate)
    assert np.abs(clean[: MONITOR_RATE // 2]).max() < 5, "the recording keeps the caller"
    assert np.abs(heard[: MONITOR_RATE // 2]).max() > 20, "who stands in a hum"
    # what came out of the speaker is in the recording, and has nothing above 4 kHz
    agent = at_monitor_rate(call.recording.agent, call.recording.sample_rate)
    begins = np.flatnonzero(np.abs(agent) > 200)[0]
    said = agent[begins : begins + 2 * MONITOR_RATE]
    assert correlation(said, speaker)[0] > 0.9
    power = np.abs(np.fft.rfft(call.recording.agent.astype(float))) ** 2
    hertz = np.fft.rfftfreq(len(call.recording.agent), 1 / call.recording.sample_rate)
    assert power[hertz > 4500].sum() < 0.002 * power.sum()
    assert call.meta["line"] == {
        "codec": "pcmu",
        "loss": 0.05,
        "noise": "hum",
        "snr_db": 30.0,
        "seed": 1,
    }
    assert any("over a line" in e.message for e in call.events.of(events.NoticeGiven))


def test_a_live_call_over_a_line_is_replayed_without_a_second_one(card):
    line = Line(codec="pcma", delay_ms=60.0)

    def during(call):
        greeted(call)
        card.say(LINE)
        until(call, lambda: count(call, events.UserSpeechStopped) >= 1)

    call, _ = on(card, Microphone(echo_cancellation=False), during, compared=True, line=line)
    again = asyncio.run(call.replay(desk))
    assert again.call.meta["line"]["sides"] == "agent"
    speech = call.events.of(events.UserSpeechStarted, events.UserSpeechStopped)
    said = call.heard.between(speech[0].at, speech[1].at)
    match, _ = correlation(said, again.call.heard.samples)
    assert match > 0.999, "and not encoded again"


def test_what_the_agent_says_to_a_keyboard_goes_over_the_line():
    """Without a device it takes its time all the same, and its last words are on their way."""
    call = start_call(desk, Keyboard(voice=False), line=Line(codec="pcmu", delay_ms=200.0))
    try:
        until(call, lambda: call.state == "listening")
        greeted(call)
    finally:
        call.hang_up()
        call.join(8)
    call.raise_for_error()
    started = call.events.of(events.AgentSpeechStarted)[0].at
    agent = np.abs(call.recording.agent.astype(int))
    first = np.flatnonzero(agent > 200)[0] / call.recording.sample_rate
    assert first - started > 0.15
    last = np.flatnonzero(agent > 200)[-1] / call.recording.sample_rate
    stopped = call.events.of(events.AgentSpeechStopped)[0].at
    assert last < stopped + 0.1
