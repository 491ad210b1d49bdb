"""A caller's manners on the wall clock: the same sounds, told as what they are.

The screenplay waits for no whole reply: somebody in the room is heard by the agent, too, and what
it says to that flips with 4 ms of phase (no reply came to its end in 2 of 20, on virtual time).
"""

from __future__ import annotations

import asyncio

import pytest

from piopiy_lab import Caller, events, pause, simulate, start_call


def test_manners_are_the_same_live_as_on_virtual_time(booking):
    caller = (
        Caller(background="speaker")
        .hears_greeting()
        .says("a table for two", pause(0.3), "tomorrow")
        .backchannels("mm hmm", after=0.5)
        .coughs(after=1.5)
        .waits(1)
        .says_aside("i am on the phone")
        .stays_silent(0.3)
        .hangs_up()
    )
    live = start_call(booking(), caller)
    live.join(60)
    live.raise_for_error()
    simulated = asyncio.run(simulate(booking(), caller)).raise_for_error()
    told, same = (
        [
            (e.text, e.manner, [text for text, _, _ in e.parts or []])
            for e in call.events.of(events.CallerSpoke)
        ]
        for call in (live, simulated)
    )
    assert told == same
    assert [manner for _, manner, _ in told] == ["turn", "backchannel", "cough", "aside"]
    assert live.events.of(events.BackgroundHeard)
    assert live.events.of(events.CallerStayedSilent)
    _, listening, cough, _ = live.events.of(events.CallerSpoke)
    assert cough.at - listening.at == pytest.approx(1.0, abs=0.1)
