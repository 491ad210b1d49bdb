"""A real HTTP language model in a simulated call: pipecat's OpenAI service and a server outside."""

from __future__ import annotations

import asyncio

from test_outside import serve_openai, server_in_a_thread

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate

CALLER = (
    Caller()
    .hears_greeting()
    .says("a table for two please")
    .expects_tool("book_table", people=2)
    .hears("booked for two")
    .hears_reply()
)


def session(port):
    from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
    from pipecat.services.openai.llm import OpenAILLMService

    schema = FunctionSchema(
        "book_table", "Books a table", {"people": {"type": "integer"}}, ["people"]
    )

    async def book_table(params):
        return {"booked": params.args["people"]}

    async def create_session():
        agent = VoiceAgent(instructions="You take bookings.", greeting="Hello.", tools=[schema])
        agent.register_tool("book_table", book_table)
        stt, _, tts = offline_stack()
        llm = OpenAILLMService(api_key="none", base_url=f"http://127.0.0.1:{port}/v1")
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    return create_session


def run(**options):
    with server_in_a_thread(serve_openai) as port:
        call = asyncio.run(
            simulate(session(port), CALLER, replace={"stt": "screenplay"}, **options)
        )
    call.raise_for_error()
    assert call.tool_calls[0].result == {"booked": 2}
    assert call.transcript[-1].text == "Booked for two."
    return call


def test_frozen_time_makes_a_real_server_reproducible():
    first, second = run(), run()
    assert list(first.events) == list(second.events)
    assert first.turns[0].parts["llm"] == 0.0  # its 0.1 s of real time took no virtual time


def test_charged_time_shows_what_the_server_took():
    call = run(outside="charge")
    assert 0.05 < call.turns[0].parts["llm"] < 2.0
