"""The fixtures of the telephony tests; a conftest imports those that its folder uses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

import pytest

from piopiy_lab import Agent


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
