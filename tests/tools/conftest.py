from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest
from door_calls import DOORS, KNOCK

from piopiy_lab import VoiceAgent, offline_stack, simulate

MISSING = None
try:
    import espeakng_loader  # noqa: F401 - only whether it is there
    import pocketsphinx  # noqa: F401
except ImportError as error:
    MISSING = f"{error}: pip install 'piopiy-lab[offline]'"
    if os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
        raise


def pytest_collection_modifyitems(items):
    if MISSING:
        for item in items:
            if "tests/tools" in str(item.path):
                item.add_marker(pytest.mark.skip(reason=MISSING))


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


@pytest.fixture
def no_leftovers():
    """Fail when a live call leaves threads behind."""
    from piopiy_lab.hosting import live_call

    before = set(threading.enumerate())
    yield
    live_call.hang_up_all()
    deadline = time.monotonic() + 5
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        for thread in left:
            thread.join(0.1)
    assert not left
