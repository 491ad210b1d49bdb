from __future__ import annotations

import os
import threading
import time

import pytest

from piopiy_lab import VoiceAgent, offline_stack
from piopiy_lab.offline import booking_desk

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
            if "tests/calls" in str(item.path):
                item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture
def booking():
    """The booking desk as a session callback; keyword arguments go to Action()."""

    def make(during=None, stack=None, idle_timeout_secs=60, **action):
        desk = booking_desk()

        async def create_session(call_id):
            agent = VoiceAgent(
                instructions=desk.instructions,
                greeting=desk.greeting,
                idle_timeout_secs=idle_timeout_secs,
            )
            stt, llm, tts = (stack or offline_stack)()
            await agent.Action(**{"stt": stt, "llm": llm, "tts": tts, "vad": True, **action})
            if during is not None:
                during(agent)
            await agent.start()

        return create_session

    return make


@pytest.fixture
def no_leftovers():
    """Fail when a test leaves threads behind (pipecat's and ours are named or pooled)."""
    from piopiy_lab.hosting import live_call

    before = set(threading.enumerate())
    yield
    live_call.hang_up_all()
    deadline = time.monotonic() + 5
    while (left := _strange(before)) and time.monotonic() < deadline:
        for thread in left:
            thread.join(0.1)
    assert not left


def _strange(before):
    return [t for t in threading.enumerate() if t not in before and t.is_alive()]
