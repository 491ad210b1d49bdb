"""What goes over a line: the same bytes however it is cut up, always as late, within its band."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from carried_sound import HAS_OPUS, carried, speech

from piopiy_lab.errors import ArgumentError
from piopiy_lab.line.line import Line
from piopiy_lab.line.way import Way, samples_of
from piopiy_lab.transports.over_the_line import OverTheLine

SHAKY = Line.phone(noise="street", snr_db=12.0, gain_db=-3.0, clip_db=-6.0, loss=0.1, seed=4)


def lag_of(said, heard):
    """Return by how many samples one lies behind the other."""
    size = 1 << (2 * len(said)).bit_length()
    spectrum = np.fft.rfft(heard.astype(float), size) * np.conj(np.fft.rfft(said, size))
    return int(np.argmax(np.fft.irfft(spectrum)))


def level_db(samples, rate, low, high):
    """Return the power within a band, in dB."""
    power = np.abs(np.fft.rfft(samples.astype(float) * np.hanning(len(samples)))) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    return 10 * np.log10(power[(hertz >= low) & (hertz < high)].sum() + 1e-9)


# --- streaming ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 48000])
@pytest.mark.parametrize("side", ["caller", "agent"])
def test_however_sound_is_cut_up_the_same_bytes_come_out(rate, side):
    said = speech(rate, 3.0)
    whole = carried(SHAKY, said, rate, side, sizes=(len(said),))
    assert len(whole) == len(said)
    assert np.abs(whole.astype(int)).max() > 1000
    for sizes in ((rate // 50,), (1, 7, 1000, 333), (rate // 100, rate // 2)):
        np.testing.assert_array_equal(carried(SHAKY, said, rate, side, sizes), whole)


@HAS_OPUS
def test_opus_does_not_depend_on_the_pieces_either():
    line = Line(codec="opus", loss=0.1, burst=2.0)
    said = speech(16000, 3.0)
    np.testing.assert_array_equal(
        carried(line, said, sizes=(123, 4567)), carried(line, said, sizes=(len(said),))
    )


def sums():
    """Return the hashes of two ways over a line."""
    said = speech(16000, 4.0)
    return [
        hashlib.sha256(carried(SHAKY, said, 16000, side).tobytes()).hexdigest()
        for side in ("caller", "agent")
    ]


def test_the_same_seed_gives_the_same_bytes_in_every_process():
    here = Path(__file__).parent
    folders = [str(here), str(here.parent / "support")]
    code = f"import sys; sys.path[:0] = {folders!r}; import test_way; print(*test_way.sums())"
    for seed in ("0", "1234"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "OPENBLAS_NUM_THREADS": "1"}
        told = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        assert told.stdout.split() == sums()


def test_both_ways_lose_other_packets():
    line = Line(codec="pcmu", loss=0.2)
    said = speech(16000)
    assert not np.array_equal(carried(line, said), carried(line, said, side="agent"))


# --- late, and always as late ------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        Line(),
        Line(codec="pcmu"),
        Line(codec="pcma", loss=0.02),
        Line.phone(),
        Line(band=(300, 3400)),
        Line(codec="pcmu", band=(50, 3700), delay_ms=123.0, buffer_ms=37.0),
        pytest.param("opus", marks=HAS_OPUS),
        pytest.param("mobile", marks=HAS_OPUS),
    ],
    ids=str,
)
@pytest.mark.parametrize("rate", [16000, 24000])
def test_what_is_said_is_heard_after_the_delay_that_the_line_tells(line, rate):
    line = {"opus": lambda: Line(codec="opus"), "mobile": Line.mobile}.get(line, lambda: line)()
    said = speech(rate, 10.0)
    lag = lag_of(said, carried(line, said, rate)) / rate
    assert lag == pytest.approx(line.delay, abs=0.00015)


def test_the_presets_are_within_what_the_telephone_network_wants():
    """ITU-T G.114: up to 150 ms are hardly noticed, more than 400 are not wanted."""
    assert Line.phone().delay < 0.15
    assert Line.speakerphone().delay < 0.15


@HAS_OPUS
def test_a_mobile_phone_is_not_unusable():
    assert Line.mobile().delay < 0.25


# --- band --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [16000, 24000])
def test_g711_lets_through_what_a_telephone_does(rate):
    """Flat within 1 dB from 300 to 3400 Hz, and 25 dB down at 4.6 kHz and at 60 Hz (G.712)."""

    def gain(hertz):
        tone = 8000 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)
        heard = carried(Line(codec="pcmu"), np.rint(tone).astype(np.int16), rate)[rate // 2 :]
        wanted = tone[rate // 2 :]
        # what there is at the tone's own frequency, not what the codec adds
        turning = np.exp(-2j * np.pi * hertz * np.arange(len(heard)) / rate)
        return 20 * np.log10(abs(heard @ turning) / abs(wanted @ turning) + 1e-9)

    for hertz in (320, 500, 1000, 2000, 3000, 3300):
        assert gain(hertz) == pytest.approx(0, abs=1.0), hertz
    for hertz in (20, 60, 4600, 6000):
        assert gain(hertz) < -25, hertz


def test_the_band_can_be_another_one():
    noise = np.random.default_rng(1).integers(-8000, 8000, 64000).astype(np.int16)
    heard = carried(Line(band=(800, 2000)), noise)
    inside = level_db(heard, 16000, 1000, 1800)
    for low, high in ((50, 500), (2600, 7000)):
        assert level_db(heard, 16000, low, high) < inside - 30


def test_a_line_at_a_rate_that_has_no_whole_packets_is_refused():
    with pytest.raises(ArgumentError, match="11025 Hz.*a multiple of 50"):
        Way(Line.phone(), 11025, "caller")


# --- level and clipping ------------------------------------------------------------------------


def test_gain_and_clipping_are_the_callers():
    said = speech(16000)
    quiet = carried(Line(gain_db=-6.0), said).astype(float)
    plain = carried(Line(), said).astype(float)
    assert 20 * np.log10(np.sum(quiet * plain) / np.sum(plain**2)) == pytest.approx(-6, abs=0.05)
    clipped = carried(Line(clip_db=-20.0), said)
    assert np.abs(clipped.astype(int)).max() == round(32768 * 10 ** (-20 / 20))
    agent = carried(Line(gain_db=-6.0, clip_db=-20.0), said, side="agent")
    np.testing.assert_array_equal(agent, carried(Line(), said, side="agent"))


def test_a_line_that_does_nothing_is_a_packet_late_and_changes_no_sample():
    said = speech(16000)
    np.testing.assert_array_equal(carried(Line(), said)[320:], said[:-320])
    assert samples_of(Line().delay, 16000) == 320


# --- bad input and cuts ----------------------------------------------------------------------


@pytest.mark.parametrize("rate", [22050, 44100])
def test_a_rate_that_has_no_whole_pieces_is_refused_before_any_sound(rate):
    with pytest.raises(ArgumentError, match=f"without a codec at {rate} Hz"):
        Way(Line(loss=0.1), rate, "agent")
    Way(Line(codec="pcmu", loss=0.1), rate, "agent")


def test_a_band_without_anything_in_it_is_refused():
    with pytest.raises(ArgumentError, match="there is nothing above 4000 Hz"):
        Way(Line(band=(5000, 8000)), 8000, "caller")
    with pytest.raises(ArgumentError, match="there is nothing of a hum between 2000 and 3400 Hz"):
        Way(Line(noise="hum", snr_db=15, band=(2000, 3400)), 16000, "caller")


def test_what_a_device_dropped_is_not_heard_in_the_next_reply():
    over = OverTheLine(Line(codec="pcmu", delay_ms=100))
    over.hear_agent(speech(24000, 1.0), 24000)
    over.cut(1.0)
    after = over.hear_agent(np.zeros(24000, np.int16), 24000)
    assert np.abs(after.astype(int)).max() < 50  # the filters' last milliseconds


@pytest.mark.parametrize(("delay", "gap"), [(100, 0.01), (520, 0.1), (100, 0.3)])
def test_a_short_gap_in_what_the_agent_says_stays_as_short(delay, gap):
    rate = 24000
    line = Line(codec="pcmu", delay_ms=delay)
    over = OverTheLine(line)
    click = np.zeros(rate // 10, np.int16)
    click[:240] = 12000
    first = over.hear_agent(click, rate)
    tail = over.last_of_agent()
    heard = np.concatenate([first, tail])  # in full at 0.1 s and the delay
    now = len(click) / rate + gap
    queued = len(heard) / rate - now
    second = over.hear_agent(np.tile(click, 12), rate, queued)
    begins = max(now, len(heard) / rate)
    silence = np.zeros(round(begins * rate) - len(heard), np.int16)
    whole = np.concatenate([heard, silence, second])
    loud = np.flatnonzero(np.abs(whole.astype(int)) > 4000) / rate
    assert loud[0] == pytest.approx(line.delay, abs=0.002)
    assert loud[loud > line.delay + 0.05][0] == pytest.approx(now + line.delay, abs=0.002)
