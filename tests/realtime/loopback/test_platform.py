"""Calls on the loopback platform, with python-socketio's and LiveKit's real clients."""

from __future__ import annotations

import asyncio

import pytest
from clients import HandMadeAgent

from piopiy_lab import Caller
from piopiy_lab.errors import LoopbackError, ScreenplayError
from piopiy_lab.loopback import LoopbackPlatform


def test_a_call_is_answered_heard_spoken_and_hung_up():
    async def main():
        async with LoopbackPlatform() as platform, HandMadeAgent(platform) as agent:
            caller = (
                Caller().hears_greeting().hears("hello there").says("a table for two")
                .presses("12#").hangs_up()
            )  # fmt: skip
            call = await platform.place_call(
                "desk", caller, from_number="+44123", to_number="+44456", metadata={"vip": True}
            )
            return agent, call

    agent, call = asyncio.run(main())
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"
    (invite,) = agent.invites
    assert invite["from_number"] == "+44123"
    assert invite["to_number"] == "+44456"
    assert invite["metadata"] == '{"vip": true}'
    assert invite["call_id"] == call.call_id
    assert [(entry.role, entry.text) for entry in call.transcript] == [
        ("assistant", "hello there"),
        ("user", "a table for two"),
        ("user", "12#"),
    ]
    assert agent.digits == ["1", "2", "#"]
    assert agent.left == ["sip_caller"]
    assert max(agent.heard) > 500
    recording = call.recording
    assert recording.duration == pytest.approx(call.duration, abs=0.01)
    greeting, said = call.transcript[0], call.transcript[1]
    assert loudness(recording.agent, greeting, recording.sample_rate) > 500
    assert loudness(recording.caller, said, recording.sample_rate) > 500
    assert loudness(recording.caller, greeting, recording.sample_rate) == 0


def loudness(side, entry, rate):
    piece = side[round(entry.start * rate) : round(entry.end * rate)].astype(float)
    return abs(piece).mean()


def test_a_step_that_waits_in_vain_is_the_calls_error():
    async def main():
        async with LoopbackPlatform() as platform, HandMadeAgent(platform):
            caller = Caller().hears_greeting().hears("goodbye", within=0.5)
            return await platform.place_call("desk", caller)

    call = asyncio.run(main())
    assert call.end_reason == "error"
    assert isinstance(call.error, ScreenplayError)
    assert "step 2" in str(call.error)


def test_nobody_answers():
    async def main():
        async with LoopbackPlatform() as platform:
            return await platform.place_call("desk", ring_secs=0.3)

    call = asyncio.run(main())
    assert call.end_reason == "error"
    assert isinstance(call.error, LoopbackError)
    assert "no agent 'desk' connected within 0.3 s" in str(call.error)
