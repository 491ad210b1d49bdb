"""A voice over the agent's on the phone: the room's queue gives nothing back, ours does."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from test_with_agent import agent_on

from piopiy_lab import Caller, VoiceAgent, events, offline_stack
from piopiy_lab.loopback import LoopbackPlatform

GREETING = (
    "Hello and welcome to the little bistro. We are open every day from noon until ten in the "
    "evening, and you can book a table for up to eight people."
)


def on_the_phone(caller, **action):
    """Return the call as the caller heard it, and as the agent's side saw it."""

    async def create_session(call_id):
        agent = VoiceAgent(instructions="x", greeting=GREETING)
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, hold_backchannels=True, **action)
        await agent.start()

    async def main():
        async with LoopbackPlatform() as platform, agent_on(platform, create_session) as agent:
            heard = await platform.place_call("desk", caller)
            (ours,) = agent.calls
            await ours.wait()
            return heard, ours

    heard, ours = asyncio.run(main())
    heard.raise_for_error()
    return heard, ours


def words(call):
    return " ".join(word.text for word in call.events.of(events.WordSpoken))


@pytest.mark.parametrize("how", ["pause", "duck", "duck_then_pause"])
def test_a_backchannel_is_no_interruption_in_a_room(how):
    caller = Caller().backchannels("mm hmm", after=1.5).waits(11).hangs_up()
    heard, ours = on_the_phone(caller, hold=how)
    assert not ours.events.of(events.NoticeGiven)
    # Two, if what the network lost parts the "mm" from the "hmm".
    held, resumed = (
        ours.events.of(events.AgentSpeechHeld),
        ours.events.of(events.AgentSpeechResumed),
    )
    assert 1 <= len(resumed) <= 2
    hows = {one.how for one in held}
    if "then" in how:
        assert "duck" in hows <= {"duck", "pause"}
    else:
        assert (hows, len(held)) == ({how}, len(resumed))
    assert not ours.events.of(events.AgentInterrupted, events.UserTurnAdded)
    assert words(ours) == GREETING
    # What the caller heard: all of it, with the hold in it.
    rate = heard.recording.sample_rate
    agent = np.abs(np.asarray(heard.recording.agent).astype(int))
    loud = np.flatnonzero(agent > 200)
    (start,) = ours.events.of(events.AgentSpeechStarted)
    (stop,) = ours.events.of(events.AgentSpeechStopped)
    assert (loud[-1] - loud[0]) / rate == pytest.approx(stop.at - start.at, abs=1.0)
    if how == "pause":
        gap = np.diff(loud).max() / rate
        assert gap > max(one.held_secs for one in resumed) - 0.15


def test_an_interruption_in_a_room_is_cut_where_it_was_held():
    caller = Caller().backchannels("what times do you have", after=1.5).waits(6).hangs_up()
    _, ours = on_the_phone(caller)
    held = ours.events.of(events.AgentSpeechHeld)[-1]
    (interruption,) = (e for e in ours.events.of(events.AgentInterrupted) if e.speaking)
    until = held.at if held.how == "pause" else interruption.at  # lower, it was heard
    first = ours.events.of(events.AgentTurnAdded)[0].text
    told = [w.text for w in ours.events.of(events.WordSpoken) if w.at <= until]
    assert first == " ".join(told)
    assert ours.events.of(events.UserTurnAdded)
