"""Open speakers: the microphone hears the speaker, through a loopback in the virtual card."""

from __future__ import annotations

import time

from live_calls import LINE, count, desk, greeted, on, until
from virtual_card import need_livekit

from piopiy_lab import Microphone, events


def test_with_echo_cancellation_the_agent_is_not_interrupted_by_itself_but_by_the_caller(card):
    need_livekit()

    def during(call):
        greeted(call)
        time.sleep(0.5)  # for an echo that must not be heard there is nothing to wait for
        assert not call.events.of(events.UserSpeechStarted), "the greeting's own echo"
        card.say(LINE)
        until(call, lambda: count(call, events.AgentSpeechStarted) >= 2)
        time.sleep(0.6)  # in the middle of what the agent says
        card.say("my name is oliver")
        until(call, lambda: count(call, events.AgentInterrupted) >= 1, 4)
        until(call, lambda: count(call, events.AgentSpeechStopped) >= 3)

    with card.acoustic_echo():
        call, _ = on(card, Microphone(), during)
    assert count(call, events.UserSpeechStarted) == 2, "once per line: no false start"
    assert [e.cause for e in call.events.of(events.AgentInterrupted)] == ["user"]
    assert not call.transcript[0].interrupted


def test_without_it_the_agent_interrupts_itself(card):
    def during(call):
        until(call, lambda: count(call, events.AgentInterrupted) >= 1)

    with card.acoustic_echo():
        call, _ = on(card, Microphone(echo_cancellation=False), during)
    assert count(call, events.UserSpeechStarted) >= 1
    assert call.transcript[0].interrupted


def test_half_duplex_does_without_the_extra(card):
    with card.acoustic_echo():
        call, _ = on(card, Microphone(echo_cancellation="half-duplex"), greeted, desk)
    assert not call.events.of(events.UserSpeechStarted)
    assert not call.transcript[0].interrupted
