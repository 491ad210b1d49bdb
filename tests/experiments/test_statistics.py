"""Formulas against the tables in the literature, and against a second way to the same number."""

from __future__ import annotations

import itertools
import math

import pytest

from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.figures.needed import calls_for, runs_needed
from piopiy_lab.experiments.figures.statistics import (
    holm,
    least_discordant,
    mcnemar,
    pass_at,
    pass_hat,
    share_of,
    student_t,
    upper_bound,
    wilson,
)


@pytest.mark.parametrize(
    ("passed", "n", "low", "high"),
    [
        (3, 3, 0.44, 1),
        (5, 5, 0.57, 1),
        (10, 10, 0.72, 1),
        (20, 20, 0.84, 1),
        (50, 50, 0.93, 1),
        (100, 100, 0.96, 1),
        (19, 20, 0.76, 0.99),
        (18, 20, 0.70, 0.97),
        (10, 60, 0.09, 0.28),
        (0, 30, 0, 0.11),
    ],
)
def test_wilson_s_table(passed, n, low, high):
    assert wilson(passed, n) == pytest.approx((low, high), abs=0.006)


def test_wilson_s_ends_are_where_the_score_test_just_fails():
    """Its definition: the p for which the count lies 1.96 standard errors away."""
    for passed, n in ((7, 20), (19, 20), (1, 9)):
        for p in wilson(passed, n):
            apart = abs(passed / n - p) / math.sqrt(p * (1 - p) / n)
            assert apart == pytest.approx(1.959964, abs=1e-6)


def test_a_share_reads_as_one_says_it():
    assert str(share_of(18, 20)) == "18 of 20, 0.90 (0.70 to 0.97)"
    assert float(share_of(18, 20)) == 0.9
    assert wilson(0, 0) == (0, 1)
    with pytest.raises(ArgumentError, match="0 to n"):
        wilson(3, 2)


@pytest.mark.parametrize(
    ("worse", "better", "p"), [(6, 0, 0.031), (8, 1, 0.039), (10, 2, 0.039), (5, 0, 0.0625)]
)
def test_mcnemar_s_least_significant_counts(worse, better, p):
    assert mcnemar(worse, better) == pytest.approx(p, abs=0.0006)
    assert mcnemar(better, worse) == mcnemar(worse, better)
    if p < 0.05:
        assert least_discordant(better) == worse


def test_mcnemar_by_counting_every_way_it_could_have_come():
    for n in range(1, 9):
        for worse in range(n + 1):
            far = abs(worse - n / 2)
            ways = [sum(way) for way in itertools.product((0, 1), repeat=n)]
            as_far = sum(abs(way - n / 2) >= far for way in ways) / len(ways)
            assert mcnemar(worse, n - worse) == pytest.approx(as_far)
    assert mcnemar(0, 0) == 1


def test_pass_at_k_and_pass_hat_k_by_drawing_every_hand():
    for n, passed, k in ((5, 4, 3), (10, 3, 2), (6, 6, 4), (7, 0, 2)):
        hands = list(itertools.combinations([1] * passed + [0] * (n - passed), k))
        assert pass_at(n, passed, k) == pytest.approx(sum(map(any, hands)) / len(hands))
        assert pass_hat(n, passed, k) == pytest.approx(sum(map(all, hands)) / len(hands))
    assert (pass_at(5, 4, 3), pass_hat(5, 4, 3)) == (1.0, pytest.approx(0.4))
    with pytest.raises(ArgumentError, match=r"k=6: a caller has 5 runs"):
        pass_at(5, 4, 6)


def test_holm_steps_down():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.5, 0.9]) == pytest.approx((1.0, 1.0))
    assert holm([]) == ()


def test_the_longest_of_59_bounds_the_95th_percentile():
    assert upper_bound(range(59)) == 58
    assert upper_bound(range(58)) is None
    assert upper_bound(range(93)) == 91, "the second longest of 93"
    assert 9500 < upper_bound(range(10_000)) < 9550


@pytest.mark.parametrize(
    ("asked", "n"),
    [
        ({"pass_rate": 0.90}, 35),
        ({"pass_rate": 0.95}, 73),
        ({"pass_rate": 0.99}, 381),
        ({"rates": (0.95, 0.85)}, 141),
        ({"rates": (0.95, 0.80)}, 76),
        ({"rates": (0.99, 0.90)}, 100),
        ({"rates": (0.90, 0.80)}, 199),
        ({"worse": 0.1}, 78),
        ({"worse": 0.2}, 39),
        ({"worse": 0.2, "better": 0.05}, 92),
        ({"difference": 0.05, "sd": 0.05}, 8),
        ({"difference": 0.05, "sd": 0.1}, 32),
        ({"difference": 0.05, "sd": 0.2}, 126),
        ({"fault": 0.5}, 5),
        ({"fault": 0.2}, 14),
        ({"fault": 0.1}, 29),
        ({"fault": 0.05}, 59),
        ({"fault": 0.01}, 299),
    ],
)
def test_how_many_runs_are_needed(asked, n):
    assert runs_needed(**asked) == n


def test_a_run_that_may_fail_costs_more_of_them():
    n = runs_needed(pass_rate=0.95, failures=1)
    assert wilson(n - 1, n)[0] >= 0.95 > wilson(n - 2, n - 1)[0]
    assert n > 73


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "give one of"),
        ({"pass_rate": 0.9, "fault": 0.1}, "give one of"),
        ({"difference": 0}, "give a difference"),
        ({"worse": 0.1, "better": 0.1}, "more that break"),
        ({"rates": (0.9, 0.9)}, "two that differ"),
        ({"pass_rate": 1.2}, "out of range"),
    ],
)
def test_what_cannot_be_asked(asked, said):
    with pytest.raises(ArgumentError, match=said):
        runs_needed(**asked)
    with pytest.raises(ArgumentError, match="give a difference"):
        calls_for(0, 1)


@pytest.mark.parametrize(
    ("free", "t"), [(3, 3.18245), (4, 2.77645), (5, 2.57058), (9, 2.26216), (29, 2.04523)]
)
def test_student_s_t_is_that_of_the_tables(free, t):
    assert student_t(free) == pytest.approx(t, rel=0.0013)
    assert student_t(100_000) == pytest.approx(1.95999, abs=1e-4)
