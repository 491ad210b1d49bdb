"""A voice over the agent's on the virtual sound card: what the speaker plays meanwhile."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from live_calls import count, on, until
from silent_services import DeafSTT
from virtual_card import MONITOR_RATE, at_monitor_rate, correlation, with_a_speaker_that_keeps_up

from piopiy_lab import Microphone, VoiceAgent, events, offline_stack
from piopiy_lab.sound import speech

GREETING = (
    "Welcome to the little bistro. We are open every day from noon until ten in the evening, and "
    "you can book a table for up to eight people."
)
#: Hears a voice where there is one, and always the same in it: a busy machine's sound has holes.
LISTENER = functools.partial(DeafSTT, text="mm hmm")
ALONE = Microphone(echo_cancellation=False)  # its own tests are in test_echo_live


def session(stt=None, greeting=GREETING, **action):
    async def create_session(call_id):
        agent = VoiceAgent(instructions="x", greeting=greeting)
        hears, llm, tts = offline_stack()
        made = {"stt": stt() if stt else hears, "llm": llm, "tts": tts, "vad": True}
        await agent.Action(**made, **action)
        await agent.start()

    return create_session


def call_in_which(card, text, until_then, **action):
    """In the middle of the greeting the caller says something; then wait for what comes of it."""

    def during(call):
        until(call, lambda: count(call, events.WordSpoken) >= 5)
        card.say(text)
        until(call, lambda: until_then(call))

    call, speaker = on(card, ALONE, during, session(**action), compared=True)
    return call, speaker.astype(float)


def over(call):
    return count(call, events.AgentSpeechStopped) and count(call, events.AgentTurnAdded)


def words(call):
    return " ".join(word.text for word in call.events.of(events.WordSpoken))


def holds(call):
    """When the sound was held and when it went on, in seconds of the call."""
    held = [event.at for event in call.events.of(events.AgentSpeechHeld)]
    resumed = [event.at for event in call.events.of(events.AgentSpeechResumed)]
    assert len(held) == len(resumed) >= 1
    return list(zip(held, resumed, strict=True))


def kept(call):
    assert not call.events.of(events.AgentInterrupted, events.UserTurnAdded)
    assert not call.transcript[0].interrupted
    assert words(call) == GREETING
    return holds(call)


def agent_of(call):
    """What was recorded of the agent, from its first sound on, and when that was."""
    agent = at_monitor_rate(call.recording[:, 1], call.recording.sample_rate).astype(float)
    first = np.flatnonzero(np.abs(agent) > 100)[0]
    return agent[first:], first / MONITOR_RATE


def said():
    """The greeting undisturbed, from its first sound on."""
    samples = speech.synthesize(GREETING, speech.AGENT_VOICE, sample_rate=24000).samples
    whole = at_monitor_rate(samples, 24000).astype(float)
    return whole[np.flatnonzero(np.abs(whole) > 100)[0] :]


def loudness(samples, begin, end):
    part = samples[round(begin * MONITOR_RATE) : round(end * MONITOR_RATE)]
    return float(np.sqrt(np.mean(np.square(part))))


def in_the_speaker(agent, speaker, until):
    """What the speaker played from the agent's first sound on; found by its first seconds."""
    alike, place = correlation(agent[: round(until * MONITOR_RATE)], speaker)
    assert alike > 0.9
    return speaker[round(place * MONITOR_RATE) :]


def secs_between(samples):
    loud = np.flatnonzero(np.abs(samples) > 50)
    return (loud[-1] - loud[0]) / MONITOR_RATE


