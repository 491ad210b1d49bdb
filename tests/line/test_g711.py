"""G.711 to the bit: every sample and every code, beside ffmpeg's own."""

from __future__ import annotations

import numpy as np
import pytest

from piopiy_lab.line.g711 import A_LAW, MU_LAW

EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)
EVERY_CODE = np.arange(256, dtype=np.uint8)
LAWS = {"pcm_mulaw": MU_LAW, "pcm_alaw": A_LAW}


def context(name, mode):
    av = pytest.importorskip("av", reason="PyAV, the 'line' extra, is not installed")
    made = av.CodecContext.create(name, mode)
    made.sample_rate, made.layout, made.format = 8000, "mono", "s16"
    return av, made


@pytest.mark.parametrize("name", LAWS)
def test_every_code_is_decoded_as_ffmpeg_does(name):
    av, decoder = context(name, "r")
    frames = decoder.decode(av.Packet(EVERY_CODE.tobytes()))
    theirs = np.concatenate([frame.to_ndarray().ravel() for frame in frames])
    np.testing.assert_array_equal(LAWS[name].decode(EVERY_CODE), theirs)


@pytest.mark.parametrize("name", LAWS)
def test_every_sample_is_encoded_as_ffmpeg_does(name):
    av, encoder = context(name, "w")
    frame = av.AudioFrame.from_ndarray(EVERY_SAMPLE[None], format="s16", layout="mono")
    frame.sample_rate = 8000
    theirs = np.frombuffer(b"".join(bytes(p) for p in encoder.encode(frame)), np.uint8)
    np.testing.assert_array_equal(LAWS[name].encode(EVERY_SAMPLE), theirs)


@pytest.mark.parametrize("name", LAWS)
def test_there_and_back_is_encoding_and_decoding(name):
    law = LAWS[name]
    np.testing.assert_array_equal(
        law.pass_through(EVERY_SAMPLE), law.decode(law.encode(EVERY_SAMPLE))
    )


@pytest.mark.parametrize("name", LAWS)
def test_a_decoded_value_is_encoded_as_itself(name):
    law = LAWS[name]
    values = law.decode(EVERY_CODE)
    np.testing.assert_array_equal(law.decode(law.encode(values)), values)


def test_the_values_that_the_recommendation_lists():
    """G.711's tables 1a and 2a, at 14 and 13 bits, on the 16-bit scale."""
    assert MU_LAW.decode(np.array([0x80, 0x8F, 0xFF, 0x7F, 0x00], np.uint8)).tolist() == [
        8031 * 4,
        4191 * 4,
        0,
        0,
        -8031 * 4,
    ]
    assert A_LAW.decode(np.array([0xAA, 0xD5, 0x55, 0x2A], np.uint8)).tolist() == [
        4032 * 8,
        8,
        -8,
        -4032 * 8,
    ]


def test_silence_is_silence_in_mu_law_and_a_step_in_a_law():
    nothing = np.zeros(160, np.int16)
    assert not MU_LAW.pass_through(nothing).any()
    assert set(A_LAW.pass_through(nothing).tolist()) == {8}
