from __future__ import annotations

import asyncio

import pytest
from door_calls import DOORS, KNOCK

from piopiy_lab import VoiceAgent, offline_stack, simulate


@pytest.fixture
def doors():
    """An agent with tools as a session callback."""

    def make(*tools, during=None, set_up=None, llm=None, mcp_tools=None, replies=None, **options):
        stack = {**DOORS, "replies": {**DOORS["replies"], **(replies or {})}}

        async def create_session():
            agent = VoiceAgent(
                **{"instructions": "x", "greeting": "Hello.", "tools": list(tools), **options}
            )
            if set_up is not None:
                set_up(agent)
            stt, rules, tts = offline_stack(**stack)
            action = {} if mcp_tools is None else {"mcp_tools": mcp_tools}
            await agent.Action(stt=stt, llm=llm or rules, tts=tts, vad=True, **action)
            if during is not None:
                task = asyncio.ensure_future(during(agent))
            await agent.start()
            if during is not None:
                await task

        return create_session

    return make


@pytest.fixture
def run():
    def run(create_session, caller=KNOCK, **options):
        return asyncio.run(simulate(create_session, caller, **options))

    return run