@with_a_speaker_that_keeps_up
def test_ducked_a_backchannel_leaves_the_agent_speaking_and_costs_no_time(card):
    call, speaker = call_in_which(card, "mm hmm", over, stt=LISTENER, hold="duck")
    spans = kept(call)
    assert {e.how for e in call.events.of(events.AgentSpeechHeld)} == {"duck"}
    (agent, began), whole = agent_of(call), said()
    played = in_the_speaker(agent, speaker, spans[0][0] - began - 0.05)
    for held, resumed in spans:
        # a card plays what it has as it was; then it is 20 dB down, recorded and played
        begin, end = held - began + 0.15, resumed - began
        there = loudness(whole, begin, end)
        assert loudness(agent, begin, end) == pytest.approx(0.1 * there, rel=0.3)
        assert loudness(played, begin, end) == pytest.approx(0.1 * there, rel=0.5)
    after = spans[-1][1] - began + 0.2
    assert loudness(played, after, after + 1) == pytest.approx(
        loudness(whole, after, after + 1), rel=0.2
    )
    assert secs_between(speaker) == pytest.approx(len(whole) / MONITOR_RATE, abs=0.25)


@with_a_speaker_that_keeps_up
def test_paused_a_backchannel_leaves_a_gap_and_every_word(card):
    call, speaker = call_in_which(card, "mm hmm", over, stt=LISTENER, hold="pause")
    spans = kept(call)
    (agent, began), whole = agent_of(call), said()
    played = in_the_speaker(agent, speaker, spans[0][0] - began - 0.05)
    for held, resumed in spans:
        assert loudness(played, held - began + 0.15, resumed - began) < 50
    # Without the gaps it is what was to be said.
    held = sum(resumed - held for held, resumed in spans)
    assert secs_between(speaker) - held == pytest.approx(len(whole) / MONITOR_RATE, abs=0.25)
    last = played[round((spans[-1][1] - began + 0.2) * MONITOR_RATE) :][:MONITOR_RATE]
    assert correlation(last, whole)[0] > 0.9, "nothing is lost or said twice"


@pytest.mark.parametrize("how", ["duck", "pause"])
@with_a_speaker_that_keeps_up
def test_stop_takes_the_floor_and_the_speaker_falls_silent(card, how):
    def answered(call):
        stopped = count(call, events.AgentSpeechStopped)
        return count(call, events.UserTurnAdded) >= 1 and stopped >= 2

    call, speaker = call_in_which(card, "stop", answered, hold=how)
    (cut,) = [e for e in call.events.of(events.AgentInterrupted) if e.speaking]
    assert [e.text for e in call.events.of(events.UserTurnAdded)] == ["stop"]
    assert count(call, events.AgentSpeechHeld) >= 1
    first = call.events.of(events.AgentTurnAdded)[0].text
    assert GREETING.startswith(first)
    assert len(first) < len(GREETING)
    assert call.transcript[0].interrupted
    assert len(first) < len(GREETING) - 40
    # What was left of the greeting is not heard, and what is answered is.
    assert correlation(said()[-MONITOR_RATE:], speaker)[0] < 0.5
    answer = next(e.at for e in call.events.of(events.AgentSpeechStarted) if e.at > cut.at)
    agent = at_monitor_rate(call.recording[:, 1], call.recording.sample_rate)
    there = agent[round((answer + 0.1) * MONITOR_RATE) :][:MONITOR_RATE]
    assert correlation(there, speaker)[0] > 0.9


@with_a_speaker_that_keeps_up
def test_a_microphone_that_hears_the_speaker_holds_a_few_times_and_says_what_to_do(card):
    def told(call):
        return [e for e in call.events.of(events.NoticeGiven) if "its own" in e.message]

    def during(call):
        until(call, lambda: told(call) or over(call), 40)

    with card.acoustic_echo():
        call, _ = on(
            card,
            ALONE,
            during,
            session(DeafSTT, greeting=" ".join([GREETING] * 3), hold="pause"),
            compared=True,
        )
    (notice,) = told(call)
    held = [e.at for e in call.events.of(events.AgentSpeechHeld)]
    assert 4 <= len(held) <= 7, "three, then after a rest one, and one in each of the next"
    assert notice.at > held[3]
    assert not call.events.of(events.AgentInterrupted)
