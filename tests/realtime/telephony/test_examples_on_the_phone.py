"""The documentation's examples, unchanged, through the loopback platform."""

from __future__ import annotations

import asyncio

import pytest
from example_matrix import METADATA, NAMES, caller_of, check, example, offline, piopiy_names
from wait_until import until

from piopiy_lab import Agent
from piopiy_lab.loopback import LoopbackPlatform


@pytest.fixture(autouse=True)
def alias(monkeypatch):
    with piopiy_names(monkeypatch):
        yield


async def test_examples_through_the_loopback_platform(running_agent):
    modules = {name: example(name) for name in NAMES}

    async with LoopbackPlatform() as platform:

        async def answer(name):
            """One agent of its own for each example, all at once."""
            agent = Agent(
                name,
                platform.agent_token(name),
                modules[name].create_session,
                platform.signaling_url,
                replace=offline(name),
            )
            async with running_agent(agent):
                call = await platform.place_call(name, caller_of(name), metadata=METADATA)
                call.raise_for_error()
                await until(lambda: not agent.sessions.running)
            return agent.calls[0]

        for names in zip(NAMES[::2], NAMES[1::2], strict=True):  # two at once
            calls = await asyncio.gather(*(answer(name) for name in names))
            for name, call in zip(names, calls, strict=True):
                check(name, modules[name], call)
    assert modules["metadata_and_vad"].seen[-1][2]  # ROOM_CTX
