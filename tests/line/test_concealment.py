"""What is heard where a packet is missing: the pitch goes on, and fades."""

from __future__ import annotations

import numpy as np
import pytest

from piopiy_lab.line.concealment import HELD_BACK_SECS, Concealer

RATE = 8000
PACKET = 160
LATE = round(HELD_BACK_SECS * RATE)


def voice(hertz=125.0, secs=1.0, rate=RATE):
    """Return a buzz with harmonics: float32, at int16's scale."""
    at = np.arange(round(secs * rate)) / rate
    return sum(4000 / n * np.sin(2 * np.pi * hertz * n * at + n) for n in range(1, 8)).astype(
        np.float32
    )


def concealed(sound, lost, rate=RATE):
    """Return what is heard of a sound whose packets of these numbers are lost."""
    packet = rate // 50
    made = Concealer(rate)
    pieces = [
        made.process(None if number in lost else sound[at : at + packet], packet)
        for number, at in enumerate(range(0, len(sound), packet))
    ]
    return np.concatenate(pieces)


def test_what_all_comes_is_only_late():
    sound = voice()
    np.testing.assert_array_equal(concealed(sound, ())[LATE:], sound[:-LATE])


@pytest.mark.parametrize("hertz", [80.0, 125.0, 190.0])
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_missing_packet_of_a_steady_voice_is_hardly_heard(hertz, rate):
    sound = voice(hertz, rate=rate)
    late = round(HELD_BACK_SECS * rate)
    heard = concealed(sound, {20}, rate)
    packet = rate // 50
    gap = slice(20 * packet, 21 * packet)
    was, got = sound[gap].astype(float), heard[late:][gap].astype(float)
    error = np.sum((got - was) ** 2) / np.sum(was**2)
    assert 10 * np.log10(error) < -6  # with zeros in its place it were 0 dB
    back = slice(23 * packet, len(sound) - late)
    np.testing.assert_array_equal(heard[late:][back], sound[back])


def test_it_fades_by_a_fifth_each_10_ms_and_is_silent_after_60():
    sound = voice()
    heard = concealed(sound, set(range(20, 30)))[LATE:]
    levels = [
        np.sqrt(np.sum(heard[at : at + 80] ** 2) / np.sum(sound[at : at + 80] ** 2))
        for at in range(20 * PACKET, 30 * PACKET, 80)
    ]
    np.testing.assert_allclose(levels[:6], [1.0, 0.9, 0.7, 0.5, 0.3, 0.1], atol=0.07)
    assert max(levels[6:]) == 0


def test_there_is_no_click_where_the_sound_goes_and_comes_back():
    sound = voice()
    usual = np.abs(np.diff(sound)).max()
    begun = slice(LATE + 1, None)  # the sound's own beginning is a step
    for lost in ({20}, {20, 21}, set(range(20, 26))):
        assert np.abs(np.diff(concealed(sound, lost)[begun])).max() < 1.3 * usual


def test_silence_that_gets_lost_is_silence():
    assert not concealed(np.zeros(RATE, np.float32), {5, 6, 20}).any()
