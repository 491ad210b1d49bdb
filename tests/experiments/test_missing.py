"""Answers that never came: they are counted, and nobody is called quicker for lacking them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from made_rows import made_calls
from quick_agents import quick

from piopiy_lab import Caller, Calls, simulate_many
from piopiy_lab.experiments.comparison import Comparison
from piopiy_lab.experiments.kept import Kept

ASKS = Caller().hears_greeting().says("tomorrow")


def one(caller, **told):
    return asyncio.run(simulate_many(quick(), caller, executor=0, **told))[0]


@pytest.mark.parametrize(
    ("caller", "llm", "missing", "answers"),
    [
        (ASKS.hears_reply().hangs_up(), 0.0, 0, 1),
        (ASKS.waits(2).hangs_up(), 4.0, 1, 0),  # hung up before it came
        (ASKS.hangs_up(), 4.0, 0, 0),  # waits for none
        (ASKS.hears_reply().says("tomorrow").hangs_up(), 0.0, 0, 1),  # a goodbye
        (ASKS.hears("thank", within=2), 4.0, 1, 0),  # what was waited for never came
        (ASKS.waits(1.5).says("tomorrow").hears_reply(), 1.5, 0, 2),  # into which the caller spoke
        (ASKS.waits(1.5).says("tomorrow").hears_reply(), 4.0, 1, 1),  # the caller went on
    ],
)
def test_an_answer_is_missing_where_the_caller_left_it_time(caller, llm, missing, answers):
    row = one(caller, latency={"llm": llm})
    assert (row.missing, row.turns) == (missing, answers)


def test_a_call_that_ended_with_an_error_lacks_its_answer():
    async def breaks(call_id):
        raise ValueError("no table")

    (row,) = asyncio.run(simulate_many(breaks, ASKS, executor=0))
    assert (row.kind, row.lacking) == ("raised", 1)


SIX = dict.fromkeys("abcdef", "pp")


def timed(plus=0.0):
    rng = np.random.default_rng(1)
    values = {caller: rng.lognormal(-1, 0.2, 2) for caller in SIX}
    return lambda caller, run: tuple(values[caller] + plus)


def lacking(calls, missing, which="abcdef"):
    return Calls(
        [
            replace(row, course="other", missing=missing if row.caller in which else 0)
            for row in calls
        ],
        Kept(),
    )


def test_whoever_lacks_more_answers_is_not_called_quicker():
    before, quicker = made_calls(SIX, timed()), made_calls(SIX, timed(-0.1))
    honest = Comparison(before, lacking(quicker, 0))
    assert honest["mean"].verdict == honest.verdict == "better"
    flattered = Comparison(before, lacking(quicker, 1, "a"))
    assert flattered["mean"].missing == (0, 2)
    assert flattered["mean"].high < 0
    assert flattered["mean"].verdict == flattered["p50"].verdict == "can't tell"
    assert flattered.verdict == "can't tell"
    told = str(flattered)
    assert "Answers that never came, and are in no latency: 0 before, 2 after." in told
    assert "The second agent lacks more, its slowest perhaps" in told


def test_whoever_lacks_fewer_is_not_called_slower():
    before, slower = lacking(made_calls(SIX, timed()), 1), made_calls(SIX, timed(0.1))
    both = Comparison(before, slower)
    assert both["mean"].verdict == "can't tell"
    assert "The first agent lacks more" in str(both)
    assert Comparison(lacking(slower, 1), before)["mean"].verdict == "better", "both lack as many"


def test_the_count_stands_beside_the_figures(tmp_path):
    calls = lacking(made_calls(SIX, timed()), 1, "ab")
    mean = calls.latency()[0]
    assert mean.missing == 4
    assert "4 answers never came" in repr(calls.latency())
    assert calls.to_pandas()["missing"].sum() == 4
    assert Calls.load(calls.save(tmp_path / "saved")).rows == calls.rows
    kept = calls.baseline()
    assert [run.get("missing") for run in kept["callers"]["a"]["runs"]] == [1, 1]
    check = lacking(made_calls(SIX, timed(-0.1)), 2).check_baseline(kept)
    assert {one.name: one.outcome for one in check}["mean"] == "can't tell"
