"""Saved runs of one caller are that one caller, however many there are."""

from __future__ import annotations

import asyncio
import pickle
from dataclasses import replace

import numpy as np
import pytest
from live_calls import desk
from made_rows import made_calls
from quick_agents import quick

from piopiy_lab import Call, Caller, Calls, Comparison, simulate, simulate_many
from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.figures.row_json import row_from_json, row_to_json
from piopiy_lab.experiments.kept import Kept

SHORT, OTHER = Caller().hears_greeting(), Caller().hears_greeting().waits(0.5)


def many(session, callers, **told):
    return asyncio.run(simulate_many(session, callers, **{"executor": 0, **told}))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Three runs of one caller and one of another, in a folder."""
    three = many(desk, {"anna": SHORT}, repeat=3)
    folder = tmp_path_factory.mktemp("units")
    for run in (1, 2, 3):
        three["anna", run].save(folder / "one by one" / f"monday-{run}")
    asyncio.run(simulate(desk, OTHER)).save(folder / "one by one" / "tuesday")
    three.save(folder / "together")
    return folder


def test_runs_that_were_saved_together_are_one_caller(saved):
    calls = many(desk, saved / "together")
    assert [row.caller for row in calls] == ["anna-1", "anna-2", "anna-3"]
    assert {row.whose for row in calls} == {"anna"}
    assert calls.pass_rate.callers == 1
    assert calls.pass_hat(3).callers == 1, "one caller's three runs"
    loaded = many(desk, Calls.load(saved / "together"))
    assert [(row.caller, row.whose) for row in loaded] == [
        ("anna-1", "anna"), ("anna-2", "anna"), ("anna-3", "anna"),
    ]  # fmt: skip


def test_a_saved_batch_has_its_callers_names(tmp_path):
    """A caller who called once is called as in the batch: no number of a row, none of a run."""
    once = many(desk, {"anna": SHORT, "bo": OTHER})
    once.save(tmp_path / "once")
    for callers in (tmp_path / "once", once, Calls.load(tmp_path / "once")):
        assert [row.caller for row in many(desk, callers)] == ["anna", "bo"]
    odd = many(desk, {"a": SHORT, "a-1": OTHER}, repeat=2).where(lambda row: row.call_id != "a-1-2")
    assert [row.caller for row in many(desk, odd)] == ["a-1", "a-2", "a-1-1"], "all by their ids"


def test_runs_that_were_saved_one_by_one_are_known_by_their_screenplay(saved):
    calls = many(desk, saved / "one by one")
    assert [(row.caller, row.unit) for row in calls] == [
        ("monday-1", "monday-1"), ("monday-2", "monday-1"), ("monday-3", "monday-1"),
        ("tuesday", ""),
    ]  # fmt: skip
    listed = many(desk, {name: Call.load(saved / "one by one" / name) for name in ("monday-3",)})
    assert listed[0].whose == "monday-3"


def test_the_unit_outlives_pickles_folders_and_baselines(saved, tmp_path):
    calls = many(desk, saved / "together")
    assert [pickle.loads(pickle.dumps(row)).unit for row in calls] == ["anna"] * 3
    assert Calls.load(calls.save(tmp_path / "again")).rows == calls.rows
    assert {run["unit"] for of in calls.baseline()["callers"].values() for run in of["runs"]} == {
        "anna"
    }
    again = many(desk, Calls.load(tmp_path / "again"))
    assert {row.whose for row in again} == {"anna"}, "and of those that called again"
    row = calls[0]
    assert row_from_json(row_to_json(row)) == row
    assert "unit" not in row_to_json(many(desk, SHORT)[0]), "a caller of their own needs none"


def test_workers_tell_it_too(saved):
    there = many(desk, saved / "together", executor=1)
    assert there.rows == many(desk, saved / "together").rows


def as_one(calls):
    """The same calls as recordings of one caller."""
    return Calls([replace(row, unit="anna") for row in calls], Kept())


def noisy(seed, plus=0.0):
    rng = np.random.default_rng(seed)
    values = {caller: rng.lognormal(-1, 0.4, 3) for caller in "abcdefgh"}
    return lambda caller, run: tuple(values[caller] + plus)


def test_eight_recordings_of_one_caller_do_not_stand_for_others():
    eight = dict.fromkeys("abcdefgh", "p")
    calls = as_one(made_calls(eight, noisy(1)))
    assert made_calls(eight, noisy(1)).pass_rate.callers == 8
    assert (calls.pass_rate.callers, calls.pass_rate.among_callers) == (1, None)
    slower = made_calls(eight, noisy(1, 0.1), course="x")
    both = Comparison(calls, as_one(slower))
    assert "8 pairs: anna, 8 recordings; too few callers to stand for others" in str(both)
    many_callers = Comparison(made_calls(eight, noisy(1)), slower)
    assert "intervals are of callers like these" in str(many_callers)


def test_two_callers_with_many_runs_each_are_two_units():
    rows = made_calls(dict.fromkeys("abcdefghijkl", "p"), lambda c, r: (0.3,)).rows
    calls = Calls([replace(row, unit="anna" if row.index < 6 else "bo") for row in rows], Kept())
    assert calls.pass_rate.callers == 2
    assert calls.latency()[0].why is None
    few = Calls([replace(row, unit=f"u{row.index // 3}") for row in rows], Kept())
    assert few.pass_at(3).callers == 4
    assert few.pass_at(3).low is None, "four callers can't stand for others"


def test_calls_that_kept_nothing_cannot_call_again():
    with pytest.raises(ArgumentError, match="none of these calls was kept"):
        many(quick(), many(desk, SHORT, keep="failed"))
