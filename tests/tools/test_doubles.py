"""Doubles for tools: ``replace={"tools": {name: handler}}``, wherever ``replace=`` is taken."""

from __future__ import annotations

import asyncio
import re
import time

import eval_bots
import pytest
from cloud_bots import converse
from desk_in_place import REPLACE
from door_calls import KNOCK, OPEN_THE_DOOR, told
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.services.llm_service import FunctionCallParams
from pipecat.transports.base_transport import TransportParams

from piopiy_lab import Caller, VoiceAgent, calls_tool, events, offline_stack, run_eval, simulate
from piopiy_lab.cli import main
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.offline import booking_desk
from piopiy_lab.tools import tool_options

RAN = []
BOOKS = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .hears("what name", within=5)
    .hears_reply()
    .says("my name is anna")
    .hears("is that right", within=5)
    .hears_reply()
    .says("yes please")
    .expects_tool("book_table")
    .hears_reply()
    .hangs_up()
)


@pytest.fixture(autouse=True)
def _nothing_ran():
    RAN.clear()


async def open_door(room: str):
    """Open a door.

    Args:
        room: Of which room.
    """
    RAN.append(room)
    return "The real door is open."


# --- of a VoiceAgent ------------------------------------------------------------------------------


async def by_arguments(room: str):
    return f"The {room} door."


def blocking(room):
    time.sleep(0.001)  # a plain function runs in a thread, as ever
    return f"The {room} door."


async def by_params(params):
    return f"The {params.args['room']} door."


async def by_callback(params: FunctionCallParams):
    await params.result_callback(f"The {params.arguments['room']} door.")


@pytest.mark.parametrize("double", [by_arguments, blocking, by_params, by_callback])
def test_a_double_is_called_as_a_handler_is(doors, run, double):
    call = run(doors(open_door), replace={"tools": {"open_door": double}})
    call.raise_for_error()
    assert RAN == []
    (tool,) = call.tool_calls
    assert (tool.arguments, tool.result) == ({"room": "garden"}, "The garden door.")
    assert call.transcript[-1].text == "The garden door."


def test_the_llm_is_told_of_the_tool_and_not_of_its_double(doors, run):
    contexts = [
        run(doors(open_door), replace=replace).events.of(events.ContextSent)[0]
        for replace in ({}, {"tools": {"open_door": by_params}})
    ]
    assert contexts[0].tools == contexts[1].tools == ["open_door"]


def test_a_double_that_raises_is_a_tools_error_and_named(doors, run):
    def jammed(room):
        raise OSError("the door is jammed")

    call = run(doors(open_door), replace={"tools": {"open_door": jammed}})
    call.raise_for_error()
    (tool,) = call.tool_calls
    assert (tool.status, tool.error) == ("failed", "OSError: the door is jammed")
    assert told(call) == [{"error": "the door is jammed"}]
    (error,) = call.events.of(events.ErrorOccurred)
    assert re.match(r"the double of the tool open_door failed at test_doubles\.py", error.message)


def test_the_tools_options_stay_and_a_marked_double_has_its_own(doors, run):
    slow = tool_options(timeout_secs=0.5)(open_door)
    try:

        async def sleeps(room):
            await asyncio.sleep(1)
            return "late"

        call = run(doors(slow), replace={"tools": {"open_door": sleeps}})
        assert call.tool_calls[0].error == "open_door did not finish within 0.5 s"
        patient = tool_options(timeout_secs=2)(sleeps)
        call = run(doors(slow), replace={"tools": {"open_door": patient}})
        assert (call.tool_calls[0].result, call.tool_calls[0].secs) == ("late", 1.0)
    finally:
        del open_door._piopiy_lab_options


