"""Packets that get lost: as many, and in as long bursts, as was asked for."""

from __future__ import annotations

import math

import pytest

from piopiy_lab.line.losses import Losses

PACKETS = 200_000  # more than an hour


def bursts_of(arrived):
    """Return the lengths of the runs of lost packets."""
    lengths, lost = [], 0
    for one in [*arrived, True]:
        if one and lost:
            lengths.append(lost)
        lost = 0 if one else lost + 1
    return lengths


def run(loss, burst, jitter=0.0, keeps=0.0, seed="1 caller"):
    losses = Losses(seed, loss, burst, jitter, keeps)
    return [losses.arrives() for _ in range(PACKETS)], losses


@pytest.mark.parametrize(("loss", "burst"), [(0.005, 1.5), (0.02, 3.0), (0.1, 5.0), (0.3, 2.0)])
def test_a_long_call_loses_what_was_asked_for_in_bursts_as_long(loss, burst):
    arrived, losses = run(loss, burst)
    lengths = bursts_of(arrived)
    rate = 1 - sum(arrived) / PACKETS
    # a burst's length is geometric with variance B (B - 1); its number is about Poisson
    spread = math.sqrt(burst * (burst - 1) / len(lengths))
    assert sum(lengths) / len(lengths) == pytest.approx(burst, abs=4 * spread)
    assert rate == pytest.approx(loss, abs=4 * loss * math.sqrt(2 * burst / (loss * PACKETS)))
    assert losses.lost == PACKETS - sum(arrived)


def test_bursts_are_geometric():
    lengths = bursts_of(run(0.1, 4.0)[0])
    for longest in (1, 2, 3, 5):
        part = sum(one > longest for one in lengths) / len(lengths)
        assert part == pytest.approx(0.75**longest, abs=0.03)


def test_without_a_burst_each_packet_is_lost_by_itself():
    arrived, _ = run(0.2, None)
    pairs = sum(not a and not b for a, b in zip(arrived, arrived[1:], strict=False))
    assert pairs / PACKETS == pytest.approx(0.04, abs=0.003)
    assert 1 - sum(arrived) / PACKETS == pytest.approx(0.2, abs=0.005)


def test_what_is_late_for_the_jitter_buffer_is_lost():
    arrived, losses = run(0.0, None, jitter=0.01, keeps=0.03)
    assert losses.lost == 0
    assert losses.late == PACKETS - sum(arrived)
    assert losses.late / PACKETS == pytest.approx(math.exp(-3), abs=0.003)


def test_another_seed_loses_others_and_the_same_one_the_same():
    assert run(0.05, 2.0)[0] == run(0.05, 2.0)[0]
    assert run(0.05, 2.0)[0] != run(0.05, 2.0, seed="1 agent")[0]
    assert run(0.05, 2.0)[0] != run(0.05, 2.0, seed="2 caller")[0]
