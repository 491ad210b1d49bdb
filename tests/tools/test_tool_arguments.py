"""Tool arguments that are none: kept as given, an error result where they don't fit."""

from __future__ import annotations

import asyncio
import json
import sys
import typing

import pytest
from pipecat.services.openai.llm import OpenAILLMService

from piopiy_lab import Call, Caller, VoiceAgent, calls_tool, events, offline_stack, simulate
from piopiy_lab.errors import ArgumentError
from piopiy_lab.fake_providers import FakeOpenAI, openai_chat
from piopiy_lab.simulation.golden import conversation_text

ASKS = Caller().hears_greeting().says("is it open on sunday").hears_reply().hangs_up()


@pytest.fixture
def asked(monkeypatch):
    """Let a model call a tool with a text for its arguments; returns the call."""

    def asked(text, tool, caller=ASKS):
        monkeypatch.setattr(openai_chat, "typed", lambda call, tools: text)
        written = json.dumps

        def as_given(value, **options):  # the text itself stands where JSON would
            return text if value is text else written(value, **options)

        monkeypatch.setattr(openai_chat.json, "dumps", as_given)

        async def create_session():
            stt, _, tts = offline_stack()
            script = [calls_tool(tool.__name__), "From nine to ten."]
            async with FakeOpenAI(script) as server:
                agent = VoiceAgent(instructions="x", greeting="Hello.", tools=[tool])
                llm = OpenAILLMService(api_key=server.key, base_url=server.base_url)
                await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
                await agent.start()

        call = asyncio.run(simulate(create_session, caller, replace={"stt": "screenplay"}))
        monkeypatch.undo()
        return call

    return asked


async def opening_hours(city: str) -> str:
    """Say when it is open.

    Args:
        city: Where.
    """
    return f"nine to ten in {city}"


async def today() -> str:
    """Say what day it is."""
    return "monday"


def views(call, tmp_path):
    """Look at a call in every way."""
    repr(call.tool_calls), str(call), call._repr_mimebundle_(), call.plot()
    conversation_text(call)
    for event in call.events:
        json.loads(event.to_json(), parse_constant=lambda name: pytest.fail(name))
    loaded = Call.load(call.save(tmp_path / "call"))
    assert loaded.tool_calls == call.tool_calls
    repr(loaded.tool_calls), str(loaded), loaded._repr_mimebundle_(), loaded.plot()
    return loaded


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('["Paris"]', ["Paris"]),
        ('"Paris"', "Paris"),
        ('"{\\"city\\": \\"Paris\\"}"', '{"city": "Paris"}'),
        ("7", 7),
        ('{"city": "Par', '{"city": "Par'),
        ('{"city": NaN}', '{"city": NaN}'),
        ("city=Paris", "city=Paris"),
    ],
)
def test_what_is_no_object_is_kept_and_an_error_result(asked, tmp_path, text, kept):
    call = asked(text, opening_hours)
    assert call.raise_for_error().end_reason == "caller_hung_up"
    (tool,) = call.tool_calls
    assert tool.arguments == kept
    assert tool.status == "failed"
    assert "opening_hours takes its arguments as a JSON object" in tool.error
    assert call.transcript[-1].text == "From nine to ten."  # the model was told, and answered
    views(call, tmp_path)


@pytest.mark.parametrize(("text", "kept"), [("null", None), ("", {}), ("  ", {})])
def test_nothing_fits_a_tool_without_arguments(asked, tmp_path, text, kept):
    call = asked(text, today).raise_for_error()
    (tool,) = call.tool_calls
    assert (tool.arguments, tool.status, tool.result) == (kept, "returned", "monday")
    views(call, tmp_path)


@pytest.mark.parametrize("text", ["null", "{}"])
def test_nothing_where_an_argument_is_needed_names_it(asked, text):
    (tool,) = asked(text, opening_hours).raise_for_error().tool_calls
    assert tool.error == "ArgumentError: the argument 'city' is missing"


def test_a_screenplay_that_expects_another_tool_call_says_what_came(asked):
    caller = Caller().hears_greeting().says("is it open").expects_tool("opening_hours", city="Rome")
    call = asked('"city"', opening_hours, caller)
    assert "opening_hours('city')" in str(call.error)


def test_a_handler_that_takes_the_call_is_not_called_with_what_is_no_object(asked):
    called = []

    async def opening_hours(params):
        called.append(params.args)

    call = asked("[1]", opening_hours)
    assert not called
    assert call.tool_calls[0].status == "failed"
    assert [e.source for e in call.events.of(events.ErrorOccurred)] == ["OpenAILLMService"]


class Booking(typing.TypedDict):
    guests: int


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python tells its fields from 3.12 on")
@pytest.mark.parametrize("hint", [Booking, list[Booking], Booking | None])
def test_a_typed_dict_of_typing_is_refused_with_the_remedy(hint):
    async def book(booking) -> str:
        """Book a table."""
        return "booked"

    book.__annotations__["booking"] = hint
    with pytest.raises(ArgumentError, match="from typing_extensions import TypedDict"):
        VoiceAgent(instructions="x", tools=[book])
