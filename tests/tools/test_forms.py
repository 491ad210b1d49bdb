"""Every form in which a tool may be given, and its handler called."""

from __future__ import annotations

import functools
import logging
import threading
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal

import pytest
from door_calls import told
from pipecat.adapters.llm.schemas.direct_function import DirectFunctionWrapper
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import AdapterType, ToolsSchema
from pipecat.services.llm_service import FunctionCallParams
from pydantic import BaseModel, Field

from piopiy_lab import Caller, VoiceAgent, calls_tool, events
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.tools import schema_of

PARAMETERS = {"type": "object", "properties": {"room": {"type": "string"}}, "required": ["room"]}
DICT = {"name": "open_door", "description": "Open a door.", "parameters": PARAMETERS}
SCHEMA = FunctionSchema("open_door", "Open a door.", PARAMETERS["properties"], ["room"])
ANSWER = "The garden door is open."


async def open_door(params, room: str):
    """Open a door.

    Args:
        room: Which one.
    """
    return f"The {room} door is open."


async def typed(room: str) -> str:
    """Open a door."""
    return f"The {room} door is open."


typed.__name__ = "open_door"


def blocking(room: str) -> str:
    """Open a door."""
    assert threading.current_thread() is not threading.main_thread()  # it may block
    return f"The {room} door is open."


blocking.__name__ = "open_door"


async def whole_call(params):
    return f"The {params.args['room']} door is open."


async def whole_call_by_type(anything: FunctionCallParams):
    return f"The {anything.arguments['room']} door is open."


async def calls_back(params):
    await params.result_callback(f"The {params.arguments['room']} door is open.")


def plain(params):
    return f"The {params.args['room']} door is open."


class Doors:
    async def open_door(self, room: str):
        """Open a door."""
        return f"The {room} door is open."

    async def __call__(self, params):
        return f"The {params.args['room']} door is open."


@pytest.mark.parametrize(
    "tool",
    [
        open_door,
        typed,
        blocking,
        Doors().open_door,
        functools.partial(open_door),
        DirectFunctionWrapper(open_door),
        FunctionSchema("open_door", "x", PARAMETERS["properties"], ["room"], handler=whole_call),
        FunctionSchema("open_door", "x", PARAMETERS["properties"], ["room"], handler=typed),
    ],
    ids=["direct", "typed", "blocking", "method", "partial", "wrapper", "schema", "schema-typed"],
)
def test_a_tool_that_brings_its_handler(doors, run, tool):
    call = run(doors(tool))
    call.raise_for_error()
    (tool_call,) = call.tool_calls
    assert (tool_call.name, tool_call.arguments) == ("open_door", {"room": "garden"})
    assert (tool_call.status, tool_call.result) == ("returned", ANSWER)
    assert call.transcript[-1].text == ANSWER
    assert call.events.of(events.ContextSent)[0].tools == ["open_door"]


@pytest.mark.parametrize(
    "schema",
    [
        SCHEMA,
        DICT,
        {"type": "function", "function": DICT},
        {"type": "function", **DICT},
        {"name": "open_door", "description": "Open a door.", "input_schema": PARAMETERS},
    ],
    ids=["schema", "flat", "openai", "openai-flat", "anthropic"],
)
@pytest.mark.parametrize(
    "handler",
    [
        whole_call,
        whole_call_by_type,
        calls_back,
        plain,
        typed,
        open_door,
        Doors(),
        lambda **given: f"The {given['room']} door is open.",
    ],
    ids=["params", "by-type", "callback", "sync", "typed", "direct", "object", "any"],
)
def test_a_schema_and_its_handler_in_every_form(doors, run, schema, handler):
    # The whole call for two pairs of each; the others differ only before the call.
    agent = VoiceAgent(instructions="x", tools=[schema])
    agent.register_tool("open_door", handler)
    (ready,) = agent._tools.ready()
    assert (ready.name, ready.schema.required) == ("open_door", ["room"])
    if schema is SCHEMA or handler is whole_call:
        call = run(doors(schema, set_up=lambda a: a.register_tool("open_door", handler)))
        assert call.tool_calls[0].result == ANSWER


