"""What a device lost, from the times of its callbacks: PortAudio's flags alone don't say."""

from __future__ import annotations

import random

import pytest

from piopiy_lab.transports.lost_time import CaptureLoss, PlayLoss

BLOCK, KEPT = 0.02, 0.04  # seconds in a block, and in the device


class Speaker:
    """A device that takes a block as soon as it has room, and flags it when it was dry."""

    def __init__(self):
        self.loss, self.now, self.empty_at = PlayLoss(), 10.0, 10.0

    def block(self, late=0.0, voiced=True, flagged=None):
        due = max(self.now, self.empty_at - (KEPT - BLOCK)) + late
        dry = due > self.empty_at
        self.now, heard = due, max(due, self.empty_at)
        self.loss.block(due, BLOCK, heard - due, dry if flagged is None else flagged, voiced)
        self.empty_at = heard + BLOCK

    def run(self, secs, **how):
        for _ in range(round(secs / BLOCK)):
            self.block(**how)

    def storm(self, blocks, voiced):
        """Run dry again and again, as PulseAudio did with 20 ms in it and a busy kernel.

        It asks for a block each half millisecond, flags it, and throws away what it was given.
        """
        for _ in range(blocks):
            self.now += 0.0005
            self.loss.block(self.now, BLOCK, KEPT, True, voiced)
        self.empty_at = self.now


@pytest.fixture
def speaker():
    return Speaker()


def test_late_callbacks_that_the_device_had_enough_for_are_no_loss(speaker):
    dice = random.Random(1)
    for _ in range(1000):
        speaker.block(late=dice.choice((0.0, 0.0, 0.0, 0.015)))
    assert speaker.loss.secs == 0


@pytest.mark.parametrize("gap", [0.05, 0.3, 2.0])
def test_one_flag_is_as_long_as_the_silence_was(speaker, gap):
    speaker.run(3.0)
    speaker.block(late=gap + KEPT - BLOCK)
    speaker.run(3.0)
    assert speaker.loss.secs == pytest.approx(gap, abs=1e-6)


def test_flags_without_a_gap_are_no_loss(speaker):
    speaker.run(3.0)
    speaker.run(3.0, flagged=True)
    speaker.run(3.0)
    assert speaker.loss.secs == 0


def test_a_device_that_runs_dry_in_silence_or_at_a_sentences_ends_loses_nothing(speaker):
    speaker.run(2.0, voiced=False)
    speaker.block(late=0.5, voiced=False)
    speaker.run(1.0, voiced=False)
    speaker.block(late=0.5, voiced=True)  # begins late: nobody hears that
    speaker.run(1.0)
    speaker.block(late=0.5, voiced=False)  # the voice had been heard to its end
    speaker.run(2.0, voiced=False)
    assert speaker.loss.secs == 0


def test_a_device_that_does_not_get_going_leaves_parts_of_the_voice_out():
    speaker = Speaker()
    speaker.run(3.0)
    speaker.storm(200, voiced=True)
    speaker.run(3.0)
    taken, gone = 200 * BLOCK, 0.1
    assert speaker.loss.secs == pytest.approx(taken - gone, abs=0.1)


def test_a_storm_in_silence_loses_nothing(speaker):
    speaker.run(3.0, voiced=False)
    speaker.storm(200, voiced=False)
    speaker.run(3.0, voiced=True)
    assert speaker.loss.secs == 0


def heard(loss, secs, start, drift=1.0, flagged=False):
    """Let a microphone's device hand over blocks, some of them late; returns the time after."""
    dice = random.Random(2)
    for number in range(round(secs / BLOCK)):
        at = start + (number + 1) * BLOCK * drift
        loss.block(at + dice.choice((0.0, 0.0, 0.008)), BLOCK, flagged and number == 0)
    return start + secs * drift


def test_a_microphones_overflow_is_what_is_missing_between_its_blocks():
    loss = CaptureLoss()
    now = heard(loss, 5.0, 0.0)
    heard(loss, 5.0, now + 0.3, flagged=True)
    assert loss.secs == pytest.approx(0.3, abs=0.01)


def test_a_microphones_flag_with_nothing_missing_and_a_clock_of_its_own_are_no_loss():
    loss = CaptureLoss()
    now = heard(loss, 5.0, 0.0)
    now = heard(loss, 5.0, now, flagged=True)
    heard(loss, 600.0, now, drift=1.0005)
    assert loss.secs == 0
