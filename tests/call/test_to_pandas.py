"""Tables for pandas."""

from __future__ import annotations

import asyncio
import sys

import numpy as np
import pytest
from hand_made_call import Sound

from piopiy_lab import Caller, events, simulate, vad_sweep
from piopiy_lab.call.call import Call
from piopiy_lab.errors import MissingExtraError
from piopiy_lab.events.log import EventLog


@pytest.fixture(scope="module")
def call():
    from piopiy_lab.cli.demo_session import create_session

    caller = (
        Caller().hears_greeting().says("a table for two tomorrow at eight").hears("what name")
        .says("my name is oliver").hears("is that right").says("yes that is right").hears_reply()
    )  # fmt: skip
    return asyncio.run(simulate(create_session, caller)).raise_for_error()


def test_each_is_a_table_with_the_fields_as_columns(call):
    said = call.transcript.to_pandas()
    assert list(said["role"]) == [entry.role for entry in call.transcript]
    assert said["start"].is_monotonic_increasing
    turns = call.turns.to_pandas()
    assert turns["total"].median() == pytest.approx(call.turns.median())
    assert (turns[["vad", "turn", "transcript", "llm", "tts", "output"]].sum(axis=1)).tolist() == (
        pytest.approx(turns["total"].tolist())
    )
    tools = call.tool_calls.to_pandas()
    assert tools.loc[0, "name"] == "book_table"
    assert tools.loc[0, "arguments"]["party_size"] == 2


def test_events_have_the_columns_of_their_kinds(call):
    spoken = call.events.to_pandas(events.WordSpoken)
    assert " ".join(spoken["text"]).startswith("Hello")
    assert list(spoken.columns)[:2] == ["at", "type"]
    assert len(call.events.to_pandas()) == len(call.events)


def test_a_sweep_is_a_table_of_settings_and_scores(call):
    table = vad_sweep(call, stop_secs=(0.2, 0.5), confidence=0.7, start_secs=0.2, min_volume=0.6)
    frame = table.to_pandas()
    assert list(frame["stop_secs"]) == [0.2, 0.5]
    assert (frame["utterances"] == 3).all()


def kinds(frame):
    return {name: str(kind) for name, kind in frame.dtypes.items()}


TABLES = {
    "transcript": lambda call: call.transcript.to_pandas(),
    "turns": lambda call: call.turns.to_pandas(),
    "tool_calls": lambda call: call.tool_calls.to_pandas(),
    "events": lambda call: call.events.to_pandas(events.MetricsReported, events.ToolReturned),
}


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_table_has_the_same_columns_of_the_same_kinds(name, call):
    nothing = Call(EventLog(), Sound(np.zeros((0, 2), np.int16)))
    full, empty = TABLES[name](call), TABLES[name](nothing)
    assert len(full) > 0
    assert empty.empty
    assert kinds(empty) == kinds(full)


def test_numbers_are_numbers_and_only_what_has_no_kind_is_an_object(call):
    pandas_kinds = {name: kinds(table(call)) for name, table in TABLES.items()}
    assert pandas_kinds["transcript"] == {
        "role": "string", "text": "string", "start": "float64", "end": "float64",
        "interrupted": "bool", "source": "string",
    }  # fmt: skip
    assert set(pandas_kinds["turns"].values()) == {"float64", "string"}
    found = {name for name, kind in pandas_kinds["tool_calls"].items() if kind == "object"}
    assert found == {"arguments", "result"}
    assert pandas_kinds["tool_calls"]["number"] == "int64"
    assert pandas_kinds["events"] == {
        "at": "float64", "type": "string", "service": "string", "name": "string",
        "value": "float64", "unit": "string", "number": "Int64", "result": "object",
        "error": "string",
    }  # fmt: skip


def test_every_kind_of_event_has_a_table(call):
    every = call.events.to_pandas()
    assert kinds(every)["complete"] == "boolean"
    assert kinds(every)["sample_rate"] == "Int64"
    every_kind = [getattr(events, name) for name in events.__all__]
    for kind in filter(
        lambda one: isinstance(one, type) and issubclass(one, events.Event), every_kind
    ):
        table = call.events.to_pandas(kind)
        assert kinds(table)["at"] == "float64"
        assert len(table) == len(call.events.of(kind))


def test_a_value_of_another_kind_is_shown_as_it_is():
    log = EventLog()
    log.append(events.ToolReturned(at=1.0, name="x", number="two", result=None))
    assert log.to_pandas()["number"].tolist() == ["two"]


def test_without_pandas_the_extra_is_named(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for table in TABLES.values():
        with pytest.raises(MissingExtraError, match=r"pip install.*piopiy-lab\[pandas\]"):
            table(call)
