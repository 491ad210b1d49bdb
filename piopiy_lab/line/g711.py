"""G.711: mu-law and A-law by tables, to the bit what ITU-T G.711 (11/88) has. Pure.

Samples have 16 bits, of which the upper 14 count (A-law has 13). Codes and values are those of
ffmpeg's ``pcm_mulaw`` and ``pcm_alaw``: the tests compare all 65,536 samples and all 256 codes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from piopiy_lab.sound.pcm import Int16

UInt8 = npt.NDArray[np.uint8]

#: What is inverted in a code on the line: every bit in mu-law, every second one in A-law.
_MU_INVERTED, _A_INVERTED = 0xFF, 0x55
_MU_BIAS = 132  # G.711's 33, at 14 bits, on the 16-bit scale


def _mu_values() -> Int16:
    code = np.arange(256) ^ _MU_INVERTED
    chord, step = code >> 4 & 7, code & 15
    magnitude = ((step << 3) + _MU_BIAS << chord) - _MU_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _a_values() -> Int16:
    code = np.arange(256) ^ _A_INVERTED
    chord, step = code >> 4 & 7, code & 15
    magnitude = np.where(
        chord == 0, (step << 4) + 8, (step << 4) + 0x108 << np.maximum(chord, 1) - 1
    )
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _codes(values: Int16, inverted: int) -> UInt8:
    """Return the code of each 16-bit sample, by its bits.

    Args:
        values: The value of each code.
        inverted: The code of the least positive value, from which the magnitudes count up.
    """
    magnitudes = values[np.arange(128) ^ inverted].astype(np.int32)
    edges = (magnitudes[1:] + magnitudes[:-1] + 4) >> 3  # half-way, at G.711's 14 bits
    samples = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 2
    steps = np.searchsorted(edges, np.minimum(np.abs(samples), 8191), side="right")
    return (steps ^ np.where(samples < 0, inverted ^ 0x80, inverted)).astype(np.uint8)


class G711:
    """One of the two laws."""

    def __init__(self, values: Int16, inverted: int) -> None:
        """Take the value of each code, int16 of shape (256,), and the least positive one's code."""
        self._values = values
        self._codes = _codes(values, inverted)
        self._there_and_back = values[self._codes]

    def encode(self, samples: Int16) -> UInt8:
        """Return the codes of int16 samples, (n,)."""
        return self._codes[samples.view(np.uint16)]

    def decode(self, codes: UInt8) -> Int16:
        """Return the samples of codes, (n,)."""
        return self._values[codes]

    def pass_through(self, samples: Int16) -> Int16:
        """Return int16 samples, (n,), encoded and decoded, in one step."""
        return self._there_and_back[samples.view(np.uint16)]


MU_LAW = G711(_mu_values(), 0xFF)
A_LAW = G711(_a_values(), 0xD5)
