"""An agent's first words wait until the caller can hear them: what is said before that is lost."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from test_with_agent import agent_on

from piopiy_lab import Caller, events
from piopiy_lab.loopback import LinkSettings, LoopbackPlatform

GREETING = "Hello there."


async def greeted(link):
    """Hold a call that hears the greeting; both sides' accounts of it."""
    async with LoopbackPlatform(link=link) as platform, agent_on(platform, record=True) as agent:
        heard = await platform.place_call("desk", Caller().hears_greeting().hangs_up())
        (said,) = agent.calls
        return heard, await said.wait()


# Each way: connecting takes several round trips, so the agent could be heard after 0.2 s and 0.7 s.
@pytest.mark.parametrize("delay_secs", [0.0, 0.08])
def test_the_greeting_is_heard_from_its_first_sound_on(delay_secs):
    heard, said = asyncio.run(greeted(LinkSettings(delay_secs=delay_secs)))
    heard.raise_for_error()
    assert heard.transcript == [("assistant", GREETING)]
    assert spoken_secs(heard) > spoken_secs(said) - 0.06  # a busy machine may stretch it
    assert not said.events.of(events.NoticeGiven)


def spoken_secs(call):
    """Seconds from the agent's first loud sample to its last one."""
    samples = call.recording.agent.astype(float)
    loud = np.flatnonzero(np.abs(samples) > 500)
    return (loud[-1] - loud[0]) / call.recording.sample_rate
