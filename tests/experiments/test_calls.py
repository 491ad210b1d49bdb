"""``Calls``: what is picked, checked and written out of them, and how they show in a terminal."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace

import numpy as np
import pytest
from kinds_of_calls import BOOKING
from live_calls import desk

from piopiy_lab import Caller, simulate_many
from piopiy_lab.call.latency import PARTS
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CallError
from piopiy_lab.experiments.calls import Calls
from piopiy_lab.experiments.figures.frames import CALL_COLUMNS
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.kept import Kept

GREETED = Caller().hears_greeting()
CALLERS = {"anna": BOOKING, "hopeful": GREETED.hears("pizza", within=1), "shy": GREETED}


@pytest.fixture(scope="module")
def calls():
    return asyncio.run(simulate_many(desk, CALLERS, repeat=2, executor=0))


def row(index, caller="a", run=None, **told):
    return CallRow(index, caller, run or index + 1, **{"sha": str(index), **told})


def made(*rows, **told):
    return Calls(rows, Kept(), **told)


def test_a_caller_s_calls_a_call_and_a_slice(calls):
    assert [row.run for row in calls["anna"]] == [1, 2]
    assert calls["anna", 2].call_id == calls["anna", np.int64(2)].call_id == "anna-2"
    assert [row.caller for row in calls[2:4]] == ["hopeful", "hopeful"]
    assert list(calls.by_caller()) == ["anna", "hopeful", "shy"]
    assert len(calls.failed) == 2
    with pytest.raises(ArgumentError, match=r"calls\['bob'\]: the callers are anna, hopeful, shy"):
        calls["bob"]
    with pytest.raises(ArgumentTypeError, match=r"as in calls\['polite', 3\]"):
        calls["anna", 1, 2]


def test_the_worst_did_not_pass_then_they_are_the_slowest():
    calls = made(
        row(0, answers=(0.3, 0.3)),
        row(1, answers=(0.2, 0.9)),
        row(2, kind="failed"),
        row(3),
        row(4, kind="died"),
        row(5, answers=(0.5,), interruptions=3),
    )
    assert [row.index for row in calls.worst()] == [4, 2, 1, 5, 0]
    assert [row.index for row in calls.worst(3, by="p50")] == [4, 2, 1]
    assert [row.index for row in calls.worst(3, by="interruptions")] == [4, 2, 5]
    with pytest.raises(ArgumentError, match="by='speed': give one of 'p95'"):
        calls.worst(by="speed")
    with pytest.raises(ArgumentError, match="n=0"):
        calls.worst(0)


def test_checks_are_applied_afterwards(calls):
    def books_a_table(call):
        assert [tool.name for tool in call.tool_calls] == ["book_table"]

    def quiet(call):
        return np.bool_(False)

    checked = calls.checked([books_a_table])
    assert [row.kind for row in checked] == ["passed"] * 2 + ["failed"] * 4
    assert checked["hopeful"][0].failing_step.startswith("hears("), "it had failed before"
    assert checked["shy"][0].failing_step == "books_a_table"
    assert "AssertionError" in checked["shy"][0].error
    assert [row.kind for row in calls["anna"]] == ["passed", "passed"], "these stay as they are"
    assert checked["shy", 1].call_id == "shy-1"
    assert len(calls.checked({"quiet": quiet}).failed) == 6
    with pytest.raises(ArgumentTypeError, match="give a function of a Call"):
        calls.checked(["quiet"])
    with pytest.raises(CallError, match="1 of 1 calls were not kept"):
        made(row(0)).checked(quiet)


def test_pandas_has_a_row_a_call_and_a_row_a_turn(calls):
    frame = calls.to_pandas()
    assert list(frame["caller"]) == ["anna"] * 2 + ["hopeful"] * 2 + ["shy"] * 2
    assert frame["passed"].mean() == pytest.approx(4 / 6)
    assert frame["p50"][0] == calls[0].p50
    assert frame["p50"].isna()[2]
    assert frame["tools"][0] == ["book_table"]
    turns = calls.to_pandas(turns=True)
    assert len(turns) == sum(row.turns for row in calls)
    assert list(turns["number"][: calls[0].turns]) == list(range(1, calls[0].turns + 1))
    np.testing.assert_allclose(turns[list(PARTS)].sum(axis=1), turns["total"], atol=1e-3)
    call = calls["anna", 1]
    assert list(turns["words"][: calls[0].turns]) == [turn.user for turn in call.turns]
    assert turns["end"][:1].between(0, 1).all()
    assert list(made().to_pandas().columns) == list(frame.columns)
    swept = made(row(0, params={"stop_secs": 0.2}), row(1)).to_pandas()
    assert swept["stop_secs"][0] == 0.2


def test_every_figure_of_a_row_is_a_column():
    """But those that are tables themselves: answers and turns are rows of the other one."""
    tables = {"index", "answers", "turn_rows", "pauses", "usage", "params", "made_of"}
    assert {field.name for field in fields(CallRow)} - tables <= set(CALL_COLUMNS)


def test_it_prints_as_a_table_with_the_failing_and_slowest_first(calls):
    lines = str(calls).splitlines()
    assert lines[0] == "4 of 6 passed, pass rate 0.67 (0.30 to 0.90)"
    assert lines[1].startswith("  anna:     2 of 2, 1.00 (0.34 to 1.00)  p50 ")
    heads = lines.index(next(line for line in lines if "p95 ms" in line and "why" in line))
    assert lines[heads + 1].startswith("hopeful, 1  failed")
    assert "hears('pizza', within=1.0)" in lines[heads + 1]
    assert lines[heads + 3].startswith("anna, ")
    assert "book_table" in lines[heads + 3]
    assert repr(calls) == "<Calls: 4 of 6 passed>"
    assert str(made()) == "(no calls)"


def test_of_many_calls_the_rest_is_counted():
    rows = [row(n, answers=(n / 100,)) for n in range(200)]
    text = str(made(*rows, notices=["the tool book_table is real", "the tool book_table is real"]))
    lines = text.splitlines()
    assert len(lines) == 1 + 1 + 1 + 20 + 1 + 1
    assert lines[-2] == "... and 180 more; all of them passed"
    assert lines[-1] == "note: the tool book_table is real"
    failed = [replace(one, kind="hung", error="it stood still") for one in rows[:30]]
    assert "... and 180 more; 10 of them did not pass" in str(made(*failed, *rows[30:]))
    assert str(made(*failed)).startswith("0 of 30 passed, 30 hung")


def test_of_many_callers_those_who_pass_least_often_are_shown():
    kinds = {7: "failed", 60: "hung"}
    rows = [row(n, f"caller {n}", kind=kinds.get(n, "passed")) for n in range(100)]
    text = str(made(*rows))
    assert "  caller 7:   0 of 1" in text
    assert "  caller 60:  0 of 1" in text
    assert "  ... and 90 more callers, who passed as often or more" in text
    assert len(text.splitlines()) == 1 + 10 + 1 + 1 + 1 + 20 + 1


def test_what_callers_and_errors_say_stays_on_its_line():
    hostile = "a\n\x1b[31mred\u202e"
    text = str(made(row(0, hostile, kind="raised", error=hostile)))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text.splitlines()) == 4
