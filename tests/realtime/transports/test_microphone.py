"""Whole calls on a virtual sound card: PortAudio, PulseAudio, the offline stack, real time."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
from live_calls import LINE, count, greeted, on, until
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.observers.base_observer import BaseObserver
from virtual_card import (
    MONITOR_RATE,
    at_monitor_rate,
    correlation,
    kept_up,
    with_a_speaker_that_keeps_up,
)

from piopiy_lab import Microphone, VoiceAgent, events, offline_stack
from piopiy_lab.events.log import EventLog
from piopiy_lab.offline import booking_desk
from piopiy_lab.session.session import current_session
from piopiy_lab.sound import speech


class Heard(BaseObserver):
    """Keeps what the microphone gave to the pipeline."""

    def __init__(self):
        super().__init__(observe_every_push=False)
        self.samples = []

    async def on_push_frame(self, data):
        if isinstance(data.frame, InputAudioRawFrame):
            self.samples.append(np.frombuffer(data.frame.audio, np.int16))


@with_a_speaker_that_keeps_up
def test_a_call_is_spoken_into_the_microphone_and_heard_at_the_speaker(card):
    def during(call):
        greeted(call)
        card.say(LINE)
        until(call, lambda: count(call, events.AgentSpeechStopped) >= 2)

    observer = Heard()

    async def observed(call_id):
        words = booking_desk()
        agent = VoiceAgent(instructions=words.instructions, greeting=words.greeting)
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, observers=[observer])
        await agent.start()

    # Echo cancellation changes what is heard a little; its own tests are in test_echo_live.
    call, speaker = on(card, Microphone(echo_cancellation=False), during, observed, compared=True)
    assert [e.role for e in call.transcript] == ["assistant", "user", "assistant"]
    assert call.transcript[1].text == LINE
    assert "What name" in call.transcript[2].text
    # What was said into the microphone is what the pipeline got, sample for sample ...
    said = speech.synthesize(LINE, speech.CALLER_VOICE, sample_rate=MONITOR_RATE).samples
    assert correlation(said, np.concatenate(observer.samples))[0] > 0.95
    # ... and what the agent said came out of the speaker, at the time that the recording says.
    agent = at_monitor_rate(call.recording[:, 1], call.recording.sample_rate)
    greeting = speech_in(agent)
    match, at = correlation(greeting, speaker)
    assert match > 0.95
    reply = agent[round(call.transcript[2].start * MONITOR_RATE) :]
    match, reply_at = correlation(reply[: 2 * MONITOR_RATE], speaker)
    assert match > 0.95
    first = np.flatnonzero(np.abs(agent) > 100)[0] / MONITOR_RATE
    assert reply_at - at == pytest.approx(call.transcript[2].start - first, abs=0.06)
    # The devices, their rates and the levels are in the log.
    opened = call.events.of(events.AudioDeviceOpened)
    assert [(e.side, e.sample_rate) for e in opened] == [("input", 16000), ("output", 24000)]
    levels = call.events.of(events.LevelMeasured)
    assert 7 < len(levels) / (call.duration - opened[0].at) < 11
    assert max(e.user_dbfs for e in levels) > -35
    assert max(e.agent_dbfs for e in levels) > -30


def speech_in(samples):
    """Return the first two seconds from the first audible sample on."""
    first = np.flatnonzero(np.abs(samples) > 100)[0]
    return samples[first : first + 2 * MONITOR_RATE]


def test_a_word_that_was_not_heard_is_not_in_the_transcript(card):
    def during(call):
        until(call, lambda: count(call, events.AgentSpeechStarted) >= 1)
        time.sleep(1.2)  # in the middle of the greeting
        call.interrupt()
        until(call, lambda: count(call, events.AgentInterrupted) >= 1)
        time.sleep(0.5)  # to hear that the speaker is silent from then on

    call, speaker = on(card, Microphone(), during)
    heard = call.transcript[0]
    assert heard.interrupted
    whole = booking_desk().greeting
    assert whole.startswith(heard.text[: len(heard.text) // 2])
    assert len(heard.text) < len(whole) - 10
    # The speaker fell silent, and the recording ends where the listener's hearing did.
    cut = call.events.of(events.AgentInterrupted)[0].at
    agent = at_monitor_rate(call.recording[:, 1], call.recording.sample_rate)
    audible = np.flatnonzero(np.abs(agent) > 50) / MONITOR_RATE
    assert cut - 0.1 < audible[-1] < cut + 0.15
    loud = np.flatnonzero(np.abs(speaker) > 50) / MONITOR_RATE
    assert loud[-1] - loud[0] == pytest.approx(audible[-1] - audible[0], abs=0.06)
    # Each word's event is at the time at which its sound came out of the speaker.
    words = call.events.of(events.WordSpoken)
    assert words[0].at == pytest.approx(audible[0], abs=0.08)


def test_mute_closes_the_microphone_and_push_to_talk_starts_so(card):
    def during(call):
        greeted(call)
        card.say(LINE).wait()
        time.sleep(1.0)  # nothing comes of it, so there is nothing to wait for
        assert not call.events.of(events.UserSpeechStarted)
        call.mute(False)
        until(call, lambda: len(call.events.of(events.UserMuted)) == 2)
        card.say(LINE)
        until(call, lambda: count(call, events.AgentSpeechStopped) >= 2)

    call, _ = on(card, Microphone(push_to_talk=True), during)
    assert [e.muted for e in call.events.of(events.UserMuted)] == [True, False]
    opened_at = call.events.of(events.UserMuted)[1].at
    caller = call.recording[: round((opened_at - 0.05) * call.recording.sample_rate), 0]
    assert not caller.any(), "what was said while muted is not recorded"
    assert [e.text for e in call.transcript if e.role == "user"] == [LINE]


def test_half_duplex_ignores_the_microphone_while_the_agent_speaks(card):
    def during(call):
        until(call, lambda: count(call, events.AgentSpeechStarted) >= 1)
        card.say("hello").wait()
        greeted(call)
        assert not call.events.of(events.UserSpeechStarted)
        time.sleep(0.5)  # a caller's pause, longer than the room's echo
        card.say(LINE)
        until(call, lambda: count(call, events.AgentSpeechStopped) >= 2)

    call, _ = on(card, Microphone(echo_cancellation="half-duplex"), during)
    assert not call.transcript[0].interrupted
    assert call.transcript[1].text == LINE


def test_input_gain_raises_the_level(card):
    def loudest(microphone):
        def during(call):
            card.speak(tone(0.02)).wait()
            time.sleep(0.3)  # the tone's last levels

        call, _ = on(card, microphone, during)
        return max(e.user_dbfs for e in call.events.of(events.LevelMeasured))

    plain = loudest(Microphone(echo_cancellation=False))
    raised = loudest(Microphone(echo_cancellation=False, input_gain_db=12))
    assert raised - plain == pytest.approx(12, abs=1.5)


def tone(level, secs=1.0, rate=16000):
    wave = np.sin(2 * np.pi * 440 * np.arange(round(secs * rate)) / rate)
    return (wave * level * 32767).astype(np.int16)


class Logged(BaseObserver):
    """What happened in a call that nobody holds."""

    events = EventLog()

    async def on_push_frame(self, data):
        self.events = current_session().log


@with_a_speaker_that_keeps_up
def test_start_with_nobody_running_the_session_talks_on_the_microphone(card):
    log = Logged()

    async def alone():
        words = booking_desk()
        agent = VoiceAgent(instructions=words.instructions, greeting=words.greeting)
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, observers=[log])
        task = asyncio.create_task(agent.start())
        await asyncio.sleep(5.0)
        assert not task.done()
        task.cancel()  # what Ctrl-C and an interrupted cell do
        with pytest.raises(asyncio.CancelledError):
            await task

    before = time.monotonic()
    with card.listening() as heard:
        asyncio.run(alone())
    assert time.monotonic() - before < 5.0 + 4.0
    sentence = booking_desk().greeting.split(".")[0] + "."
    said = speech.synthesize(sentence, speech.AGENT_VOICE, sample_rate=MONITOR_RATE).samples
    assert len(log.events) > 5
    kept_up(log.events)
    assert correlation(said, heard[0])[0] > 0.9
