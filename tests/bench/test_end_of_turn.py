"""eot-bench's rule on silences made by hand."""

from __future__ import annotations

import pytest

from piopiy_lab.bench.end_of_turn import (
    Policy,
    Silence,
    as_it_was,
    cuts_at,
    latency_at,
    policies,
    score,
    wait_alone,
    waits,
)

SURE, UNSURE = ((0.2, 0.9),), ((0.2, 0.3),)


def hold(secs, scores=UNSURE, **more):
    return Silence("hold", secs, scores, **more)


def end(scores=SURE, **more):
    return Silence("end", 3.0, scores, **more)


def test_a_policy_fires_at_the_first_score_above_its_threshold_but_not_before_its_delay():
    looks = ((0.1, 0.2), (0.2, 0.5), (0.3, 0.6))
    assert Policy(0.4, 0.2, 2.0).fires(end(looks)) == 0.2
    assert Policy(0.5, 0.2, 2.0).fires(end(looks)) == 0.3, "a score must be above it"
    assert Policy(0.4, 0.8, 2.0).fires(end(looks)) == 0.8
    assert Policy(0.9, 0.2, 2.0).fires(end(looks)) == 2.0, "the timeout at the latest"


def test_a_hold_is_cut_if_it_is_longer_than_the_wait_and_latency_is_that_of_ends():
    point = score([hold(0.5, SURE), hold(0.5), hold(2.5), end(), end(UNSURE)], Policy(0.5, 0.2, 2))
    assert (point.cut.count, point.cut.n, point.n_ends) == (2, 3, 2)
    assert point.latency == pytest.approx((0.2 + 2.0) / 2)


def test_a_hold_that_is_as_long_as_the_wait_is_not_cut():
    assert score([hold(0.2, SURE), end()], Policy(0.5, 0.2, 2.0)).cut.count == 0


def test_short_and_very_long_holds_are_not_scored_and_ends_always_are():
    assert wait_alone([hold(0.19), hold(5.1), Silence("end", 0.1)], 0.05).cut.n == 0
    assert wait_alone([hold(0.19), Silence("end", 0.1)], 0.05).n_ends == 1


def test_what_an_agent_did_counts_ends_that_it_never_took_as_long_as_they_were():
    point = as_it_was([hold(0.8, fired=0.3), hold(0.8), end(fired=0.2), end()])
    assert (point.cut.count, point.cut.n) == (1, 2)
    assert point.latency == pytest.approx((0.2 + 3.0) / 2)


def test_the_front_has_the_fewest_cuts_at_each_latency():
    silences = [hold(0.5), hold(0.9), hold(1.4, SURE), *[end()] * 3, end(UNSURE)]
    front = policies(silences)
    assert [one.latency for one in front] == sorted(one.latency for one in front)
    assert all(float(a.cut) > float(b.cut) for a, b in zip(front, front[1:], strict=False))
    best = cuts_at(front, 0.5)
    assert (best.count, best.n) == (1, 3), "a sure hold is cut; unsure ones wait for the timeout"
    assert latency_at(front, 0.34) == pytest.approx((3 * 0.2 + 1.0) / 4)
    assert latency_at(front, 0.0) is not None
    assert cuts_at(front, 0.01) is None


def test_waiting_alone_is_the_share_of_longer_holds():
    front = waits([hold(0.5), hold(1.0), end()])
    assert latency_at(front, 0.5) == pytest.approx(0.5)
    assert latency_at(front, 0.0) == pytest.approx(1.0)
    assert float(cuts_at(front, 0.3)) == 1.0