def test_a_name_without_a_tool_is_an_error_before_anybody_speaks(doors, run):
    call = run(doors(open_door), replace={"tools": {"open_dor": by_params}})
    assert call.end_reason == "error"
    with pytest.raises(ArgumentError, match=r"'open_dor'.*no tool of that name \(it has: .*open_d"):
        call.raise_for_error()
    assert call.transcript == []
    assert RAN == []


def test_a_double_with_other_arguments_is_an_error_before_anybody_speaks(doors, run):
    call = run(doors(open_door), replace={"tools": {"open_door": lambda door: ""}})
    with pytest.raises(ArgumentError, match="its handler takes 'door', which the schema lacks"):
        call.raise_for_error()
    assert RAN == []


def test_a_function_of_the_name_is_asked_for_every_tool(doors, run):
    call = run(doors(open_door), replace={"tools": {"other": by_params, "open_door": blocking}.get})
    assert call.raise_for_error().tool_calls[0].result == "The garden door."
    call = run(doors(open_door), replace={"tools": {"other": by_params}.get})
    assert call.raise_for_error().tool_calls[0].result == "The real door is open."


def test_a_tool_that_comes_in_mid_call_is_doubled(doors, run):
    async def during(agent):
        await asyncio.sleep(1)
        agent.add_tool(open_door)

    call = run(doors(during=during), replace={"tools": {"open_door": by_params}.get})
    assert call.raise_for_error().tool_calls[0].result == "The garden door."
    wrong = {"tools": {"open_door": lambda door: ""}.get}
    call = run(doors(during=during), OPEN_THE_DOOR.waits(9).hangs_up(), replace=wrong)
    assert "its handler takes 'door'" in call.raise_for_error().tool_calls[0].error
    assert RAN == []


def test_the_rules_own_tool_is_doubled_and_the_service_is_left_as_it_was(run):
    services = []

    async def create_session():
        agent = VoiceAgent(instructions="You take bookings.", greeting="Hello.")
        stt, llm, tts = offline_stack()
        services.append(llm)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    full = {"status": "full", "message": "We are full."}
    call = run(create_session, BOOKS, replace={"tools": {"book_table": lambda params: full}})
    assert call.raise_for_error().tool_calls[0].result == full
    assert type(vars(services[0])["_functions"]) is dict


def test_a_tool_of_an_mcp_server_is_doubled_and_the_server_not_asked(doors, run):
    mcp = pytest.importorskip("pipecat.services.mcp_service")
    from test_mcp import ASK, stdio

    assert mcp is not None

    async def create_session():
        await doors(open_door, mcp_tools=stdio(), replies=ASK)()

    caller = KNOCK.says("what is the weather").hears("it rains").says("break it").hears_reply()
    doubles = {"weather": lambda city="": f"It rains in {city}.", "breaks": lambda params: "Fine."}
    call = run(create_session, caller, replace={"tools": doubles})
    assert [(t.name, t.result) for t in call.raise_for_error().tool_calls] == [
        ("open_door", "The real door is open."),
        ("weather", "It rains in Chennai."),
        ("breaks", "Fine."),
    ]


def test_doubles_of_one_answer_run_side_by_side(doors, run):
    replies = {"book it": calls_tool("book"), "send me a message": calls_tool("text_message")}

    async def book():
        """Book."""
        RAN.append("book")

    async def text_message():
        """Send a message."""
        RAN.append("text_message")

    async def slow(params):
        await asyncio.sleep(1)
        return f"The double of {params.function_name}."

    caller = Caller().hears_greeting().says("book it send me a message").waits(6).hangs_up()
    doubles = {"book": slow, "text_message": slow}
    create_session = doors(book, text_message, replies=replies)
    call = run(create_session, caller, replace={"stt": "screenplay", "tools": doubles})
    call.raise_for_error()
    assert RAN == []
    assert [(t.result, t.secs) for t in call.tool_calls] == [
        ("The double of book.", 1.0),
        ("The double of text_message.", 1.0),
    ]
    assert len({t.start for t in call.tool_calls}) == 1
    assert len(call.events.of(events.ContextSent)) == 2  # one run of the LLM for both


