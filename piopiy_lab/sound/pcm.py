"""Small helpers for 16-bit PCM: bytes, channels, sample rates and levels.

Samples are numpy arrays of int16 and of shape (n,) unless said otherwise. Nothing here keeps
state but :class:`StreamResampler`. Resampling goes through soxr's HQ quality in float32, which
gives the same bits every time (its int16 streaming does not).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from piopiy_lab.errors import ArgumentError

Int16 = npt.NDArray[np.int16]
Float32 = npt.NDArray[np.float32]

#: int16's full scale: 1.0 as a float.
FULL_SCALE = 32768.0
#: The level in dBFS that silence is given instead of minus infinity.
SILENCE_DBFS = -96.0


def from_bytes(data: bytes | bytearray | memoryview, channels: int = 1) -> Int16:
    """Return little-endian 16-bit PCM as samples: (n,) for one channel, else (n, channels).

    The result is a read-only view of ``data``.

    Raises:
        ArgumentError: The bytes are no whole number of samples.
    """
    if len(data) % (2 * channels):
        raise ArgumentError(
            f"{len(data)} bytes are no whole number of {channels}-channel 16-bit samples; "
            f"give a multiple of {2 * channels}"
        )
    samples = np.frombuffer(data, dtype="<i2").astype(np.int16, copy=False)
    return samples if channels == 1 else samples.reshape(-1, channels)


def to_bytes(samples: npt.NDArray[np.generic]) -> bytes:
    """Return samples (int16, or float in -1..1) as little-endian 16-bit PCM, frame by frame."""
    return to_int16(samples).astype("<i2", copy=False).tobytes()


def to_int16(samples: npt.NDArray[np.generic]) -> Int16:
    """Return float samples in -1..1 as int16, rounded and clipped; int16 as it is.

    Raises:
        ArgumentError: Another type of sample.
    """
    if samples.dtype == np.int16:
        return samples.astype(np.int16, copy=False)
    if not np.issubdtype(samples.dtype, np.floating):
        raise ArgumentError(f"samples of type {samples.dtype}; give int16, or float in -1..1")
    scaled = samples.astype(np.float32, copy=False) * np.float32(FULL_SCALE)
    np.rint(scaled, out=scaled)
    np.minimum(scaled, np.float32(32767), out=scaled)
    np.maximum(scaled, np.float32(-32768), out=scaled)
    return scaled.astype(np.int16)


def to_float32(samples: npt.NDArray[np.generic]) -> Float32:
    """Return samples as float32 in -1..1; floats are taken to be in that range already.

    Raises:
        ArgumentError: Another type of sample.
    """
    if samples.dtype == np.int16:
        return samples.astype(np.float32) * np.float32(1 / FULL_SCALE)
    if not np.issubdtype(samples.dtype, np.floating):
        raise ArgumentError(f"samples of type {samples.dtype}; give int16, or float in -1..1")
    return samples.astype(np.float32, copy=False)


def mono(samples: npt.NDArray[np.generic]) -> Int16:
    """Mix channels, (n, channels), down to one by their mean; (n,) stays as it is."""
    if samples.ndim == 1:
        return to_int16(samples)
    if samples.shape[1] == 1:
        return to_int16(samples[:, 0])
    return to_int16(to_float32(samples).mean(axis=1, dtype=np.float32))


def resampled_length(count: int, from_rate: int, to_rate: int) -> int:
    """Return how many samples ``count`` samples become: rounded, halves up."""
    return (2 * count * to_rate + from_rate) // (2 * from_rate)


def resample(samples: npt.NDArray[np.generic], from_rate: int, to_rate: int) -> Int16:
    """Resample a whole clip of int16 or float samples in -1..1, (n,) or (n, channels).

    Bit-reproducible, and the same samples as :class:`StreamResampler` gives in chunks.

    Args:
        samples: The clip.
        from_rate: Its sample rate in Hz.
        to_rate: The sample rate in Hz to give.

    Raises:
        ArgumentError: A rate that isn't positive, or samples of another type.
    """
    _check_rates(from_rate, to_rate)
    if from_rate == to_rate or len(samples) == 0:
        return to_int16(samples)
    import soxr

    length = resampled_length(len(samples), from_rate, to_rate)
    clip = soxr.resample(to_float32(samples), from_rate, to_rate, quality="HQ")
    return _fitted(to_int16(clip), length)


class StreamResampler:
    """Resamples int16 chunks of any length, as one clip would be.

    Sample-aligned: output sample ``i`` belongs to input time ``i / to_rate``, and after
    :meth:`flush` there are ``round(n * to_rate / from_rate)`` of them. Until then soxr holds
    some back (up to 40 ms from 16 kHz, 75 ms from 8 kHz). For one thread at a time.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        """Make a resampler.

        Raises:
            ArgumentError: A rate (Hz) that isn't positive.
        """
        _check_rates(from_rate, to_rate)
        self.from_rate = from_rate
        self.to_rate = to_rate
        self.samples_in: int = 0  # written by process()
        self.samples_out: int = 0  # written by process() and flush()
        self._stream = None
        self._restart()

    def process(self, samples: Int16) -> Int16:
        """Take a chunk, (n,), and return what is ready: possibly nothing."""
        self.samples_in += len(samples)
        if self._stream is None:
            ready = samples
        else:
            ready = to_int16(self._stream.resample_chunk(to_float32(samples)))
        self.samples_out += len(ready)
        return ready

    def flush(self) -> Int16:
        """Return what is held back, and be ready for another clip."""
        held = np.zeros(0, np.int16)
        if self._stream is not None and self.samples_in:
            length = resampled_length(self.samples_in, self.from_rate, self.to_rate)
            last = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
            held = _fitted(to_int16(last), max(0, length - self.samples_out))
        self._restart()
        return held

    def _restart(self) -> None:
        self.samples_in = self.samples_out = 0
        if self.from_rate != self.to_rate:
            import soxr

            self._stream = soxr.ResampleStream(
                self.from_rate, self.to_rate, 1, dtype="float32", quality="HQ"
            )


