"""Band limits and sample rates: linear-phase filters that work block by block. Pure.

A resampler of soxr's holds back 40 ms and more; a phone's filter takes 6. These take blocks of one
fixed length, so what comes out does not depend on how the sound was cut up, to the bit.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from piopiy_lab.errors import ArgumentError
from piopiy_lab.sound.pcm import Float32

#: Decibels by which a filter keeps what it stops below what it lets through, and the shape of the
#: Kaiser window that does it (Kaiser, 1974: beta = 0.1102 (A - 8.7) from 50 dB on).
STOPPED_DB = 50.0
KAISER_BETA = 0.1102 * (STOPPED_DB - 8.7)
#: Seconds of a band filter whose lower limit is a telephone's 300 Hz, and of one of a lower limit.
#: Its edges are as steep as that allows: (A - 7.95) / (14.36 T) Hz, 244 of them in 12 ms.
BAND_SECS, LOW_BAND_SECS = 0.012, 0.024
LOW_HZ = 250.0
#: Seconds of the filter that only brings sound to another rate.
PLAIN_SECS = 0.003
#: With more fractions of a sample than this each output sample is computed by itself.
MOST_PHASES = 8


def band_width_secs(low: float) -> float:
    """Return the seconds of a band filter; it delays by half of them."""
    return BAND_SECS if low >= LOW_HZ or low == 0 else LOW_BAND_SECS


def plain_width_secs() -> float:
    """Return the seconds of a filter that only resamples; it delays by half of them."""
    return PLAIN_SECS


@functools.lru_cache(maxsize=64)
def _impulse_response(
    from_rate: int, to_rate: int, band: tuple[float, float] | None, phases: int
) -> Float32:
    """Return the filter at each of ``phases`` fractions of an input sample: (phases, taps)."""
    if band is None:
        low, high, secs = 0.0, 0.5 * min(from_rate, to_rate), PLAIN_SECS
    else:
        low, secs = band[0], band_width_secs(band[0])
        edge = (STOPPED_DB - 7.95) / (14.36 * secs)
        high = min(band[1] + edge / 2, 0.5 * min(from_rate, to_rate))
        low = max(0.0, low - edge / 2)
    taps = math.ceil(secs * from_rate) + 1
    at = (np.arange(taps)[None, :] + np.arange(phases)[:, None] / phases) / from_rate
    away = at - secs / 2
    ideal = 2 * high * np.sinc(2 * high * away) - 2 * low * np.sinc(2 * low * away)
    inside = np.clip(1 - (2 * away / secs) ** 2, 0, 1)
    window = np.i0(KAISER_BETA * np.sqrt(inside)) / np.i0(KAISER_BETA)
    window[np.abs(away) > secs / 2] = 0.0
    return (ideal * window / from_rate).astype(np.float32)


class Resampler:
    """Brings blocks of one length to another rate, within a band."""

    def __init__(
        self,
        from_rate: int,
        to_rate: int,
        block: int,
        band: tuple[float, float] | None = None,
    ) -> None:
        """Begin with silence.

        Args:
            from_rate: Hz of what comes.
            to_rate: Hz of what is wanted.
            block: Samples of each block; must be a whole number at the other rate, too.
            band: Hz that are let through, ``(low, high)``; None for all that both rates have.

        Raises:
            ArgumentError: A block is no whole number of samples.
        """
        divisor = math.gcd(from_rate, to_rate)
        self._up, self._down = to_rate // divisor, from_rate // divisor
        if block * self._up % self._down:
            raise ArgumentError(
                f"blocks of {block} samples at {from_rate} Hz are no whole number of samples at "
                f"{to_rate} Hz"
            )
        self.block = block
        self.block_out = block * self._up // self._down
        phases = self._up
        self._filter = _impulse_response(from_rate, to_rate, band, phases)
        taps = self._filter.shape[1]
        self._buffer: Float32 = np.zeros(taps - 1 + block, np.float32)
        self._keep = taps - 1
        self._table: tuple[npt.NDArray[np.intp], Float32] | None = None  # where, and by how much
        if self._up > MOST_PHASES and self._down > 1:  # 22,050 Hz and the like
            where = np.arange(self.block_out) * self._down
            ends = where // self._up + taps - 1
            places = ends[:, None] - np.arange(taps)[None, :]
            self._table = places, self._filter[where % self._up]

    def process(self, samples: Float32) -> Float32:
        """Take a block, float32 of shape (block,), and return one of (block_out,)."""
        buffer = self._buffer
        buffer[: self._keep] = buffer[len(buffer) - self._keep :]
        buffer[self._keep :] = samples
        if self._table is not None:
            places, rows = self._table
            return np.einsum("nt,nt->n", buffer[places], rows)
        out = np.empty(self.block_out, np.float32)
        for phase in range(self._up):
            first, part = divmod(phase * self._down, self._up)
            through = np.convolve(buffer, self._filter[part], "valid")
            out[phase :: self._up] = through[first :: self._down]
        return out
