"""Noise around the caller: as loud as was asked for, of the kind that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from active_level import active_level_dbov
from carried_sound import carried, speech

from piopiy_lab.line.line import Line
from piopiy_lab.line.noises import noise_loop
from piopiy_lab.line.speech_level import NOMINAL_DBOV, SpeechLevel

RATE = 16000
KINDS = ("street", "cafe", "hum")


def rms_dbov(samples):
    return 10 * np.log10(np.mean(samples.astype(float) ** 2)) - 20 * np.log10(32768)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("snr", "gain"), [(20.0, -12.0), (5.0, 0.0)])
def test_the_noise_lies_below_the_speech_by_what_was_asked_for(kind, snr, gain):
    """Measured over the last two loops, against P.56 sample by sample, in the line's band."""
    said = (speech(RATE, 72.0).astype(float) * 10 ** (gain / 20)).astype(np.int16)
    band = (300.0, 3400.0)
    clean = carried(Line(band=band), said)
    noisy = carried(Line(band=band, noise=kind, snr_db=snr), said)
    tail = slice(24 * RATE, 72 * RATE)
    noise = noisy[tail].astype(float) - clean[tail]
    measured = active_level_dbov(clean[24 * RATE : 36 * RATE], RATE) - rms_dbov(noise)
    assert measured == pytest.approx(snr, abs=0.7)


def test_the_speech_level_is_that_of_p56():
    for rate in (8000, 16000):
        said = speech(rate, 12.0)
        level = SpeechLevel(rate)
        level.note(said.astype(np.float32))
        assert level.dbov == pytest.approx(active_level_dbov(said, rate), abs=0.5)


def test_until_somebody_has_spoken_speech_has_its_nominal_level():
    """The noise is there from the first moment, and does not wait for the caller."""
    line = Line(noise="hum", snr_db=10.0)
    alone = carried(line, np.zeros(3 * RATE, np.int16))[RATE:]
    assert SpeechLevel(RATE).dbov is None
    assert rms_dbov(alone) == pytest.approx(NOMINAL_DBOV - 10, abs=0.5)


def test_a_street_swells_and_ebbs():
    loop = noise_loop("street", RATE, None, 1)
    secs = np.sqrt(np.mean(loop.reshape(-1, RATE) ** 2, axis=1))
    assert 20 * np.log10(secs.max() / secs.min()) > 6
    spectrum = np.abs(np.fft.rfft(loop)) ** 2
    hertz = np.fft.rfftfreq(len(loop), 1 / RATE)
    assert spectrum[hertz < 500].sum() > 2 * spectrum[hertz > 500].sum()


def test_a_hum_is_the_mains_and_its_harmonics():
    loop = noise_loop("hum", RATE, None, 1)
    power = np.abs(np.fft.rfft(loop)) ** 2
    lines = {int(at) for at in np.flatnonzero(power > power.max() / 1e4)}
    assert min(lines) == 50
    assert all(line % 50 == 0 for line in lines)


def test_a_cafe_is_voices_that_come_and_go():
    loop = noise_loop("cafe", RATE, None, 1)
    shorts = np.sqrt(np.mean(loop[: len(loop) // 800 * 800].reshape(-1, 800) ** 2, axis=1))
    assert shorts.std() / shorts.mean() > 0.1  # steady noise has 0.03
    power = np.abs(np.fft.rfft(loop)) ** 2
    hertz = np.fft.rfftfreq(len(loop), 1 / RATE)
    assert power[(hertz > 100) & (hertz < 4000)].sum() > 0.95 * power.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_begins_where_it_ends(kind):
    loop = noise_loop(kind, RATE, (300.0, 3400.0), 1)
    steps = np.abs(np.diff(loop))
    assert abs(loop[0] - loop[-1]) <= steps.max()
    assert np.mean(loop**2) == pytest.approx(1, abs=1e-3)


def test_another_seed_is_another_street():
    one, same, other = (noise_loop("street", RATE, None, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
