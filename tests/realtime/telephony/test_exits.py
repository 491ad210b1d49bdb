"""What one phone call's code raises to end the process ends that call, not the agent."""

from __future__ import annotations

import asyncio
import sys

import pytest

from piopiy_lab import Agent, Caller, VoiceAgent, offline_stack
from piopiy_lab.loopback import LoopbackPlatform


@pytest.mark.parametrize("starts", ["connect", "start"])
async def test_an_exit_in_one_call_leaves_the_agent_and_the_others(starts):
    async def leave():
        await asyncio.sleep(0.5)
        sys.exit(7)

    async def create_session(call_id):
        stt, llm, tts = offline_stack()
        agent = VoiceAgent(instructions="x", greeting="Hello.")
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        leaving = asyncio.create_task(leave()) if call_id == "guilty" else None
        await agent.start()
        if leaving is not None:
            await leaving

    async with LoopbackPlatform() as platform:
        agent = Agent(
            "agent-1",
            platform.agent_token("agent-1"),
            create_session,
            signaling_url=platform.signaling_url,
        )
        serving = asyncio.create_task(agent.connect()) if starts == "connect" else agent.start()
        async with asyncio.timeout(20):
            while agent.state != "connected":  # noqa: ASYNC110 - another thread's state
                await asyncio.sleep(0.05)
        caller = Caller().hears_greeting(timeout=30).waits(4).hangs_up()
        async with asyncio.timeout(90):
            innocent, _ = await asyncio.gather(
                platform.place_call("agent-1", caller, call_id="innocent"),
                platform.place_call("agent-1", caller, call_id="guilty"),
            )
        assert innocent.raise_for_error().end_reason == "caller_hung_up"
        assert agent.state == "connected"
        served = {call.call_id: call for call in agent.calls}
        assert served["guilty"].end_reason == "error"
        assert "sys.exit(7)" in str(served["guilty"].error)
        if starts == "connect":
            await agent.shutdown()
            await serving
        else:
            serving.stop()
            await serving.wait()
