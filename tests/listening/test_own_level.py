"""How much lower a voice is than the caller's own."""

from __future__ import annotations

import numpy as np
import pytest

from piopiy_lab.listening.own_level import LEAST_OWN_SECS, MEMORY_SECS, OwnLevel, power_of


def level(*pieces):
    """Take ``(dB, seconds, own)`` in pieces of 20 ms; a piece that isn't own begins a voice."""
    found = OwnLevel()
    for db, secs, own in pieces:
        found.begin()
        for _ in range(round(secs / 0.02)):
            found.take(10 ** (db / 10), 0.02, own=own)
    return found.lower_db


def test_it_is_the_difference_of_mean_powers():
    assert level((60, 2, True), (48, 0.5, False)) == pytest.approx(12)
    assert level((60, 2, True), (63, 0.5, False)) == pytest.approx(-3)


def test_of_a_caller_who_was_hardly_heard_and_of_a_short_voice_nobody_can_say():
    assert level((60, LEAST_OWN_SECS - 0.1, True), (48, 0.5, False)) is None
    assert level((60, 2, True), (48, 0.1, False)) is None
    assert level((48, 5, False)) is None
    assert level((60, 2, True), (-np.inf, 0.5, False)) is None


def test_what_was_long_ago_fades():
    changed = level((70, 20, True), (60, 3 * MEMORY_SECS, True), (60, 0.5, False))
    assert changed == pytest.approx(1.6, abs=0.5)


def test_a_turn_begins_where_its_voice_began():
    found = OwnLevel()
    found.take(10**6, 0.4, own=False)  # until the detector was sure
    found.claim()
    found.take(10**6, 0.4, own=True)
    found.begin()
    found.take(10**5, 0.5, own=False)
    assert found.lower_db == pytest.approx(10)


def test_each_voice_that_was_left_alone_brings_the_callers_own_level_down():
    found = OwnLevel()
    found.take(10**6, 2.0, own=True)
    found.begin()
    found.take(10**5, 0.5, own=False)
    assert found.lower_db == pytest.approx(10)
    found.doubt()
    assert found.lower_db == pytest.approx(7)


def test_a_power_is_the_mean_of_squares():
    assert power_of(np.array([-3, 3, 3, -3], np.int16)) == 9
    assert power_of(np.full(4, -32768, np.int16)) == 32768.0**2
    assert power_of(np.zeros(0, np.int16)) == 0
