"""Where a voice ends, by its own samples: a verdict doesn't depend on when it was asked for.

The turn model's verdict moves with the silence behind the last word: "yes please" was complete at
12 of 16 phases of the detector's windows, because a window more or less of silence was behind it.
What the model is given ends a fixed time behind the last sample of the voice, so that the same
words in silence are the same samples, whenever the detector looks.

Pure; any thread.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Pieces of sound, int16, with the time at which each came.
Heard = Sequence[tuple[float, NDArray[np.int16]]]

#: Seconds of sound that are looked at: as much as the turn model hears.
LOOKED_AT_SECS = 8.0
#: A sample is the voice's above this share of the loudest 0.1 s (-28 dB), this many times the
#: level of what is quietest, and this amplitude of 32767.
SHARE, TIMES_QUIET, LEAST = 0.04, 5.0, 60.0
#: What is quietest is noise, and no part of the voice, below this share of the loudest.
NOISE_SHARE = 0.1
#: Seconds in which levels are measured.
_PIECE_SECS = 0.005


def silence_of(heard: Heard, sample_rate: int) -> float:
    """Return how many seconds of silence stand at the end of a sound; 0.0 where none is found."""
    samples = _last(heard, sample_rate)
    piece = max(1, round(_PIECE_SECS * sample_rate))
    levels = _levels(samples, piece)
    if not len(levels):
        return 0.0
    width = min(20, len(levels))
    loudest = float(np.sqrt(np.convolve(levels**2, np.ones(width) / width, "same").max()))
    quiet = float(np.percentile(levels, 5))
    limit = max(LEAST, SHARE * loudest)
    if quiet < NOISE_SHARE * loudest:
        limit = max(limit, TIMES_QUIET * quiet)
    voice = np.flatnonzero(np.abs(samples.astype(np.int32)) > limit)
    return (len(samples) - 1 - int(voice[-1])) / sample_rate if len(voice) else 0.0


def with_silence(
    heard: Heard, sample_rate: int, secs: float
) -> list[tuple[float, NDArray[np.int16]]]:
    """Return a sound with no more than ``secs`` of the silence at its end."""
    surplus = round(max(0.0, silence_of(heard, sample_rate) - secs) * sample_rate)
    kept = list(heard)
    while kept and surplus >= len(kept[-1][1]):
        surplus -= len(kept.pop()[1])
    if kept and surplus:
        at, samples = kept[-1]
        kept[-1] = at, samples[:-surplus]
    return kept


def _last(heard: Heard, sample_rate: int) -> NDArray[np.int16]:
    """Return the last seconds as one array."""
    wanted, pieces = round(LOOKED_AT_SECS * sample_rate), list[NDArray[np.int16]]()
    for _, samples in reversed(heard):
        pieces.append(samples)
        wanted -= len(samples)
        if wanted <= 0:
            break
    return np.concatenate(pieces[::-1]) if pieces else np.zeros(0, np.int16)


def _levels(samples: NDArray[np.int16], piece: int) -> NDArray[np.float64]:
    count = len(samples) // piece
    pieces = samples[len(samples) - count * piece :].reshape(count, piece).astype(np.float64)
    return np.sqrt((pieces**2).mean(axis=1))
