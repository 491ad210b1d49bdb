"""What a tool returns, as JSON: what the LLM reads. What has no such form is told, by its name."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import json
import pathlib
import types
import typing
import uuid

import attrs
import numpy as np
import pydantic
import pytest
from door_calls import told

from piopiy_lab import events
from piopiy_lab.tools.json_form import DEEPEST, NoJsonForm, json_form


class Sky(enum.Enum):
    GREY = "grey"


@dataclasses.dataclass
class Weather:
    city: str
    when: dt.date
    sky: Sky = Sky.GREY


class Table(pydantic.BaseModel):
    seats: int
    free_from: dt.datetime


class Place(typing.NamedTuple):
    row: int
    seat: int


@attrs.define
class Room:
    name: str


class Row:
    """A database's row: keys and values, and no mapping."""

    def keys(self):
        return ["id", "at"]

    def __getitem__(self, key):
        return {"id": 7, "at": dt.time(19, 30)}[key]


class Vain:
    """Something whose repr raises."""

    def __repr__(self):
        raise RuntimeError("no words")


class Broken(collections.UserDict):
    """A mapping that can't be read."""

    def items(self):
        raise OSError("the database is gone")


def contains_itself():
    rooms: list[object] = [1]
    rooms.append({"rooms": rooms})
    return rooms


def too_deep():
    value: object = 1
    for _ in range(DEEPEST + 2):
        value = [value]
    return value


MONDAY = dt.date(2026, 11, 30)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (Weather("Paris", MONDAY), {"city": "Paris", "when": "2026-11-30", "sky": "grey"}),
        (Table(seats=2, free_from=dt.datetime(2026, 11, 30, 19, tzinfo=dt.UTC)), None),
        ([Weather("Rome", MONDAY)], [{"city": "Rome", "when": "2026-11-30", "sky": "grey"}]),
        (MONDAY, "2026-11-30"),
        (dt.timedelta(minutes=90), "PT1H30M"),
        (decimal.Decimal("12.50"), "12.50"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (frozenset({3, 1, 2}), [1, 2, 3]),
        ((1, Place(2, 3)), [1, [2, 3]]),
        (collections.deque([1, 2]), [1, 2]),
        ({"a": 1}.keys(), ["a"]),
        (range(3), [0, 1, 2]),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (types.SimpleNamespace(a=1), {"a": 1}),
        (Room("garden"), {"name": "garden"}),
        (Row(), {"id": 7, "at": "19:30:00"}),
        ({1: "a", Sky.GREY: 2, MONDAY: 3}, {"1": "a", "grey": 2, "2026-11-30": 3}),
        ({None: 1, True: 2, 0.5: 3}, {"null": 1, "true": 2, "0.5": 3}),
        (b"as text", "as text"),
        (np.float64(0.5), 0.5),
        (np.int64(5), 5),
        (np.bool_(True), True),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (Sky.GREY, "grey"),
    ],
)
def test_what_has_an_obvious_form_becomes_it(value, form):
    form = {"seats": 2, "free_from": "2026-11-30T19:00:00Z"} if form is None else form
    made = json_form(value)
    assert made == form
    assert json.loads(json.dumps(made, allow_nan=False)) == form


NONE = [
    (float("nan"), "it is nan"),
    ({"degrees": [1.0, float("inf")]}, r"it\['degrees'\]\[1\] is inf"),
    (np.float64("nan"), "it is nan"),
    (decimal.Decimal("NaN"), "it is NaN"),
    (contains_itself(), r"it\[1\]\['rooms'\] contains itself"),
    (too_deep(), "nested more than"),
    ({(1, 2): "a"}, r"the key \(1, 2\)"),
    ({1: "a", "1": "b"}, "two keys that are '1'"),
    ((room for room in "ab"), "it is a generator"),
    ({"rooms": iter("ab")}, r"it\['rooms'\] is a str_ascii_iterator"),
    (Vain(), "it is a Vain"),
    (Vain, "it is a type"),
    (object(), "it is an object"),
    (3 + 4j, "it is a complex"),
    (10**5000, "reading it raised ValueError"),
    (b"\xff\xfe", "reading it raised UnicodeDecodeError"),
    (Broken(), "reading it raised OSError: the database is gone"),
    (len, "it is a builtin_function_or_method"),
]


@pytest.mark.parametrize(("value", "why"), NONE, ids=[why for _, why in NONE])
def test_what_has_none_is_told_with_its_place(value, why):
    with pytest.raises(NoJsonForm, match=why):
        json_form(value)


@pytest.mark.parametrize(
    "value",
    [
        Weather("Paris", MONDAY),
        Table(seats=2, free_from=dt.datetime(2026, 11, 30, 19, tzinfo=dt.UTC)),
        MONDAY,
        {"b", "a"},
        np.int64(5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_llm_reads_it_and_the_call_goes_on(doors, run, value):
    async def open_door(room: str):
        """Open a door."""
        return value

    call = run(doors(open_door)).raise_for_error()
    assert call.end_reason == "caller_hung_up"
    assert call.tool_calls[0].status == "returned"
    assert call.tool_calls[0].result == json_form(value)
    assert told(call) == [json_form(value)]


@pytest.mark.parametrize(
    "value",
    [contains_itself(), {(1, 2): "a"}, (room for room in "ab"), Vain(), float("nan"), 10**5000],
    ids=["cycle", "key", "generator", "repr", "nan", "digits"],
)
@pytest.mark.parametrize("way", ["returned", "given"])
def test_what_it_can_not_read_is_an_error_that_names_the_tool(doors, run, value, way):
    async def open_door(params):
        if way == "returned":
            return value
        await params.result_callback(value)
        return None

    schema = {"name": "open_door", "parameters": {"properties": {"room": {"type": "string"}}}}
    call = run(doors(schema, set_up=lambda a: a.register_tool("open_door", open_door)))
    assert call.raise_for_error().end_reason == "caller_hung_up"
    (tool,) = call.tool_calls
    assert tool.status == "failed"
    ((read,),) = [list(result.values()) for result in told(call)]
    assert read.startswith("open_door returned ")
    assert read.endswith(", which has no JSON form")
    assert tool.error.startswith("open_door returned ")
    assert tool.error.endswith("dataclasses, pydantic models or dates")
    (error,) = call.events.of(events.ErrorOccurred)
    assert "open_door returned" in error.message
    for event in call.events:
        json.loads(event.to_json(), parse_constant=lambda name: pytest.fail(name))


def test_a_tool_that_was_cancelled_from_inside_has_failed(doors, run):
    async def open_door(room: str):
        """Open a door."""
        work = asyncio.create_task(asyncio.sleep(1))
        work.cancel()
        await work

    call = run(doors(open_door)).raise_for_error()
    assert call.tool_calls[0].error == "open_door was cancelled from inside"
    assert told(call) == [{"error": "open_door was cancelled from inside"}]


def test_a_plain_function_that_finds_nothing_has_failed(doors, run):
    def open_door(room: str):
        """Open a door."""
        return next(door for door in () if door)

    call = run(doors(open_door)).raise_for_error()
    assert call.tool_calls[0].error == "RuntimeError: it raised StopIteration"


def test_an_exception_without_readable_words_is_an_error_result(doors, run):
    class MuteError(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    async def open_door(room: str):
        """Open a door."""
        raise MuteError

    call = run(doors(open_door)).raise_for_error()
    assert call.tool_calls[0].error == "MuteError: (its __str__ raised RuntimeError)"
