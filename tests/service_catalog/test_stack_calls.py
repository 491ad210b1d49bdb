"""``stack()`` in whole calls: real services of pipecat's against providers on loopback."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from stack_keys import OPENAI

from piopiy_lab import Caller, VoiceAgent, events, simulate, stack, start_call
from piopiy_lab.errors import ArgumentError, MissingKeyError
from piopiy_lab.fake_providers import FakeCartesia, FakeDeepgram, FakeOpenAI
from piopiy_lab.offline import booking_desk

SAYS = ("a table for two tomorrow at seven", "my name is anna", "yes please")
BOOKS = (
    Caller()
    .hears_greeting()
    .says(SAYS[0])
    .hears("what name", within=5)
    .hears_reply()
    .says(SAYS[1])
    .hears("is that right", within=5)
    .hears_reply()
    .says(SAYS[2])
    .expects_tool("book_table", party_size=2, name="Anna")
    .hears_reply()
    .hangs_up()
)
GREETED = Caller().hears_greeting().hangs_up()


def session(names, *, vad=True, made=None, **options):
    """A session as a user writes it: ``stack()`` inside of create_session, unpacked into Action."""

    async def create_session():
        desk = booking_desk()
        agent = VoiceAgent(
            instructions=desk.instructions, greeting="Hello.", tools=list(desk.tools)
        )
        chosen = stack(names, **options) if isinstance(names, str) else stack(**names, **options)
        if made is not None:
            made.append(chosen)
        await agent.Action(**chosen, vad=vad)
        await agent.start()

    return create_session


def test_a_booking_through_three_named_providers(tmp_path):
    """Keys from a .env, addresses as options; twice in a row, the same call."""
    file = tmp_path / "keys.env"
    file.write_text(
        "DEEPGRAM_API_KEY=dg-leak-1\nOPENAI_API_KEY=sk-leak-1\nCARTESIA_API_KEY=ca-leak-1\n"
    )
    servers = []

    async def create_session():
        async with AsyncExitStack() as open_:
            enter = open_.enter_async_context
            deepgram = await enter(FakeDeepgram(SAYS, key="dg-leak-1"))
            openai = await enter(FakeOpenAI(rules=booking_desk().rules(), key="sk-leak-1"))
            cartesia = await enter(FakeCartesia(key="ca-leak-1"))
            servers[:] = [deepgram, openai, cartesia]
            names = {
                "stt": f"deepgram/nova-3?base_url={deepgram.base_url}",
                "llm": f"openai/gpt-4o-mini?base_url={openai.base_url}",
                "tts": f"cartesia/agent?url={cartesia.url}",
            }
            await session(names, env_file=file)()

    first = asyncio.run(simulate(create_session, BOOKS)).raise_for_error()
    second = asyncio.run(simulate(create_session, BOOKS)).raise_for_error()
    assert first.tool_calls[0].result["status"] == "booked"
    assert [e.text for e in first.transcript if e.role == "user"] == list(SAYS)
    # Over real sockets two services' reports of one instant come in either order.
    assert sorted(map(repr, first.events)) == sorted(map(repr, second.events))
    asked = [r.message for server in servers for r in server.received if r.kind == "connect"]
    assert any(message.get("model") == "nova-3" for message in asked)
    requests = [r.message for r in servers[1].received if isinstance(r.message, dict)]
    assert {m["model"] for m in requests if "model" in m} == {"gpt-4o-mini"}
    assert "leak" not in "".join(map(repr, first.events))


def test_a_replaced_part_needs_neither_key_nor_extra(monkeypatch):
    """A session for the cloud in CI: no key, and anthropic's package isn't even installed."""
    monkeypatch.setattr(
        "piopiy_lab.service_catalog.making.missing_packages", lambda entry: ["anything>=1"]
    )
    made = []
    stt, llm, tts = stack("offline")
    call = asyncio.run(
        simulate(
            session("deepgram+anthropic+cartesia", made=made),
            BOOKS,
            replace={"stt": stt, "llm": llm, "tts": tts},
        )
    ).raise_for_error()
    assert call.tool_calls[0].result["status"] == "booked"
    assert repr(made[0]) == (
        "<Stack stt=deepgram (replaced in this call) llm=anthropic (replaced in this call) "
        "tts=cartesia (replaced in this call)>"
    )


def test_what_isnt_replaced_still_needs_its_key():
    stt, _, tts = stack("offline")
    call = asyncio.run(
        simulate(session("deepgram+openai+cartesia"), GREETED, replace={"stt": stt, "tts": tts})
    )
    assert isinstance(call.error, MissingKeyError)
    assert "OPENAI_API_KEY" in str(call.error)


def test_a_wrong_name_is_said_even_where_it_is_replaced():
    stt, llm, tts = stack("offline")
    call = asyncio.run(
        simulate(
            session("deepgrm+openai+cartesia"),
            GREETED,
            replace={"stt": stt, "llm": llm, "tts": tts},
        )
    )
    assert isinstance(call.error, ArgumentError)


@pytest.mark.parametrize("names", ["offline-realtime", "offline-realtime+offline"])
def test_a_realtime_stack_makes_a_call(names):
    call = asyncio.run(simulate(session(names), BOOKS)).raise_for_error()
    assert call.tool_calls[0].result["status"] == "booked"


def test_a_realtime_stack_is_replaced_by_its_stand_in():
    """What was written for OpenAI Realtime runs in CI, with no key."""
    stand_in = stack("offline-realtime").llm
    call = asyncio.run(
        simulate(session("openai-realtime"), BOOKS, replace={"llm": stand_in})
    ).raise_for_error()
    assert call.tool_calls[0].result["status"] == "booked"


def test_auto_tells_the_calls_log_why():
    call = asyncio.run(simulate(session("auto"), BOOKS)).raise_for_error()
    assert call.tool_calls[0].result["status"] == "booked"
    (notice,) = [e for e in call.events if isinstance(e, events.NoticeGiven)]
    assert notice.message.startswith("stack('auto') chose stt: offline, because it hears")


@pytest.mark.parametrize("names", ["elevenlabs+openai+cartesia", "openai+openai+openai"])
def test_a_service_that_needs_vad_says_so_at_action(monkeypatch, three_keys, names):
    monkeypatch.setenv("ELEVENLABS_API_KEY", "e-1")
    call = asyncio.run(simulate(session(names, vad=False), GREETED))
    assert isinstance(call.error, ArgumentError)
    assert "needs voice activity detection" in str(call.error)


# --- made outside of the loop ------------------------------------------------------------------


def run_once(made):
    """A simulated call with services that were made elsewhere, their addresses refused at once."""

    async def create_session():
        agent = VoiceAgent(instructions="Say hello.", greeting="Hello.")
        await agent.Action(**made, vad=True)
        await agent.start()

    return asyncio.run(simulate(create_session, Caller().waits(0.2).hangs_up()))


NOWHERE = {
    "stt": "deepgram?base_url=ws://127.0.0.1:9",
    "llm": "openai?base_url=http://127.0.0.1:9/v1",
    "tts": "cartesia?url=ws://127.0.0.1:9",
}


def test_services_made_in_a_script_work_in_a_call(three_keys):
    """No loop runs where they are made; Action must not find them bound to another one."""
    servers = []

    async def create_session():
        async with AsyncExitStack() as open_:
            for server in servers:
                await open_.enter_async_context(server)
            agent = VoiceAgent(instructions="Say hello.", greeting="Hello there.")
            made.stt._client  # noqa: B018 - made before the loop
            await agent.Action(stt=offline.stt, llm=offline.llm, tts=made.tts, vad=True)
            await agent.start()

    servers.append(FakeCartesia(key="ca-leak-0011223344"))
    offline = stack("offline")
    made = stack(**{**NOWHERE, "tts": "cartesia/agent"})
    made.tts._url = None  # set once the server has its port

    original = create_session

    async def with_address():
        async with servers[0]:
            made.tts._url = servers[0].url
            servers.clear()
            await original()

    call = asyncio.run(simulate(with_address, GREETED)).raise_for_error()
    assert call.transcript[0].text == "Hello there."


def test_services_made_on_another_loop_work_or_are_refused(three_keys):
    async def elsewhere():
        return stack(**NOWHERE)

    call = run_once(asyncio.run(elsewhere()))
    assert call.end_reason in ("error", "caller_hung_up")
    assert "bound to another event loop" not in str(call.error)


def test_the_second_call_with_the_same_services_is_refused(three_keys):
    made = stack(**NOWHERE)
    run_once(made)
    again = run_once(made)
    assert again.end_reason == "error"
    assert "inside create_session" in str(again.error)


def test_an_http_session_is_opened_late_and_closed_with_its_service(three_keys):
    """The catalog's aiohttp session: made outside of any loop, never left open."""
    made = stack("deepgram+openai+deepgram-http")
    late = made.tts._session
    assert late._opened is None

    async def use():
        assert late.closed is False  # opens it
        opened = late._opened
        await made.tts.cleanup()
        return opened

    assert asyncio.run(use()).closed


def test_auto_in_a_live_call():
    call = start_call(session("auto"), GREETED)
    call.join(20)
    assert call.end_reason == "caller_hung_up"
    assert OPENAI not in repr(call.events)
