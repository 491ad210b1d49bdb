"""A tool is told before the answer it caused, in every view; on virtual time both are at once."""

from __future__ import annotations

import asyncio
import re

import pytest

from piopiy_lab import Caller, VoiceAgent, calls_tool, offline_stack, simulate
from piopiy_lab.simulation.golden import conversation_text
from piopiy_lab.simulation.pytest_report import story
from piopiy_lab.widgets.feed import CallFeed


async def create_session():
    async def free_tables(day: str) -> str:
        """Find free tables."""
        return "window"

    agent = VoiceAgent(instructions="You take bookings.", greeting="Hello.", tools=[free_tables])
    looks = calls_tool("free_tables", day="friday").says("One is free.")
    stt, llm, tts = offline_stack(replies={"is there a table": looks})
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


@pytest.fixture(scope="module")
def call():
    caller = Caller().hears_greeting().says("is there a table").hears("one is free").hears_reply()
    call = asyncio.run(simulate(create_session, caller)).raise_for_error()
    assert call.tool_calls[0].start == call.transcript[-1].start, "as it is on virtual time"
    return call


def words(call):
    """A live page's rows, as text."""
    message, _ = CallFeed(call).pull()
    return "\n".join(str(row) for _, row in message["rows"])


def page(call):
    html = call._repr_mimebundle_()["text/html"]
    return re.sub(r"<[^>]+>", "", html[html.index('<ol class="pp-talk">') :])


@pytest.mark.parametrize("view", [str, page, words, conversation_text, story])
def test_the_tool_comes_before_its_answer(call, view):
    told = view(call).lower()
    asked, tool, answer = map(told.index, ("is there a table", "free_tables", "one is free."))
    assert asked < tool < answer
