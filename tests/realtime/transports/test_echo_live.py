"""Open speakers: the microphone hears the speaker, through a loopback in the virtual card."""

from __future__ import annotations

import time

from live_calls import LINE, count, desk, greeted, on, until
from virtual_card import need_livekit

from piopiy_lab import Microphone, VoiceAgent, events, offline_stack
from piopiy_lab.offline import booking_desk


async def cut_at_once(call_id):
    """A session that nothing is held in: whether a held agent hears itself is not certain."""
    words = booking_desk()
    agent = VoiceAgent(instructions=words.instructions, greeting=words.greeting)
    stt, llm, tts = offline_stack()
    services = {"stt": stt, "llm": llm, "tts": tts}
    await agent.Action(**services, vad=True, hold_backchannels=False)
    await agent.start()


def test_with_echo_cancellation_the_agent_is_not_interrupted_by_itself_but_by_the_caller(card):
    need_livekit()

    lines = []  # when the caller began and ended each, in seconds of the call

    def say(call, meanwhile):
        start, player = call.duration, card.say(LINE)
        meanwhile()
        player.wait()
        lines.append((start, call.duration))

    def during(call):
        greeted(call)
        time.sleep(0.5)  # for an echo that must not be heard there is nothing to wait for
        assert not call.events.of(events.UserSpeechStarted), "the greeting's own echo"
        say(call, lambda: until(call, lambda: count(call, events.AgentSpeechStarted) >= 2))
        time.sleep(0.6)  # in the middle of what the agent says
        # of a shorter line too little may be left (benchmarks/README.md)
        say(call, lambda: until(call, lambda: count(call, events.AgentInterrupted) >= 1, 4))
        until(call, lambda: count(call, events.AgentSpeechStopped) >= 3)

    with card.acoustic_echo():
        call, _ = on(card, Microphone(), during)
    starts = [e.at for e in call.events.of(events.UserSpeechStarted)]
    alone, over = ([at for at in starts if a < at < b] for a, b in lines)
    assert len(alone) == 1
    assert 1 <= len(over) <= 2, "in two, where the canceller took its middle for echo"
    assert len(starts) == len(alone) + len(over), "the agent's own voice"
    cuts = call.events.of(events.AgentInterrupted)
    assert {e.cause for e in cuts} == {"user"}
    assert all(lines[1][0] < e.at < lines[1][1] for e in cuts), "by the caller alone"
    assert not call.transcript[0].interrupted


def test_without_it_the_agent_interrupts_itself(card):
    def during(call):
        until(call, lambda: count(call, events.AgentInterrupted) >= 1)

    with card.acoustic_echo():
        call, _ = on(card, Microphone(echo_cancellation=False), during, cut_at_once)
    assert count(call, events.UserSpeechStarted) >= 1
    assert call.transcript[0].interrupted


def test_half_duplex_does_without_the_extra(card):
    with card.acoustic_echo():
        call, _ = on(card, Microphone(echo_cancellation="half-duplex"), greeted, desk)
    assert not call.events.of(events.UserSpeechStarted)
    assert not call.transcript[0].interrupted
