"""A real HTTP language model in a simulated call: pipecat's OpenAI service and a server outside."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate
from piopiy_lab.fake_providers import FakeOpenAI, Scenario
from piopiy_lab.offline import calls_tool


@contextmanager
def opened_in_a_thread(server):
    """Open a fake provider on a real loop in another thread: outside of any simulation."""
    started, loops, stop = threading.Event(), [], asyncio.Event()

    async def serve():
        async with server:
            loops.append(asyncio.get_running_loop())
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(5)
        yield server
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(5)
        assert not thread.is_alive()


CALLER = (
    Caller()
    .hears_greeting()
    .says("a table for two please")
    .expects_tool("book_table", people=2)
    .hears("booked for two")
    .hears_reply()
)


def session(server):
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
        llm = OpenAILLMService(api_key=server.key, base_url=server.base_url)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    return create_session


def run(**options):
    answers = [calls_tool("book_table", people=2), "Booked for two."]
    fake = FakeOpenAI(answers, token_secs=0.01, scenario=Scenario.slow(first_byte=0.02))
    with opened_in_a_thread(fake) as server:
        call = asyncio.run(
            simulate(session(server), CALLER, replace={"stt": "screenplay"}, **options)
        )
    call.raise_for_error()
    assert call.tool_calls[0].result == {"booked": 2}
    assert call.transcript[-1].text == "Booked for two."
    return call


def test_frozen_time_makes_a_real_server_reproducible():
    first, second = run(), run()
    assert list(first.events) == list(second.events)
    assert first.turns[0].parts["llm"] == 0.0  # its 0.07 s of real time took no virtual time


def test_charged_time_shows_what_the_server_took():
    call = run(outside="charge")
    assert 0.03 < call.turns[0].parts["llm"] < 2.0
