"""A speaker that was opened is used when it takes blocks as time goes by, and no sooner."""

from __future__ import annotations

import random

import pytest

from piopiy_lab.transports.settling import MOST_SECS, Settling

BLOCK = 0.02


def settled_at(calls):
    """Return the time of the call with which a device has settled; calls: (seconds, flagged)."""
    settling = Settling()
    for now, flagged in calls:
        settling.block(now, BLOCK, flagged)
        if settling.done:
            return now
    return None


def paced(since, blocks=20):
    return [(since + n * BLOCK, False) for n in range(blocks)]


def test_a_device_that_is_quiet_at_once_has_after_three_blocks():
    assert settled_at(paced(5.0)) == pytest.approx(5.0 + 3 * BLOCK)


@pytest.mark.parametrize("secs", [0.01, 0.1, 0.35])
def test_one_that_runs_dry_again_and_again_has_when_that_is_over(secs):
    """As PulseAudio did on a virtual card: a block each half millisecond, nearly all flagged."""
    dice = random.Random(2)
    storm = [(0.0005 * n, dice.random() < 0.98) for n in range(round(secs / 0.0005))]
    at = settled_at(storm + paced(secs))
    assert secs + BLOCK <= at <= secs + 3 * BLOCK


def test_a_busy_computer_in_a_storm_is_no_pace():
    storm = [(0.0005 * n + 0.1 * (n > 50) + 0.1 * (n > 90), n > 0) for n in range(200)]
    assert settled_at(storm) is None
    assert settled_at(storm + paced(0.3)) == pytest.approx(0.3, abs=3 * BLOCK)


@pytest.mark.parametrize("at_once", [2, 4, 8])
def test_a_device_that_takes_several_blocks_at_once_has_soon(at_once):
    calls = [(n // at_once * at_once * BLOCK, False) for n in range(40)]
    assert settled_at(calls) <= max(4, at_once) * BLOCK


def test_one_that_never_does_is_used_as_it_is():
    calls = [(n * BLOCK, True) for n in range(200)]
    assert settled_at(calls) == pytest.approx(MOST_SECS, abs=BLOCK)
