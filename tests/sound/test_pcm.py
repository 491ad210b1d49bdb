import numpy as np
import pytest

from piopiy_lab.errors import ArgumentError
from piopiy_lab.sound import pcm

RATES = [(16000, 24000), (8000, 24000), (48000, 16000), (44100, 24000), (24000, 16000)]


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-20000, 20000, count).astype(np.int16)


def test_bytes_and_samples_are_each_other():
    samples = noise(101)
    assert np.array_equal(pcm.from_bytes(pcm.to_bytes(samples)), samples)
    stereo = samples[:100].reshape(-1, 2)
    assert np.array_equal(pcm.from_bytes(pcm.to_bytes(stereo), channels=2), stereo)


def test_half_a_sample_is_refused_with_its_length():
    with pytest.raises(ArgumentError, match="3 bytes"):
        pcm.from_bytes(b"abc")


def test_floats_are_clipped_not_wrapped():
    assert pcm.to_int16(np.array([2.0, -2.0, 0.5], np.float32)).tolist() == [32767, -32768, 16384]
    with pytest.raises(ArgumentError, match="int32"):
        pcm.to_int16(np.zeros(3, np.int32))


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_chunks_resample_to_the_same_bits_as_the_clip(from_rate: int, to_rate: int):
    clip = noise(from_rate // 2 + 7)
    whole = pcm.resample(clip, from_rate, to_rate)
    stream = pcm.StreamResampler(from_rate, to_rate)
    rng = np.random.default_rng(1)
    pieces, place = [], 0
    while place < len(clip):
        count = int(rng.integers(1, 700))
        pieces.append(stream.process(clip[place : place + count]))
        place += count
    pieces.append(stream.flush())
    assert np.array_equal(np.concatenate(pieces), whole)
    assert abs(len(whole) - len(clip) * to_rate / from_rate) <= 0.5
    assert len(stream.flush()) == 0


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_a_click_stays_at_its_time(from_rate: int, to_rate: int):
    clip = np.zeros(from_rate, np.int16)
    clip[from_rate // 2] = 20000
    assert abs(int(np.argmax(pcm.resample(clip, from_rate, to_rate))) - to_rate // 2) <= 1


def test_the_same_rate_changes_nothing():
    clip = noise(50)
    stream = pcm.StreamResampler(16000, 16000)
    assert np.array_equal(stream.process(clip), clip)
    assert len(stream.flush()) == 0
    assert np.array_equal(pcm.resample(clip, 16000, 16000), clip)


def test_channels_are_resampled_and_mixed():
    stereo = np.stack([noise(160), noise(160, 1)], axis=1)
    assert pcm.resample(stereo, 16000, 24000).shape == (240, 2)
    left = np.stack([np.full(4, 1000, np.int16), np.zeros(4, np.int16)], axis=1)
    assert pcm.mono(left).tolist() == [500] * 4


def test_levels():
    square = np.tile(np.array([16384, -16384], np.int16), 8)
    assert pcm.rms(square) == pytest.approx(0.5)
    assert pcm.peak(square) == 0.5
    assert pcm.dbfs(0.5) == pytest.approx(-6.02, abs=0.01)
    assert pcm.rms(square[:0]) == pcm.peak(square[:0]) == 0.0
    assert pcm.dbfs(0.0) == -96.0


def test_the_envelope_holds_every_extreme():
    samples = noise(1000)
    lo, hi = pcm.envelope(samples, 7)
    assert len(lo) == len(hi) == 7
    assert hi.max() == pcm.to_float32(samples).max()
    assert lo.min() == pcm.to_float32(samples).min()
    assert len(pcm.envelope(samples[:3], 7)[0]) == 3
    assert len(pcm.envelope(samples[:0], 7)[0]) == 0


def test_bad_rates_are_refused():
    with pytest.raises(ArgumentError, match="0 Hz"):
        pcm.resample(noise(4), 0, 16000)
    with pytest.raises(ArgumentError, match="-1 Hz"):
        pcm.StreamResampler(16000, -1)