def test_a_tools_schema_keeps_what_only_one_provider_has():
    search = {AdapterType.OPENAI: [{"type": "web_search"}]}
    agent = VoiceAgent(
        instructions="x", tools=ToolsSchema(standard_tools=[open_door], custom_tools=search)
    )
    offered = agent._tools.offered()
    assert [tool.name for tool in offered.standard_tools] == ["open_door"]
    assert offered.custom_tools == search
    assert [tool.name for tool in agent._tools.ready()] == ["open_door"]


def test_all_forms_at_once(doors, run, caplog):
    async def close_window(params):
        return "The window is closed."

    async def weather() -> str:
        """Tell the weather."""
        return "It is sunny."

    window = {"name": "close_window", "description": "Close the window."}
    caller = (
        Caller().hears_greeting()
        .says("open the garden door").hears("garden door is open")
        .says("close the window").hears("window is closed")
        .says("what is the weather").hears("it is sunny")
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        call = run(
            doors(
                FunctionSchema("open_door", "x", PARAMETERS["properties"], ["room"], handler=plain),
                window,
                ToolsSchema(standard_tools=[weather_in_pipecats_form]),
                set_up=lambda agent: (
                    agent.register_tool("close_window", close_window),
                    agent.add_tool(weather),
                ),
            ),
            caller,
        )
    call.raise_for_error()
    assert [tool.result for tool in call.tool_calls] == [
        ANSWER,
        "The window is closed.",
        "It is sunny.",
    ]
    assert call.events.of(events.ContextSent)[-1].tools == [
        "open_door",
        "close_window",
        "ping",
        "weather",
    ]


async def weather_in_pipecats_form(params):
    """Say pong."""


weather_in_pipecats_form.__name__ = "ping"


def test_a_tool_added_while_the_call_runs_acts_from_the_next_turn(doors, run):
    async def during(agent):
        from piopiy_lab.session.session import current_session

        await current_session().wait_until_listening()
        agent.add_tool(open_door)

    call = run(doors(during=during))
    call.raise_for_error()
    assert call.tool_calls[0].result == ANSWER
    assert call.events.of(events.ContextSent)[-1].tools == ["open_door"]


def test_every_llm_of_a_switcher_knows_the_handlers():
    from pipecat.pipeline.llm_switcher import LLMSwitcher

    from piopiy_lab import offline_stack
    from piopiy_lab.tools import register_with

    llms = [offline_stack()[1], offline_stack()[1]]
    agent = VoiceAgent(instructions="x", tools=[open_door])
    register_with(LLMSwitcher(llms=llms), agent._tools.ready()[0], host=None)
    assert all(llm.has_function("open_door") for llm in llms)


# --- schemas made of functions ------------------------------------------------------------------


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


@dataclass
class Guest:
    name: str
    age: int = 30


class Order(BaseModel):
    """What is ordered."""

    title: str = Field(description="The dish.")
    guests: list[Guest]


async def order(
    params,
    order: Order,
    table: int,
    size: Size = Size.SMALL,
    when: Literal["now", "later"] = "now",
    note: str | None = None,
    tip: Annotated[float, "In percent."] = 0.0,
    anything=None,
):
    """Take an order.

    The kitchen gets it at once.

    Args:
        params: The call.
        order: What they want.
        table: The table's
            number.
    """
    return [order, table, size, when, note, tip]


def test_type_hints_and_docstring_make_the_schema():
    schema = schema_of(order)
    assert schema.name == "order"
    assert schema.description == "Take an order.\n\nThe kitchen gets it at once."
    assert schema.required == ["order", "table"]
    assert schema.properties["table"] == {"type": "integer", "description": "The table's number."}
    assert schema.properties["size"] == {"type": "string", "enum": ["small", "large"]}
    assert schema.properties["when"] == {"type": "string", "enum": ["now", "later"]}
    assert schema.properties["note"] == {"type": "string"}
    assert schema.properties["tip"] == {"type": "number", "description": "In percent."}
    assert schema.properties["anything"] == {}
    assert schema.properties["order"]["properties"] == {
        "title": {"type": "string", "description": "The dish."},
        "guests": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "age": {"type": "integer", "default": 30},
                },
                "required": ["name"],
            },
        },
    }
    assert "$defs" not in str(schema.properties)
    assert "$ref" not in str(schema.properties)


