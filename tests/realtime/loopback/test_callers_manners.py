"""On the phone line of the loopback platform a caller has manners and a background, too."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from test_with_agent import agent_on

from piopiy_lab import Audio, Background, Caller, events
from piopiy_lab.loopback import LoopbackPlatform


def test_a_backchannel_on_the_phone_is_no_turn():
    hum = Audio((2000 * np.sin(np.arange(8000) * 0.3)).astype(np.int16), 16000)
    caller = (
        Caller(background=Background(hum, level_db=-40))
        .backchannels("mm hmm", after=0.2)
        .hears_greeting()
        .says("a table for two")
        .hears_reply()
        .coughs()
        .hangs_up()
    )

    async def main():
        async with LoopbackPlatform() as platform, agent_on(platform):
            return await platform.place_call("desk", caller)

    call = asyncio.run(main())
    call.raise_for_error()
    spoke = call.events.of(events.CallerSpoke)
    assert [e.manner for e in spoke] == ["backchannel", "turn", "cough"]
    (turn,) = call.events.of(events.UserTurnStarted)
    assert turn.at == pytest.approx(spoke[1].at)
    assert [e.text for e in call.transcript if e.role == "user"] == ["a table for two"]
    heard = call.events.of(events.BackgroundHeard)
    assert len(heard) > 2
    assert heard[0].what == "a sound"
    assert call.events.of(events.CallerDescribed)[0].background == "a sound"