def rms(samples: npt.NDArray[np.generic]) -> float:
    """Return the root mean square as 0..1 of full scale; 0.0 for no samples."""
    if samples.size == 0:
        return 0.0
    return float(np.sqrt(np.mean(np.square(to_float32(samples), dtype=np.float64))))


def peak(samples: npt.NDArray[np.generic]) -> float:
    """Return the largest magnitude as 0..1 of full scale; 0.0 for no samples."""
    return float(np.abs(to_float32(samples)).max()) if samples.size else 0.0


def dbfs(level: float) -> float:
    """Return a level of 0..1 in dB of full scale, -96.0 at the least."""
    return max(SILENCE_DBFS, 20.0 * float(np.log10(level))) if level > 0 else SILENCE_DBFS


def envelope(samples: npt.NDArray[np.generic], columns: int) -> tuple[Float32, Float32]:
    """Return the least and the greatest sample of each of ``columns`` equal stretches, for plots.

    Args:
        samples: (n,), int16 or float.
        columns: How many stretches; with fewer samples than that, one for each sample.

    Returns:
        Two float32 arrays of -1..1 and of length ``min(columns, n)``.

    Raises:
        ArgumentError: ``columns`` isn't positive.
    """
    if columns < 1:
        raise ArgumentError(f"an envelope of {columns} columns; give at least 1")
    count = min(columns, len(samples))
    if count == 0:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    starts = np.arange(count, dtype=np.int64) * len(samples) // count
    lo, hi = np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
    return to_float32(lo), to_float32(hi)


def _fitted(samples: Int16, length: int) -> Int16:
    """Cut or zero-pad at the end: soxr may be one sample off where a half is rounded."""
    if len(samples) >= length:
        return samples[:length]
    missing = [(0, length - len(samples)), *[(0, 0)] * (samples.ndim - 1)]
    return np.pad(samples, missing)


def _check_rates(*rates: int) -> None:
    for rate in rates:
        if rate <= 0:
            raise ArgumentError(f"a sample rate of {rate!r} Hz; give a positive one")
