"""What holds for every test, and the fixtures of more than one room's tests.

The tests of a room of piopiy_lab are in the folder of its name; ``realtime`` has the same rooms
once more, for what runs on the wall clock; ``support`` has the modules that they share.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from piopiy_lab import VoiceAgent, offline_stack
from piopiy_lab.offline import booking_desk

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent
OFFLINE = ("pocketsphinx", "espeakng_loader")
#: What the tests in a folder, or a file, need beside the core. What is missing skips them, unless
#: everything must be there.
NEEDS = {
    "elsewhere": OFFLINE,
    "evals": OFFLINE,
    "bots": (*OFFLINE, "aiortc", "daily", "deepgram", "fastapi", "pipecat_piopiy"),
    "realtime/bots": (*OFFLINE, "aiortc", "deepgram", "socketio"),
    "fake_providers": (*OFFLINE, "deepgram"),
    "hosting": OFFLINE,
    "listening/test_shared_models.py": OFFLINE,
    "notebook/test_marimo_lesson.py": (*OFFLINE, "marimo"),
    "pipeline": OFFLINE,
    "screenplay": OFFLINE,
    "simulation/test_calls_over_a_line.py": OFFLINE,
    "simulation/test_replay.py": OFFLINE,
    "services/test_keys.py": (*OFFLINE, "deepgram"),
    "session": OFFLINE,
    "realtime/test_live_docs.py": (*OFFLINE, "aiortc", "deepgram"),
    "test_api_table.py": OFFLINE,
    "experiments": OFFLINE,
    "realtime/experiments": OFFLINE,
    "test_docs.py": (*OFFLINE, "deepgram", "distributed", "mcp"),
    "test_voice_agent.py": OFFLINE,
    "sound/test_espeak_limits.py": ("espeakng_loader",),
    "tools": OFFLINE,
    "voicing": (*OFFLINE, "deepgram"),
    "transports/test_custom_transport.py": OFFLINE,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in ``realtime``, and skip what lacks an extra, unless all must be there."""
    for item in items:
        if item.path.is_relative_to(HERE / "realtime"):
            item.add_marker(pytest.mark.realtime)
        lacks = _lacks(item.path)
        if lacks and os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
            raise pytest.UsageError(f"not installed, and PIOPIY_LAB_REQUIRE=all: {lacks}")
        if lacks:
            reason = f"no {lacks}: pip install 'piopiy-lab[offline,test]'"
            item.add_marker(pytest.mark.skip(reason=reason))


def _lacks(path: Path) -> str:
    """Return the modules that a test file needs and that are not there."""
    inside = path.relative_to(HERE).as_posix() if path.is_relative_to(HERE) else ""
    for place, modules in NEEDS.items():
        if inside == place or inside.startswith(f"{place}/"):
            return ", ".join(name for name in modules if find_spec(name) is None)
    return ""


# --- coroutines -----------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test on a loop of its own; one that leaves a task behind fails."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def run() -> None:
        await pyfuncitem.obj(**arguments)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:  # what was just cancelled gets its turn
            await asyncio.wait(left, timeout=1.0)
        left = {task for task in left if not task.done() and not _of_the_server(task)}
        assert not left, f"the test left tasks behind: {left}"

    asyncio.run(run())
    return True


def _of_the_server(task: asyncio.Task[object]) -> bool:
    """Whether a task is python-engineio's *server*: part of the test, which it cleans up late."""
    name = task.get_coro().__qualname__
    return name.startswith(("AsyncSocket.", "AsyncServer."))


# --- fixtures -------------------------------------------------------------------------------


@pytest.fixture
def booking() -> Callable:
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
def no_leftovers() -> Iterator[None]:
    """Fail when a live call leaves threads behind (pipecat's and ours are named or pooled)."""
    from piopiy_lab.hosting import live_call

    before = set(threading.enumerate())
    yield
    live_call.hang_up_all()
    deadline = time.monotonic() + 5
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        for thread in left:
            thread.join(0.1)
    assert not left
