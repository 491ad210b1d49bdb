"""Where a voice ends, by its own samples."""

from __future__ import annotations

import numpy as np
import pytest

from piopiy_lab.listening.sound_end import silence_of, with_silence
from piopiy_lab.sound import speech

RATE = 16000
VOICE = speech.synthesize("yes please", speech.CALLER_VOICE, sample_rate=RATE).samples
LAST = int(np.flatnonzero(np.abs(VOICE.astype(int)) > 300)[-1])
VOICE = VOICE[: LAST + 1]


def heard(before, after, floor=0.0):
    """The voice with so many samples around it, in pieces of 20 ms as they come."""
    sound = np.concatenate([np.zeros(before), VOICE, np.zeros(after)])
    sound = sound + np.random.default_rng(1).normal(0, 1, len(sound)) * floor
    pieces = np.array_split(sound.astype(np.int16), range(320, len(sound), 320))
    return [(index * 0.02, piece) for index, piece in enumerate(pieces)]


def joined(pieces):
    return np.concatenate([samples for _, samples in pieces])


@pytest.mark.parametrize("phase", range(0, 320, 37))
def test_the_same_voice_ends_in_the_same_samples(phase):
    kept = joined(with_silence(heard(8000 + phase, 5000 - phase), RATE, 0.12))
    assert len(kept) == 8000 + phase + len(VOICE) + round(0.12 * RATE) - _faded()
    assert np.array_equal(kept[8000 + phase :][: len(VOICE)], VOICE)


def _faded():
    """How many of the voice's last samples are below its level, and so silence."""
    return round(silence_of(heard(8000, 0), RATE) * RATE)


def test_silence_is_measured_to_the_sample():
    assert _faded() < 400
    for after in (0, 1, 320, 1601):
        silence = silence_of(heard(8000, after), RATE)
        assert silence * RATE == pytest.approx(after + _faded())


def test_what_has_less_silence_stays_as_it_is():
    sound = heard(8000, 800)
    assert joined(with_silence(sound, RATE, 0.2)).tobytes() == joined(sound).tobytes()


def test_a_quiet_room_is_no_voice():
    silence = silence_of(heard(8000, 3200, floor=33.0), RATE)  # -60 dBFS
    assert silence == pytest.approx(0.2, abs=0.03)


def test_in_a_noise_no_silence_is_found():
    assert silence_of(heard(8000, 3200, floor=3000.0), RATE) < 0.03


@pytest.mark.parametrize("pieces", [[], [(0.0, np.zeros(0, np.int16))]])
def test_nothing_has_no_end(pieces):
    assert silence_of(pieces, RATE) == 0.0
    assert not any(len(samples) for _, samples in with_silence(pieces, RATE, 0.1))


def test_digital_silence_has_no_voice():
    assert silence_of([(0.0, np.zeros(3200, np.int16))], RATE) == 0.0


def test_of_a_long_turn_the_last_seconds_are_looked_at():
    long = [(0.0, np.full(RATE * 60, 20000, np.int16)), *heard(8 * RATE, 1600)]
    assert silence_of(long, RATE) == pytest.approx(0.1 + _faded() / RATE, abs=0.001)
