"""Noise over a tool's result, which takes no turn, leaves nobody without an answer."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from piopiy_lab import Caller, VoiceAgent, calls_tool, events, offline_stack, simulate
from piopiy_lab.sound import speech

RUMBLE = speech.synthesize("mm", speech.CALLER_VOICE, sample_rate=16000).samples
NOISE = (np.tile(RUMBLE, 6), 16000)


async def weather(city: str) -> str:
    """Tell the weather."""
    await asyncio.sleep(2.0)
    return f"It is sunny in {city}."


def run(noise_after: float, **action):
    async def create_session():
        stt, llm, tts = offline_stack(
            phrases=["what is the weather"],
            replies={"what is the weather": calls_tool("weather", city="Chennai")},
        )
        agent = VoiceAgent(instructions="x", greeting="Hello.", tools=[weather])
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, **action)
        await agent.start()

    caller = Caller().hears_greeting().says("what is the weather").waits(noise_after).says(NOISE)
    caller = caller.waits(8).hangs_up()
    replace = {"stt": "screenplay"}
    return asyncio.run(simulate(create_session, caller, record=False, replace=replace))


@pytest.mark.parametrize("noise_after", [1.0, 1.5, 2.0, 2.5])
def test_the_result_is_told_once_and_not_lost(noise_after):
    call = run(noise_after, allow_interruptions=False)
    assert [e.text for e in call.transcript if e.role == "assistant"] == [
        "Hello.",
        "It is sunny in Chennai.",
    ]


def test_the_noise_was_there_when_the_result_came():
    call = run(1.0, allow_interruptions=False)
    (returned,) = call.events.of(events.ToolReturned)
    started = [e.at for e in call.events.of(events.UserTurnStarted) if e.at < returned.at]
    stopped = [e.at for e in call.events.of(events.UserTurnStopped) if e.at < returned.at]
    assert (len(started), len(stopped)) == (2, 1)
