"""The live tests' own rule: a call that tells of lost sound is held again, a failure is not."""

from __future__ import annotations

import pytest
from virtual_card import SpeakerRanDryError, kept_up, with_a_speaker_that_keeps_up

from piopiy_lab.events import AudioDropped


def lost(side):
    return AudioDropped(at=1.0, where=side, cause="underflow", secs=0.02, remedy="")


def ended_after(*calls):
    """Hold calls with these logs, until one is compared; returns how many were held."""
    held = []

    @with_a_speaker_that_keeps_up
    def test():
        held.append(calls[len(held)])
        kept_up(held[-1])
        assert held[-1] != ["other words"]

    test()
    return len(held)


@pytest.mark.filterwarnings("ignore:the call is held once more")
def test_only_what_a_call_tells_of_its_speaker_holds_it_again():
    dry = [lost("output")]
    assert ended_after([]) == 1
    assert ended_after([lost("input")]) == 1
    assert ended_after(dry, dry, dry, []) == 4
    with pytest.raises(SpeakerRanDryError, match="ran dry"):
        ended_after(dry, dry, dry, dry, [])
    with pytest.raises(AssertionError):
        ended_after(["other words"], [])
