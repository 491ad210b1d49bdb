"""Runs of several calls, as a repeated test has them, are held against a baseline as runs."""

from __future__ import annotations

import numpy as np
import pytest

from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.baseline import baseline_of
from piopiy_lab.experiments.baseline_check import check_baseline
from piopiy_lab.experiments.figures.rows import CallRow

RUNS = range(1, 21)


def runs_of(calls, broken=(), first_only=()):
    """Rows of twenty runs of so many calls; of some runs only the first call was made."""
    rng = np.random.default_rng(1)
    rows = []
    for run in RUNS:
        kind = "failed" if run in broken else "passed"
        for place in range(1, calls + 1):
            answers = (1 + rng.normal(0, 0.001),)
            if place > 1 and run in first_only:
                continue
            course = f"{run}-{place}-{kind}"
            told = {"answers": answers, "sha": course, "course": course}
            rows.append(CallRow(len(rows), f"call-{place}", run, run, kind, **told))
    return rows


def checked(now, calls):
    return check_baseline(now, baseline_of(runs_of(calls)), whole_runs=True)


@pytest.mark.parametrize("calls", [1, 2, 3])
@pytest.mark.parametrize(("broken", "outcome"), [(5, "can't tell"), (6, "worse")])
def test_a_run_is_one_pass_however_many_calls_it_has(calls, broken, outcome):
    check = checked(runs_of(calls, range(1, broken + 1)), calls)
    passed = check[0]
    assert (passed.name, passed.outcome) == ("pass", outcome)
    assert passed.after == pytest.approx(1 - broken / 20)
    assert passed.why.startswith("broke: run 1; run 2; run 3")
    assert check.calls == 20 * calls


@pytest.mark.parametrize("broken", [range(1, 9), RUNS])
def test_a_call_that_a_broken_run_did_not_come_to_is_one_that_failed(broken):
    check = checked(runs_of(2, broken, first_only=broken), 2)
    assert check.paired
    assert check.failed
    assert check[0].outcome == "worse"
    assert check.calls == 40 - len(broken)
    assert all(one.outcome != "better" for one in check), "what is left is not quicker for it"


def test_a_call_that_the_test_makes_no_more_is_refused():
    with pytest.raises(ArgumentError, match="'call-2'"):
        checked(runs_of(1), 2)


def test_other_runs_are_counted_once_too():
    now = [row for row in runs_of(2, range(1, 5)) if row.run <= 10]
    check = checked(now, 2)
    assert not check.paired
    assert "6 of 10" in check[0].why
    assert "20 of 20" in check[0].why
