"""A recording as a small MP3, for embedding: the one codec that every browser plays.

16 kHz, stereo, 40 kbit/s: about 300 kB a minute, or 400 kB once it is base64. That is the lowest
rate at which the file still says how much padding the encoder added, so that times in the
browser are times of the call (below it the sound comes 0.1 s late).
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from piopiy_lab.sound.pcm import Int16

MP3_RATE = 16_000  # Hz
BLOCK_SECS = 20
#: libsndfile's scale from 0 to 1; with a constant bit rate at 16 kHz stereo this is 40 kbit/s.
COMPRESSION = 0.8


def mp3_of(samples: Int16, rate: int, max_secs: float) -> bytes | None:
    """Encode the first ``max_secs`` seconds of a recording; the same bytes every time.

    Takes about 12 ms of CPU per second of sound.

    Args:
        samples: int16, shape (n, 2).
        rate: Hz.
        max_secs: Where it is cut.

    Returns:
        The file, or None when this libsndfile (older than 1.1) or soundfile (older than 0.13)
        can't write such MP3.
    """
    import soundfile

    if "MP3" not in soundfile.available_formats():
        return None
    samples = samples[: int(max_secs * rate)]
    # libsndfile 1.2's MP3 encoder garbles int16 input: always hand it float32.
    settings: dict[str, Any] = {"compression_level": COMPRESSION, "bitrate_mode": "CONSTANT"}
    buffer = BytesIO()
    try:
        file = soundfile.SoundFile(
            buffer, "w", MP3_RATE, 2, "MPEG_LAYER_III", format="MP3", **settings
        )
    except TypeError:
        return None
    with file:
        for block in _blocks(samples, rate):
            file.write(block)
    return buffer.getvalue()


def _blocks(samples: Int16, rate: int) -> Iterator[npt.NDArray[np.floating]]:
    """Yield float32 blocks at :data:`MP3_RATE`."""
    size = BLOCK_SECS * rate
    resampler = None
    if rate != MP3_RATE:
        import soxr

        resampler = soxr.ResampleStream(rate, MP3_RATE, 2, dtype="float32")
    for at in range(0, len(samples), size):
        block = samples[at : at + size].astype(np.float32) / 32_768
        if resampler is not None:
            block = resampler.resample_chunk(block, last=at + size >= len(samples))
        yield block