def test_arguments_arrive_as_the_types_that_the_function_wants():
    agent = VoiceAgent(instructions="x", tools=[order])
    (tool,) = agent._tools.ready()
    converted = tool.signature.convert(
        {
            "order": {"title": "soup", "guests": [{"name": "Anna", "age": "41"}]},
            "table": "7",
            "size": "large",
            "note": None,
            "tip": 5,
        }
    )
    assert converted["order"] == Order(title="soup", guests=[Guest("Anna", 41)])
    assert (converted["table"], converted["size"], converted["tip"]) == (7, Size.LARGE, 5.0)
    assert converted["note"] is None
    assert "when" not in converted  # the function's own default


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"table": 7}, "the argument 'order' is missing"),
        ({"order": {"title": "x", "guests": []}, "table": "two"}, "'table' can't be 'two'"),
        ({"order": {"title": "x", "guests": []}, "table": 2, "size": "huge"}, "'size' can't be"),
        ({"order": {"title": "x", "guests": [{}]}, "table": 2}, r"order\.guests\.0\.name"),
        ({"order": {"title": "x", "guests": []}, "table": 2, "chair": 1}, "no argument 'chair'"),
    ],
)
def test_arguments_that_do_not_fit_are_told_to_the_llm(arguments, words):
    (tool,) = VoiceAgent(instructions="x", tools=[order])._tools.ready()
    with pytest.raises(ArgumentError, match=words):
        tool.signature.convert(arguments)


def test_the_llm_hears_that_an_argument_does_not_fit(doors, run):
    async def open_door(room: int):
        """Open a door."""
        return "never"

    call = run(doors(open_door), KNOCK_ANY)
    call.raise_for_error()
    assert call.tool_calls[0].status == "failed"
    assert "can't be 'garden'" in call.tool_calls[0].error
    assert "the argument 'room' can't be 'garden'" in told(call)[0]["error"]
    assert call.transcript[-1].text.startswith("Sorry, that did not work.")


KNOCK_ANY = (
    Caller().hears_greeting().says("open the garden door").expects_tool("open_door").hears_reply()
)


class Tree(BaseModel):
    children: list[Tree]


async def tree(root: Tree):
    """Grow."""


async def by_position(room: str, /):
    """Open."""


async def a_thread(worker: threading.Thread):
    """Run."""


def with_a_local_type():
    class Hidden(BaseModel):
        x: int

    async def hide(hidden: Hidden):
        """Hide."""

    return hide


# --- what is refused, by name ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tools", "error", "words"),
    [
        ("book", ArgumentTypeError, "list of tools"),
        (["book"], ArgumentTypeError, "'book' is no tool: give a FunctionSchema"),
        (DICT, ArgumentTypeError, "list of tools"),
        (7, ArgumentTypeError, "tools=7"),
        ([{"google_search": {}}], ArgumentTypeError, "has no 'name'.*custom_tools"),
        ([{"name": "x", "parameters": []}], ArgumentError, "'x': 'parameters' must be"),
        ([{"name": "x", "parameters": {"type": "array"}}], ArgumentError, "JSON schema of an obj"),
        ([{"name": "open door"}], ArgumentError, "can't be named 'open door'"),
        ([{"name": 3}], ArgumentError, "can't be named 3"),
        ([FunctionSchema("x", "y", {}, ["room"])], ArgumentError, "'x' requires 'room'.*none"),
        ([FunctionSchema("x", "y", {"room": "string"}, [])], ArgumentError, "JSON schemas"),
        ([FunctionSchema("x", "y", {"a": {}}, "a")], ArgumentError, "list of names"),
        ([SCHEMA, open_door], ArgumentError, "two tools are named 'open_door'"),
        ([lambda room: 1], ArgumentError, "no name that a tool could have"),
        ([Doors], ArgumentTypeError, "is no tool"),
        ([tree], ArgumentError, "'tree': the type of 'root' contains itself"),
        ([by_position], ArgumentError, "takes 'room' by its position only"),
        ([a_thread], ArgumentError, "can't give 'worker' as Thread"),
        ([with_a_local_type()], ArgumentError, "types of the tool 'hide' can't be looked up"),
        ([FunctionSchema("x", "y", {}, [], handler="h")], ArgumentTypeError, "handler of .*'x'"),
    ],
)  # fmt: skip
def test_a_tool_that_is_none_is_refused_by_name(tools, error, words):
    with pytest.raises(error, match=words):
        VoiceAgent(instructions="x", tools=tools)


