"""What so few calls can't decide is told before the first of them, with the number it takes."""

from __future__ import annotations

import asyncio
import warnings

import pytest
from quick_agents import SURE, quick

from piopiy_lab import compare_agents, runs_needed, simulate_many, sweep_agents
from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.figures.beforehand import too_few_for_difference, too_few_for_rate


def test_a_rate_that_so_many_runs_cannot_show_is_told_with_the_number():
    assert too_few_for_rate(0.95, 73) is None
    assert too_few_for_rate(0.95, 72) == (
        "72 runs can't show min_pass_rate=0.95, even if all pass: that takes 73 runs, "
        "runs_needed(pass_rate=0.95)"
    )
    assert runs_needed(pass_rate=0.95) == 73


def test_a_difference_before_any_run_is_a_guess_that_says_so():
    told = too_few_for_difference(0.05, callers=10, repeat=20)
    assert told.startswith("10 callers can't be counted on to show min_difference=0.05")
    assert "takes about 32" in told
    assert "It is a guess" in told
    assert "31 to 191 ms were measured, which take 6 to 115" in told
    assert runs_needed(difference=0.05) == runs_needed(difference=0.05, sd=0.1) == 32
    assert too_few_for_difference(0.05, callers=32, repeat=1) is None
    assert "1 caller" not in too_few_for_difference(0.05, callers=1, repeat=20)
    assert too_few_for_difference(0.05, callers=1, repeat=32) is None, "of one caller its calls"
    assert too_few_for_difference(0.2, callers=1, repeat=6) is None


def quietly(awaitable):
    async def cell():
        return await awaitable

    return asyncio.run(cell())


def test_simulate_many_tells_before_the_first_call_and_after_the_last():
    order = []

    async def cell(repeat):
        with warnings.catch_warnings():
            warnings.showwarning = lambda said, *rest: order.append(str(said))
            warnings.simplefilter("always", UserWarning)
            return await simulate_many(
                quick(), SURE, repeat=repeat, executor=0, min_pass_rate=0.6,
                on_call=lambda row: order.append(row.run),
            )  # fmt: skip

    few = asyncio.run(cell(3))
    assert [said if isinstance(said, int) else said[:31] for said in order] == [
        "simulate_many: 3 runs can't sho", 1, 2, 3,
    ]  # fmt: skip
    assert few.notices == ("min_pass_rate=0.6 isn't shown: 3 of 3, 1.00 (0.44 to 1.00)",)
    order.clear()
    enough = asyncio.run(cell(6))
    assert order == [1, 2, 3, 4, 5, 6]
    assert enough.notices == ()
    with pytest.raises(ArgumentError, match="min_pass_rate"):
        quietly(simulate_many(quick(), SURE, min_pass_rate=95))


def test_a_rate_that_is_contradicted_says_so():
    never = SURE.__class__().hears_greeting().hears("pizza", within=0.5)
    calls = quietly(simulate_many(quick(), never, repeat=6, executor=0, min_pass_rate=0.6))
    assert calls.notices == ("min_pass_rate=0.6 is contradicted: 0 of 6, 0.00 (0.00 to 0.39)",)


def test_compare_agents_and_sweeps_tell_once():
    async def compare(**told):
        return await compare_agents(quick(), quick(), {"s": SURE}, executor=0, **told)

    with pytest.warns(UserWarning, match=r"compare_agents: 6 calls .*takes about 32") as told:
        asyncio.run(compare(repeat=6, min_difference=0.05))
    assert len([one for one in told if one.category is UserWarning]) == 1
    assert told[0].filename == __file__
    with pytest.warns(UserWarning, match="with 2 pairs") as told:
        asyncio.run(compare(repeat=2, min_difference=0.05))
    assert len([one for one in told if one.category is UserWarning]) == 1

    async def sweep(**told):
        return await sweep_agents(
            lambda wait: quick(wait=wait), {"wait": [1.0, 2.0]}, {"s": SURE}, executor=0, **told
        )

    with pytest.warns(UserWarning, match="sweep_agents: 6 calls .*takes about 32"):
        swept = asyncio.run(sweep(repeat=6, min_difference=0.05))
    assert swept[1].comparison.min_difference == 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        asyncio.run(sweep(repeat=2))
