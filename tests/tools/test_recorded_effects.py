"""What recorded tools did to the call is done again: lines, transfers, ends, several at once."""

from __future__ import annotations

import asyncio

import pytest
from pipecat.frames.frames import FunctionCallResultProperties

from piopiy_lab import Caller, VoiceAgent, calls_tool, events, offline_stack, simulate
from piopiy_lab.tools import RecordedTools, end_call, tool_options, transfer_call_to

REPLIES = {
    "transfer me": calls_tool("transfer_call", to="sales", announcement="One moment."),
    "book it": calls_tool("book").says("It is booked."),
    "send me a message": calls_tool("text_message").says("Sent."),
    "be quiet": calls_tool("quiet"),
}
NUMBER = "+918012345678"
SCREENPLAY = {"stt": "screenplay"}
RAN = []


async def book(params):
    """Book."""
    RAN.append("book")
    await asyncio.sleep(1.5)
    return {"booked": 1}


async def text_message():
    """Send a message."""
    RAN.append("text_message")
    await asyncio.sleep(0.7)
    return "ok"


@tool_options(cancel_on_interruption=False)
async def background(params):
    """Book in the background."""
    RAN.append("book")
    await asyncio.sleep(3)
    return {"booked": 1}


background.__name__ = "book"


async def quiet(params):
    """Say nothing."""
    RAN.append("quiet")
    await asyncio.sleep(0.5)
    silent = FunctionCallResultProperties(run_llm=False)
    await params.result_callback({"done": True}, properties=silent)


def agent(*tools):
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Hello.", tools=list(tools))
        stt, llm, tts = offline_stack(replies=REPLIES)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    return create_session


def told_by(call):
    return sorted((event.at, event.to_json()) for event in call.events)


SAYS = Caller().hears_greeting()
TRANSFERS = agent(transfer_call_to({"sales": NUMBER}))
CASES = {
    "two at once": (agent(book, text_message), SAYS.says("book it send me a message").waits(6)),
    "in the background": (agent(background), SAYS.says("book it").waits(8)),
    "without a word": (agent(quiet), SAYS.says("be quiet").waits(3).hangs_up()),
    "a transfer, and the end": (TRANSFERS, SAYS.says("transfer me").waits(15)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_call_without_its_tools_is_the_same_call(case):
    create_session, caller = CASES[case]
    RAN.clear()
    was = asyncio.run(simulate(create_session, caller, replace=SCREENPLAY))
    ran = list(RAN)
    tools = RecordedTools(was)
    now = asyncio.run(simulate(create_session, caller, replace={**SCREENPLAY, "tools": tools}))
    assert ran == RAN
    assert told_by(now) == told_by(was)
    assert was.tool_calls
    assert (tools.misses, tools.unused) == ([], [])


@pytest.mark.parametrize("outcome", ["busy", "answered"])
def test_a_transfer_that_rang_rings_again_in_a_replay(outcome):
    caller = SAYS.says("transfer me").waits(20)
    was = asyncio.run(simulate(TRANSFERS, caller, transfer_outcomes={NUMBER: outcome}))
    again = asyncio.run(was.replay(TRANSFERS))
    finished = events.TransferFinished
    assert [e.status for e in again.call.events.of(finished)] == [
        e.status for e in was.events.of(finished)
    ]
    assert again.call.end_reason == was.end_reason
    assert again.divergence is None


@pytest.mark.parametrize("end", ["the agent's", "of silence"])
def test_an_end_that_was_not_the_callers_comes_in_a_replay_too(end):
    async def create_session():
        agent = VoiceAgent(instructions="x", greeting="Hello.", tools=[end_call])
        agent.idle_timeout_secs = 20
        stt, llm, tts = offline_stack(replies=REPLIES | {"goodbye": calls_tool("end_call")})
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    said = "goodbye" if end == "the agent's" else "hello"
    was = asyncio.run(simulate(create_session, SAYS.says(said).waits(60)))
    assert was.end_reason == ("agent_ended" if end == "the agent's" else "idle_timeout")
    again = asyncio.run(was.replay(create_session))
    assert again.call.end_reason == was.end_reason
    assert again.divergence is None
