"""A call from the phone, run again: what the room gave is kept, and the replay is the same talk."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.observers.base_observer import BaseObserver
from wait_until import until

from piopiy_lab import Agent, Call, Caller, VoiceAgent, offline_realtime, offline_stack
from piopiy_lab.loopback import LoopbackPlatform
from piopiy_lab.offline import booking_desk

TALK = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .hears_reply(timeout=20)
    .says("my name is anna")
    .hears_reply(timeout=20)
    .hangs_up()
)


class Heard(BaseObserver):
    """Keeps what the room gave to the pipeline."""

    def __init__(self):
        super().__init__(observe_every_push=False)
        self.frames = []

    async def on_push_frame(self, data):
        if isinstance(data.frame, InputAudioRawFrame):
            self.frames.append(np.frombuffer(data.frame.audio, np.int16))


def desk(observers=()):
    words = booking_desk()

    async def create_session():
        agent = VoiceAgent(instructions=words.instructions, greeting=words.greeting)
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, observers=list(observers))
        await agent.start()

    return create_session


async def test_a_call_from_the_phone_is_the_same_talk_again(running_agent, tmp_path):
    heard = Heard()
    async with LoopbackPlatform() as platform:
        agent = Agent(
            "a1",
            platform.agent_token("a1"),
            desk([heard]),
            platform.signaling_url,
            record=tmp_path,
        )
        async with running_agent(agent):
            (await platform.place_call("a1", TALK, call_id="c1")).raise_for_error()
            await until(lambda: not agent.sessions.running)
    (folder,) = tmp_path.iterdir()
    call = Call.load(folder)
    given = np.concatenate(heard.frames)
    assert call.heard.samples.any()
    # what was on its way when the call ended may be missing at the end
    assert abs(len(given) - len(call.heard.samples)) < 0.1 * call.heard.sample_rate
    both = min(len(given), len(call.heard.samples))
    assert np.array_equal(call.heard.samples[:both], given[:both])

    again = await call.replay(desk())
    assert again.divergence is None, str(again)
    said = [(entry.role, entry.text) for entry in call.transcript]
    assert [(entry.role, entry.text) for entry in again.call.transcript] == said
    assert len(again.call.turns) == len(call.turns) == 2
    await asyncio.sleep(0)


def realtime_desk():
    words = booking_desk()

    async def create_session():
        agent = VoiceAgent(instructions=words.instructions, greeting=words.greeting)
        await agent.Action(llm=offline_realtime(), vad=True)
        await agent.start()

    return create_session


@pytest.mark.parametrize("desk", [desk, realtime_desk], ids=["cascade", "realtime"])
async def test_a_call_from_the_phone_is_played_from_the_cassette_beside_it(
    desk, running_agent, tmp_path
):
    async with LoopbackPlatform() as platform:
        agent = Agent(
            "a1",
            platform.agent_token("a1"),
            desk(),
            platform.signaling_url,
            record=tmp_path,
            cassette=True,
        )
        async with running_agent(agent):
            (await platform.place_call("a1", TALK, call_id="c1")).raise_for_error()
            await until(lambda: not agent.sessions.running)
    (folder,) = tmp_path.iterdir()
    call = Call.load(folder)
    played = await call.replay(desk(), cassette=folder / "cassette")
    assert played.call.error is None
    assert [(e.role, e.text) for e in played.call.transcript] == [
        (e.role, e.text) for e in call.transcript
    ]
    assert played.divergence is None