async def other_name(place: str): ...
async def one_more(room: str, floor: int): ...
async def one_more_with_default(room: str, floor: int = 0): ...
async def takes_nothing(): ...
async def untyped(place): ...
async def too_few(params, *, floor): ...


OPTIONAL = FunctionSchema("open_door", "x", {"room": {"type": "string"}}, [])


@pytest.mark.parametrize(
    ("schema", "handler", "words"),
    [
        (SCHEMA, other_name, "'open_door': its handler takes 'place', which the schema lacks"),
        (SCHEMA, untyped, "takes 'place', which the schema lacks.*'params'"),
        (SCHEMA, one_more, "takes 'floor', which the schema lacks"),
        (SCHEMA, takes_nothing, "'open_door' requires 'room', which its handler doesn't take"),
        (SCHEMA, too_few, "takes 'floor', which the schema lacks"),
        (OPTIONAL, takes_nothing, "'open_door' offers 'room', which its handler doesn't take"),
        (OPTIONAL, typed, "needs 'room', which the schema doesn't require"),
    ],
)
def test_a_schema_and_a_handler_that_disagree(schema, handler, words):
    with pytest.raises(ArgumentError, match=words):
        VoiceAgent(instructions="x").add_tool(schema, handler)
    agent = VoiceAgent(instructions="x", tools=[schema])
    with pytest.raises(ArgumentError, match=words):
        agent.register_tool("open_door", handler)
    both = FunctionSchema("open_door", "x", schema.properties, schema.required, handler=handler)
    with pytest.raises(ArgumentError, match=words):
        VoiceAgent(instructions="x", tools=[both])


@pytest.mark.parametrize("handler", [one_more_with_default, max, lambda p: 1, lambda _: 1])
def test_a_handler_that_agrees_well_enough(handler):
    VoiceAgent(instructions="x").add_tool(SCHEMA, handler)


def test_halves_that_are_missing():
    agent = VoiceAgent(instructions="x")
    with pytest.raises(ArgumentError, match="'open_door'.*no handler"):
        agent.add_tool(SCHEMA)
    with pytest.raises(ArgumentTypeError, match="handler of the tool 'open_door' is 'h'"):
        agent.add_tool(SCHEMA, "h")
    with pytest.raises(ArgumentTypeError, match=r"register_tool\(None"):
        agent.register_tool(None, plain)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"timeout_secs": 0}, ArgumentError, "timeout_secs=0"),
        ({"timeout_secs": float("nan")}, ArgumentError, "timeout_secs=nan"),
        ({"timeout_secs": "5"}, ArgumentTypeError, "timeout_secs='5'"),
        ({"timeout_secs": True}, ArgumentTypeError, "timeout_secs=True"),
        ({"filler": ""}, ArgumentError, "filler='' is empty"),
        ({"filler": 3}, ArgumentTypeError, "filler=3"),
        ({"filler_after_secs": -1}, ArgumentError, "filler_after_secs=-1"),
        ({"cancel_on_interruption": "no"}, ArgumentTypeError, "cancel_on_interruption='no'"),
    ],
)
def test_options_out_of_range(options, error, words):
    with pytest.raises(error, match=words):
        VoiceAgent(instructions="x").add_tool(SCHEMA, plain, **options)


def test_a_call_that_needs_a_number_gets_one(doors, run):
    async def seat(guests: int):
        """Seat guests."""
        return {"seated": guests}

    call = run(
        doors(seat, replies={"a table for two": calls_tool("seat", guests="two").says("Fine.")}),
        Caller().hears_greeting().says("a table for two").expects_tool("seat", guests=2)
        .hears("fine"),
    )  # fmt: skip
    call.raise_for_error()
    assert call.tool_calls[0].result == {"seated": 2}
