"""Many calls, one after the other here: rows in order, seeds, failures, what is refused."""

from __future__ import annotations

import asyncio
import pickle

import numpy as np
import pytest
from kinds_of_calls import BOOKING as CALLER
from live_calls import desk

from piopiy_lab import Call, Caller, simulate, simulate_many
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CallError

SHORT = Caller().hears_greeting()


def many(session, callers, **told):
    return asyncio.run(simulate_many(session, callers, **{"executor": 0, **told}))


def test_the_rows_come_in_the_order_asked_for_with_their_calls():
    calls = many(desk, {"a": SHORT, "b": SHORT}, repeat=2)
    assert [(row.caller, row.run) for row in calls] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert [row.index for row in calls] == [0, 1, 2, 3]
    assert all(row.passed for row in calls)
    assert calls["b", 2].call_id == "b-2"
    assert len({row.seed for row in calls}) == 4, "everybody is perturbed otherwise"


def test_a_row_s_seed_gives_its_call_again():
    calls = many(desk, {"anna": CALLER}, repeat=2)
    row = calls[1]
    call = asyncio.run(simulate(desk, CALLER, call_id="anna-2", perturb=row.seed))
    kept = calls["anna", 2]
    assert [e.to_json() for e in call.events] == [e.to_json() for e in kept.events]
    np.testing.assert_array_equal(call.recording, kept.recording)
    np.testing.assert_array_equal(call.heard.samples, kept.heard.samples)
    assert call.heard.frames == kept.heard.frames
    assert row.tools == ("book_table",)
    assert row.answers == tuple(turn.total for turn in call.turns)


def test_a_call_travels_whole():
    call = asyncio.run(simulate(desk, SHORT))
    again = pickle.loads(pickle.dumps(call))
    assert isinstance(again, Call)
    assert str(again) == str(call)
    assert again.end_reason == "caller_hung_up"
    np.testing.assert_array_equal(again.recording, call.recording)


def test_a_step_that_fails_and_a_check_that_fails_are_named():
    def too_short(call):
        assert call.duration > 60

    def fine(call):
        return True

    calls = many(desk, [SHORT.hears("nonsense", within=1), SHORT], checks=[fine, too_short])
    assert [row.kind for row in calls] == ["failed", "failed"]
    assert calls[0].failing_step == "hears('nonsense', within=1.0)"
    assert calls[1].failing_step == "too_short"
    assert "test_simulate_many.py" in calls[1].error
    assert len(calls.failed) == 2


def test_a_session_that_raises_is_a_row_with_its_line():
    async def broken(call_id):
        if call_id == "b-1":
            raise ValueError("no such table")
        await desk(call_id)

    calls = many(broken, {"a": SHORT, "b": SHORT, "c": SHORT})
    assert [row.kind for row in calls] == ["passed", "raised", "passed"]
    assert "ValueError: no such table" in calls[1].error
    assert "test_simulate_many.py" in calls[1].error


def test_copies_are_refused():
    with pytest.raises(ArgumentError, match="copies"):
        many(desk, SHORT, repeat=2, perturb=False)


@pytest.mark.parametrize(
    ("callers", "error", "said"),
    [
        ([], ArgumentError, "empty"),
        ({}, ArgumentError, "empty"),
        ([Caller()], ArgumentError, "no steps"),
        ((c for c in [SHORT]), ArgumentTypeError, "may have no end"),
        ({"a/b": SHORT}, ArgumentError, "slashes"),
        (["hello"], ArgumentTypeError, "hello"),
        (3, ArgumentTypeError, "give a list"),
    ],
)
def test_callers_that_are_none_are_refused(callers, error, said):
    with pytest.raises(error, match=said):
        many(desk, callers)


def test_two_saved_calls_of_one_name_are_refused():
    call = asyncio.run(simulate(desk, SHORT))
    with pytest.raises(ArgumentError, match="two callers are called 'sim-1'"):
        many(desk, [call, call])


def test_a_folder_of_saved_calls_calls_again(tmp_path):
    for name in ("monday", "tuesday"):
        asyncio.run(simulate(desk, SHORT)).save(tmp_path / name)
    calls = many(desk, tmp_path)
    assert [row.caller for row in calls] == ["monday", "tuesday"]
    assert all(row.passed for row in calls)


def test_what_was_not_kept_says_so():
    calls = many(desk, SHORT, keep="failed")
    with pytest.raises(CallError, match="keep='all'"):
        calls.call(calls[0])
    with pytest.raises(ArgumentError, match="counted from 1"):
        calls["caller-1", 2]
