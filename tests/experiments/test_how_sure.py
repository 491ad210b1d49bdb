"""How sure a pass is: Calls.pass_rate, pass_at, pass_hat, failing_steps, latency."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_rows import made_calls

from piopiy_lab import Calls
from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.figures.row_texts import failing_steps
from piopiy_lab.experiments.kept import Kept


def test_a_pass_rate_reads_as_one_says_it():
    rate = made_calls({"anna": "p" * 18 + "ff"}).pass_rate
    assert str(rate) == "18 of 20, 0.90 (0.70 to 0.97)"
    assert float(rate) == rate.rate == 0.9
    assert (rate.passed, rate.n, rate.callers) == (18, 20, 1)
    assert rate.low == pytest.approx(0.699, abs=0.001)
    assert rate.among_callers is None, "one caller stands for no other"


def test_what_raised_is_no_pass():
    assert made_calls({"anna": "pr"}).pass_rate.passed == 1


def test_callers_who_differ_say_less_of_other_callers():
    rate = made_calls(dict.fromkeys("abcde", "p" * 20) | {"f": "f" * 20}).pass_rate
    low, high = rate.among_callers
    assert low < rate.low
    assert high >= rate.high
    assert str(rate).endswith(f"; of callers like these {low:.2f} to {high:.2f}")


def test_that_all_runs_of_six_callers_passed_is_no_more_than_six_passes():
    calls = made_calls(dict.fromkeys("abcdef", "p" * 20))
    assert calls.pass_rate.low == pytest.approx(0.97, abs=0.005)
    assert calls.pass_rate.among_callers == pytest.approx((0.61, 1.0), abs=0.005)
    chance = calls.pass_hat(3)
    assert (chance.low, chance.high) == pytest.approx((0.61, 1.0), abs=0.005)
    assert "of callers like these 0.61 to 1.00" in str(calls)


def test_pass_at_and_pass_hat_are_means_over_callers():
    calls = made_calls({"anna": "ppppf", "ben": "ppppp"})
    hat = calls.pass_hat(3)
    assert float(hat) == pytest.approx((0.4 + 1) / 2)
    assert float(calls.pass_at(3)) == 1
    assert "C(c,k)/C(n,k)" in str(hat)
    assert "mean of 2 callers" in str(hat)
    with pytest.raises(ArgumentError, match="repeat more"):
        calls.pass_hat(6)


def test_six_callers_give_pass_hat_an_interval():
    hat = made_calls(dict.fromkeys("abc", "ppf") | dict.fromkeys("def", "ppp")).pass_hat(2)
    assert hat.low < hat.value < hat.high


def test_the_step_that_fails_most_is_first():
    calls = made_calls({"anna": "pppf", "ben": "ppff", "cid": "pppr", "dora": "pppp"})
    steps = calls.failing_steps()
    assert [(one.step, one.share.count, one.share.n) for one in steps] == [
        ("hears('friday')", 3, 8),
        ("ValueError: no table", 1, 4),
    ]
    assert steps[0].callers == ("anna", "ben")
    assert steps[0].worst == ("anna", 4)
    assert "calls['anna', 4]" in repr(steps)
    assert repr(made_calls({"a": "p"}).failing_steps()) == "no step failed"
    assert "<table" in steps._repr_html_()


def test_latency_has_intervals_where_there_can_be_one():
    rng = np.random.default_rng(1)
    names = [f"caller-{n}" for n in range(40)]
    seconds = {(c, r): rng.lognormal(-1, 0.5, 3) for c in names for r in (1, 2)}
    mean, p50, p95, late = made_calls(
        dict.fromkeys(names, "pp"), lambda c, r: seconds[c, r]
    ).latency()
    every = np.concatenate(list(seconds.values()))
    assert mean.value == pytest.approx(np.mean(every))
    assert p50.value == pytest.approx(np.median(every))
    assert p95.value == pytest.approx(np.percentile(every, 95))
    assert late.value == pytest.approx((every > 1).mean())
    for one in (mean, p50, p95, late):
        assert one.low <= one.value <= one.high
        assert one.why is None
    assert p95.at_most is None, "answers of one caller are alike"


def test_the_longest_of_the_answers_of_59_callers_is_what_p95_is_not_above():
    names = [f"caller-{n}" for n in range(59)]
    _, _, p95, _ = made_calls(dict.fromkeys(names, "p"), lambda c, r: (int(c[7:]) / 100,)).latency()
    assert p95.at_most == 0.58


def test_no_interval_of_p95_below_forty_answers():
    mean, _, p95, _ = made_calls(
        dict.fromkeys("abcdefghijkl", "p"), lambda c, r: (0.3, 0.4, 0.5)
    ).latency()
    assert mean.low is not None
    assert p95.value is not None
    assert (p95.low, p95.at_most) == (None, None)
    assert "36 answers: 40 at least" in p95.why
    *_, p95, _ = made_calls(dict.fromkeys("abcdef", "ppp"), lambda c, r: (0.3, 0.4, 0.5)).latency()
    assert "6 callers: 40 at least" in p95.why


def test_few_calls_give_figures_and_the_reason_why_no_more():
    (mean, *_) = few = made_calls({"anna": "ppp"}, lambda c, r: (0.3,)).latency()
    assert mean.value == pytest.approx(0.3)
    assert mean.low is None
    assert "3 calls: 6 at least" in repr(few)
    (nothing, *_) = made_calls({"anna": "r"}).latency()
    assert (nothing.value, nothing.why) == (None, "no answers")


def test_errors_of_one_line_are_one_whatever_they_say():
    place = "(desk.py, line 12, in book: raise KeyError(f'order {number}'))"
    rows = list(made_calls({"anna": "p" + "r" * 6}))
    told = [f"KeyError: 'order {row.run}' {place}" for row in rows[1:4]]
    told += [f"ValueError: {5} {place}", "KeyError: no place 1", "KeyError: no place 2"]
    rows[1:] = [replace(row, error=error) for row, error in zip(rows[1:], told, strict=True)]
    steps = Calls(rows, Kept()).failing_steps()
    assert [(one.step, one.share.count) for one in steps] == [
        ("KeyError (desk.py, line 12, in book)", 3),
        ("KeyError: no place 1", 1),
        ("KeyError: no place 2", 1),
        (f"ValueError: 5 {place}", 1),
    ]
    assert failing_steps(rows)[0] == ("KeyError (desk.py, line 12, in book)", 3)
