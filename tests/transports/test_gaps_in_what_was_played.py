"""The live tests' measure of what a speaker played: gaps count as far as the call told them."""

from __future__ import annotations

import numpy as np
import pytest
from virtual_card import MONITOR_RATE, likeness

from piopiy_lab.sound import speech

ALIKE, DIFFERENT = 0.95, 0.7


def said(text):
    return speech.synthesize(text, speech.AGENT_VOICE, sample_rate=MONITOR_RATE).samples


def played(samples, gaps):
    """Return them as a speaker that runs dry at some places plays them, and silence around."""
    parts = np.split(samples, [round(at * MONITOR_RATE) for at, _ in gaps])
    dry = [np.zeros(round(secs * MONITOR_RATE), np.int16) for _, secs in gaps]
    whole = [part for pair in zip(parts, [*dry, []], strict=True) for part in pair]
    return np.concatenate([np.zeros(MONITOR_RATE), *whole, np.zeros(MONITOR_RATE)]).astype(np.int16)


@pytest.mark.parametrize("gaps", [[(0.1, 0.02)], [(0.3, 0.02)], [(0.2, 0.02), (0.5, 0.03)]])
def test_as_many_gaps_as_were_told_and_no_more(gaps):
    speaker = played(said("Hello Asha!"), gaps)
    assert likeness(said("Hello Asha!"), speaker, len(gaps)) > ALIKE
    assert likeness(said("Hello Asha!"), speaker, len(gaps) - 1) < ALIKE
    assert likeness(said("Hello there!"), speaker, len(gaps)) < DIFFERENT


def test_without_a_gap_it_is_the_correlation():
    speaker = played(said("Hello Asha!"), [])
    assert likeness(said("Hello Asha!"), speaker) > 0.99
    assert likeness(said("Hello there!"), speaker) < DIFFERENT
