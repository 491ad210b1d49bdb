from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import socket
import sys
from pathlib import Path

import pytest

from piopiy_lab import Agent

sys.path.insert(0, str(Path(__file__).parent))  # telephony_servers


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run an async test on a loop of its own; one that leaves a task behind fails."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def run():
        await pyfuncitem.obj(**arguments)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:  # what was just cancelled gets its turn
            await asyncio.wait(left, timeout=1.0)
        left = [task for task in left if not task.done() and not _of_the_server(task)]
        assert not left, f"the test left tasks behind: {left}"

    asyncio.run(run())
    return True


def _of_the_server(task):
    """Whether a task is python-engineio's *server*: part of the test, which it cleans up late."""
    name = task.get_coro().__qualname__
    return name.startswith(("AsyncSocket.", "AsyncServer."))


@pytest.fixture
def unused_tcp_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def running_agent():
    """Run an Agent's connect() as a task until the block ends."""

    @contextlib.asynccontextmanager
    async def running(agent, *, connected=True):
        task = asyncio.create_task(agent.connect())
        if connected:
            async with asyncio.timeout(10):
                while agent.state != "connected" and not task.done():  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            if task.done():
                task.result()
        try:
            yield task
        finally:
            await agent.shutdown()
            await asyncio.gather(task, return_exceptions=True)

    return running


@pytest.fixture
def make_agent():
    def make(create_session, url, token="tok-1", **options):
        return Agent("agent-1", token, create_session, signaling_url=url, **options)

    return make


@pytest.fixture(autouse=True)
def agent_logger_level():
    logger = logging.getLogger("piopiy_lab.agent")
    before = logger.level
    yield
    logger.setLevel(before)
