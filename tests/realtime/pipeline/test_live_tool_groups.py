"""Several tools in one answer, live: one run of the LLM after the last result."""

from __future__ import annotations

import asyncio

from wait_until import until

from piopiy_lab import Caller, VoiceAgent, calls_tool, events, offline_stack, start_call

REPLIES = {
    "book it": calls_tool("book").says("It is booked."),
    "send me a message": calls_tool("text_message").says("The message is sent."),
}


async def book() -> str:
    """Book."""
    return "booked"


async def text_message() -> str:
    """Send a message."""
    await asyncio.sleep(0.5)
    return "sent"


def test_the_llm_is_run_once_after_the_last_result():
    async def create_session():
        stt, llm, tts = offline_stack(replies=REPLIES)
        agent = VoiceAgent(instructions="x", greeting="Hello.", tools=[book, text_message])
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)

        async def ask():
            await until(lambda: call.events.of(events.AgentSpeechStopped))  # it has greeted
            call.user_says("book it send me a message")

        asking = asyncio.create_task(ask())
        await agent.start()
        await asking

    call = start_call(create_session, Caller().hears_greeting().waits(6).hangs_up())
    call.join(60).raise_for_error()
    assert len(call.events.of(events.LLMResponseStarted)) == 2
    *_, sent = call.events.of(events.ContextSent)
    assert [m["content"] for m in sent.messages if m["role"] == "tool"] == ['"booked"', '"sent"']
