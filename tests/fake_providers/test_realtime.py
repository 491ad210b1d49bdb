"""pipecat's OpenAI Realtime and Gemini Live services against servers that speak their protocols."""

from __future__ import annotations

import asyncio

import pytest
from cloud_desk import GREETING, SAYS, errors_of, said, said_and_done
from realtime_desk import CALLER, GEMINI, OPENAI, Desk

from piopiy_lab import Caller, events
from piopiy_lab.errors import ServiceError
from piopiy_lab.fake_providers import FakeOpenAIRealtime, Scenario

WRONG = "wrong-key-in-full-0123456789abcdef"
ASKS = Caller().hears("how can I help").hears_reply().says(SAYS[0]).hears("what name", within=6)


BOTH = pytest.mark.parametrize("model", [OPENAI, GEMINI], ids=["openai", "gemini"])
TURNS = pytest.mark.parametrize("manual", [False, True], ids=["server-vad", "own-vad"])


@BOTH
@TURNS
def test_a_table_is_booked_twice_in_a_row(model, manual):
    first, second = Desk(*model, manual=manual).call(), Desk(*model, manual=manual).call()
    for call in (first, second):
        call.raise_for_error()
        assert call.end_reason == "caller_hung_up"
        assert said(call, "user") == list(SAYS)
        spoken = said(call, "assistant")
        assert spoken[0] == GREETING
        assert spoken[1] == "A table for two tomorrow at seven. What name is it under?"
        assert spoken[-1].startswith("Your table is booked.")
        assert call.tool_calls[0].arguments["party_size"] == 2
        assert not errors_of(call)
        assert all(0 < turn.total < 1.2 for turn in call.turns)
    assert said_and_done(first) == said_and_done(second)


@BOTH
def test_the_first_messages_are_as_documented(model):
    desk = Desk(*model, manual=False)
    desk.call(ASKS).raise_for_error()
    kinds = [item.kind for item in desk.server.received]
    firsts = [kind for kind in dict.fromkeys(kinds) if "append" not in kind]
    if model is OPENAI:
        assert firsts[:4] == [
            "connect", "session.update", "conversation.item.create", "response.create",
        ]  # fmt: skip
        session = desk.server.of("session.update")[-1].message["session"]
        assert session["instructions"] == "Book."
        assert session["tools"][0]["name"] == "book_table"
    else:
        assert firsts[:4] == ["connect", "setup", "client_content", "realtime_input"]
        setup = desk.server.of("setup")[0].message["setup"]
        assert setup["systemInstruction"]["parts"][0]["text"] == "Book."
        assert setup["tools"][0]["functionDeclarations"][0]["name"] == "book_table"


@BOTH
@TURNS
def test_a_barge_in_stops_the_answer_on_both_sides(model, manual):
    caller = (
        Caller()
        .hears("how can I help")
        .hears_reply()
        .says(SAYS[0])
        .interrupts("no make it friday", after=0.8)
        .hears("friday", within=6)
        .hears_reply()
    )
    hears = (SAYS[0], "no make it friday")
    desk = Desk(*model, manual=manual, hears=hears, speed=1.2)
    call = desk.call(caller).raise_for_error()
    cut = call.transcript[2]
    assert cut.interrupted
    assert "under" not in cut.text
    assert call.transcript[-1].text.startswith("On Friday")
    interruption = next(e for e in call.events if isinstance(e, events.AgentInterrupted))
    assert interruption.speaking
    if model is OPENAI:
        assert desk.server.of("conversation.item.truncate")


@BOTH
def test_a_model_that_gives_text_is_spoken_by_a_voice(model):
    call = Desk(*model, manual=True, text=True).call(ASKS.hears_reply()).raise_for_error()
    assert said(call, "assistant")[0] == GREETING
    assert said(call, "assistant")[1].endswith("under?")


@BOTH
def test_a_slow_model_is_felt(model):
    fast = Desk(*model, manual=True).call(ASKS).raise_for_error()
    slow = Desk(*model, manual=True, scenario=Scenario.slow(0.6)).call(ASKS).raise_for_error()
    waited = [call.turns[0].total - call.turns[0].parts["vad"] for call in (fast, slow)]
    assert waited[0] < 0.05
    assert waited[1] == pytest.approx(0.6, abs=0.05)


@BOTH
def test_a_wrong_key_ends_the_call_and_names_its_variable(model, tmp_path):
    call = Desk(*model, manual=True, key=WRONG).call(CALLER)
    assert call.end_reason == "error"
    assert isinstance(call.error, ServiceError)
    variable = "OPENAI_API_KEY" if model is OPENAI else "GOOGLE_API_KEY or GEMINI_API_KEY"
    assert variable in str(call.error)
    assert call.duration < 1
    call.save(tmp_path / "call")
    saved = b"".join(p.read_bytes() for p in (tmp_path / "call").rglob("*") if p.is_file())
    assert variable.split()[0].encode() in saved
    assert WRONG.encode() not in saved


def test_a_lost_connection_to_openai_ends_the_call():
    call = Desk(*OPENAI, manual=True, scenario=Scenario.drops_after(secs=6)).call(CALLER)
    assert call.end_reason == "error"
    assert "connection to the provider" in str(call.error)
    assert call.duration == pytest.approx(6, abs=0.2)


def test_a_lost_connection_to_gemini_is_made_again():
    desk = Desk(*GEMINI, manual=True, scenario=Scenario.drops_after(secs=8.5))
    call = desk.call(CALLER)
    assert desk.server.connections == 2
    assert call.end_reason == "caller_hung_up", call.error


@BOTH
def test_a_rate_limit_ends_the_call_and_says_what_to_do(model):
    call = Desk(*model, manual=True, scenario=Scenario.rate_limit()).call(CALLER)
    assert call.end_reason in ("error",)
    assert errors_of(call)[0].remedy


def test_what_the_client_may_not_send_is_answered_by_an_error():
    import aiohttp

    async def main():
        async with FakeOpenAIRealtime(["x"], ["y"]) as server, aiohttp.ClientSession() as http:
            headers = {"Authorization": f"Bearer {server.key}"}
            async with http.ws_connect(f"{server.base_url}?model=m", headers=headers) as socket:
                created = await socket.receive_json()
                await socket.send_json({"type": "no.such"})
                unknown = await socket.receive_json()
                await socket.send_json({"type": "response.cancel"})
                idle = await socket.receive_json()
                await socket.send_json({"type": "input_audio_buffer.commit"})
                empty = await socket.receive_json()
        return created, unknown, idle, empty

    created, unknown, idle, empty = asyncio.run(main())
    assert created["type"] == "session.created"
    assert created["session"]["model"] == "m"
    assert unknown["error"]["type"] == "invalid_request_error"
    assert idle["error"]["code"] == "response_cancel_not_active"
    assert empty["error"]["code"] == "input_audio_buffer_commit_empty"
