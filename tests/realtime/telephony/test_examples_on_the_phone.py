"""The documentation's examples, unchanged, through the loopback platform."""

from __future__ import annotations

import pytest
from example_matrix import METADATA, NAMES, caller_of, check, example, offline, piopiy_names
from wait_until import until

from piopiy_lab import Agent
from piopiy_lab.loopback import LoopbackPlatform


@pytest.fixture(autouse=True)
def alias(monkeypatch):
    with piopiy_names(monkeypatch):
        yield


@pytest.mark.parametrize("name", NAMES)
async def test_an_example_through_the_loopback_platform(running_agent, name):
    module = example(name)
    async with LoopbackPlatform() as platform:
        agent = Agent(
            name,
            platform.agent_token(name),
            module.create_session,
            platform.signaling_url,
            replace=offline(name),
        )
        async with running_agent(agent):
            call = await platform.place_call(name, caller_of(name), metadata=METADATA)
            call.raise_for_error()
            await until(lambda: not agent.sessions.running)
    check(name, module, agent.calls[0])
    if name == "metadata_and_vad":
        assert module.seen[-1][2]  # ROOM_CTX
