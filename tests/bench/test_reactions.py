"""An agent's sound beside the same reply undisturbed: on sounds made here, to the sample."""

from __future__ import annotations

import numpy as np
import pytest

from piopiy_lab.bench.reactions import reaction_of

RATE = 16000
DRAW = np.random.Generator(np.random.PCG64(1))
#: A reply like speech: louder and softer four times a second, with two short closures in it.
REPLY = (
    DRAW.normal(size=8 * RATE) * 3000 * (1.2 + np.sin(np.arange(8 * RATE) * 2 * np.pi * 4 / RATE))
).astype(np.int16)
REPLY[REPLY == 0] = 3
REPLY[int(3.3 * RATE) : int(3.4 * RATE)] = 0
REPLY[int(5.0 * RATE) : int(5.1 * RATE)] = 0
BEGAN, ONSET = 1.0, 4.0  # seconds of the call


def secs(count):
    return np.zeros(round(count * RATE), np.int16)


def heard(*pieces, undisturbed=REPLY, until=8.0, onset=ONSET):
    agent = np.concatenate([secs(BEGAN), *pieces, secs(10)])
    return reaction_of(agent, RATE, onset, 0.0, undisturbed, until)


def part(start, end):
    return REPLY[round(start * RATE) : round(end * RATE)]


def test_a_reply_that_is_as_it_would_have_been_went_on():
    found = heard(REPLY)
    assert (found.outcome, found.fell, found.gaps, found.kept) == ("went on", None, (), True)


def test_a_pause_is_resumed_where_it_stood():
    found = heard(part(0, 3.12), secs(0.46), part(3.12, 8))
    assert found.outcome == "resumed"
    assert found.fell == pytest.approx(0.12, abs=0.002)
    assert found.gaps == (pytest.approx(0.46, abs=0.002),)
    assert found.decided == pytest.approx(0.58, abs=0.002)
    assert found.kept
    assert not found.yielded


def test_two_pauses_are_two_gaps():
    found = heard(part(0, 3.12), secs(0.3), part(3.12, 4.5), secs(0.5), part(4.5, 8))
    assert found.gaps == (pytest.approx(0.3, abs=0.002), pytest.approx(0.5, abs=0.002))
    assert found.outcome == "resumed"


def test_a_pause_of_more_than_a_second_is_not_kept():
    found = heard(part(0, 3.12), secs(1.1), part(3.12, 8))
    assert (found.outcome, found.kept, found.yielded) == ("resumed late", False, False)


def test_silence_is_a_yield_and_so_is_another_reply_after_it():
    silent = heard(part(0, 3.35))
    assert (silent.outcome, silent.yielded) == ("cut", True)
    other = heard(part(0, 3.36), secs(0.5), part(0, 3))
    assert (other.outcome, other.gaps) == ("cut", ())
    assert other.decided == pytest.approx(0.4, abs=0.01), "its own closure is no silence yet"


def test_a_pause_within_a_silence_of_the_reply_s_own_begins_when_a_sound_was_due():
    found = heard(part(0, 3.35), secs(0.46), part(3.35, 8))
    assert found.outcome == "resumed"
    assert found.fell == pytest.approx(0.4, abs=0.002)
    assert found.gaps == (pytest.approx(0.46, abs=0.002),)


def low(start, end):
    return (part(start, end).astype(np.float64) * 0.1).astype(np.int16)


def test_a_pause_that_is_followed_by_another_one_at_once_is_resumed_both_times():
    found = heard(part(0, 3.12), secs(0.3), part(3.12, 3.23), secs(0.3), part(3.23, 8))
    assert found.outcome == "resumed"
    assert found.gaps == (pytest.approx(0.3, abs=0.002), pytest.approx(0.3, abs=0.002))


def test_lower_then_silent_then_lower_and_back_is_resumed():
    pieces = low(3.1, 3.45), secs(0.2), low(3.45, 3.55)
    found = heard(part(0, 3.1), *pieces, part(3.55, 8))
    assert (found.outcome, found.ducked) == ("resumed", True)
    assert found.gaps == (pytest.approx(0.2, abs=0.002),)
    assert found.fell == pytest.approx(0.1, abs=0.03)
    assert found.decided == pytest.approx(0.75, abs=0.03)
    assert heard(part(0, 3.1), low(3.1, 3.45), secs(0.2), low(1.0, 1.6)).outcome == "cut"


def test_a_reply_that_begins_again_was_not_resumed_where_it_stood():
    assert heard(part(0, 3.12), secs(0.4), part(2.6, 8)).outcome == "cut"


def test_a_lower_voice_is_ducked_and_back():
    low = (part(3.1, 3.9).astype(np.float64) * 0.1).astype(np.int16)
    found = heard(part(0, 3.1), low, part(3.9, 8))
    assert (found.outcome, found.ducked, found.gaps) == ("went on", True, ())
    assert found.fell == pytest.approx(0.1, abs=0.03)
    assert found.decided == pytest.approx(0.9, abs=0.03)


def test_a_lower_voice_that_ends_is_a_yield():
    low = (part(3.1, 3.8).astype(np.float64) * 0.1).astype(np.int16)
    found = heard(part(0, 3.1), low)
    assert (found.outcome, found.ducked) == ("cut", True)
    assert found.fell == pytest.approx(0.1, abs=0.03)
    assert found.decided == pytest.approx(0.8, abs=0.03)


def test_an_agent_that_was_silent_before_did_nothing():
    assert heard(part(0, 2.0), onset=8.5, until=9.5, undisturbed=None).outcome == "cut"
    assert reaction_of(secs(5), RATE, 2.0, 0.0, REPLY, 4.0).outcome == "was silent"


def test_without_the_undisturbed_reply_a_breath_is_no_gap_and_a_pause_is_one():
    assert heard(REPLY, undisturbed=None).outcome == "went on"
    paused = heard(part(0, 3.12), secs(0.46), part(3.12, 8), undisturbed=None)
    assert (paused.outcome, paused.gaps) == ("resumed", (pytest.approx(0.46, abs=0.002),))
    assert heard(part(0, 3.12), undisturbed=None).outcome == "cut"
