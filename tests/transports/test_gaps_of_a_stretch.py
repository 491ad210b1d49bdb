"""What a live device's schedule calls a gap: silence inside what was to be one stretch of sound."""

from __future__ import annotations

import numpy as np
import pytest

from piopiy_lab.transports.live_playout import LivePlayout

PIECE = np.full(100, 1000, np.int16)  # 0.1 s


@pytest.fixture
def playout():
    return LivePlayout(1000, latency_secs=0.05)


def test_the_first_piece_comes_after_no_gap(playout):
    playout.write(3.0, PIECE)
    assert playout.gap_secs == 0.0


def test_a_piece_that_is_in_time_leaves_none(playout):
    playout.write(3.0, PIECE)
    playout.write(3.02, PIECE)
    assert playout.gap_secs == 0.0


def test_a_late_one_leaves_what_was_silent_until_it_is_heard(playout):
    playout.write(3.0, PIECE)  # heard until 3.15
    playout.write(3.4, PIECE)  # heard from 3.45 on
    assert playout.gap_secs == pytest.approx(0.3)
    playout.write(3.41, PIECE)
    assert playout.gap_secs == 0.0


def test_what_follows_an_interruption_leaves_none(playout):
    playout.write(3.0, PIECE)
    playout.clear(3.1)
    playout.write(3.4, PIECE)
    assert playout.gap_secs == 0.0