@pytest.mark.parametrize(
    ("tools", "why"),
    [
        (["open_door"], "give handlers by the tool's name"),
        ({"open_door": "open"}, "give a function that takes params"),
        ({1: by_params}, "a tool is named by a text"),
        ({"": by_params}, "a tool is named by a text"),
    ],
)
def test_what_are_no_doubles_is_refused_before_the_call(doors, run, tools, why):
    with pytest.raises(ArgumentTypeError, match=why):
        run(doors(open_door), replace={"tools": tools})


def test_shuffled_runs_of_the_fixture_have_the_doubles_too(doors, simulate):
    call = simulate(
        doors(open_door), OPEN_THE_DOOR.hears_reply(), replace={"tools": {"open_door": by_params}}
    )
    assert call.tool_calls[0].result == "The garden door."


# --- of a bot -------------------------------------------------------------------------------------

PARAMS = {"webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True)}


async def real_booking(params):
    RAN.append("booked")
    await params.result_callback({"status": "booked", "reference": "real"})


async def bot_with_a_schema(runner_args: RunnerArguments):
    told = booking_desk().tools[0]
    schema = FunctionSchema(
        told.name, told.description, told.properties, told.required, handler=real_booking
    )
    transport = await create_transport(runner_args, PARAMS)
    await converse(transport, runner_args, tools=ToolsSchema(standard_tools=[schema]))


@pytest.mark.parametrize("kind", ["value", "params", "fails"])
def test_a_bots_tool_is_doubled(kind):
    async def value(party_size, day, time, name):
        return {"status": "booked", "reference": f"double for {name}"}

    async def params(params):
        await params.result_callback({"status": "booked", "reference": "double for Anna"})

    def fails(**arguments):
        raise OSError("no line to the book")

    double = {"value": value, "params": params, "fails": fails}[kind]
    replace = {**REPLACE, "tools": {"book_table": double}}
    call = asyncio.run(simulate(bot_with_a_schema, BOOKS, replace=replace)).raise_for_error()
    (tool,) = call.tool_calls
    assert RAN == []
    if kind == "fails":
        assert tool.error == "OSError: no line to the book"
        (error,) = call.events.of(events.ErrorOccurred)
        assert error.message.startswith("the double of the tool book_table failed at test_doubles")
    else:
        assert tool.result == {"status": "booked", "reference": "double for Anna"}


def test_a_name_without_a_tool_of_the_bots_is_an_error_when_it_is_over():
    replace = {**REPLACE, "tools": {"bok_table": real_booking}}
    call = asyncio.run(simulate(bot_with_a_schema, BOOKS, replace=replace))
    with pytest.raises(ArgumentError, match=r"'bok_table'.*it has: book_table"):
        call.raise_for_error()


def test_an_eval_has_doubles_on_the_command_line_too(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "desk.yaml"
    path.write_text(
        """
name: desk
user: {modality: text}
scenarios:
  - name: it
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{event: response}]
      - user: "my name is oliver"
        expect: [{event: response}]
      - user: "yes please"
        expect: [{event: function_call, calls: [{name: book_table}]}]
"""
    )
    full = {"status": "full", "message": "We are full."}
    replace = {"tools": {"book_table": lambda params: full}}
    report = asyncio.run(run_eval(path, eval_bots.bot, replace=replace))
    (tool,) = report[0].call.tool_calls
    assert tool.result == full
    (tmp_path / "my_fakes.py").write_text("def full(params):\n    raise OSError('we are full')\n")
    bot = f"{eval_bots.__file__}:bot"
    assert main(["eval", str(path), bot, "--replace", "tools.book_table=my_fakes:full"]) == 0
    assert main(["eval", str(path), bot, "--replace", "tools.nothing=my_fakes:full"]) != 0
    assert "no tool of that name" in capsys.readouterr().out
