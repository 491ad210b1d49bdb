"""Where somebody speaks on one channel: the detector says that, the sound's own edges say when.

Silero hears speech and not noise, but is sure of it up to 0.3 s late and knows windows of 32 ms.
So what it finds is moved to the edges of the sound around it. Pure; any thread.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from piopiy_lab.elsewhere.draft import Span
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16

#: The detector's settings: a short "yes" counts, and so does a quiet voice.
SETTINGS = {"confidence": 0.5, "start_secs": 0.1, "stop_secs": 0.2, "min_volume": 0.0}
#: Seconds of a step in which the level is measured.
STEP_SECS = 0.01
#: Sound is what is louder than this (RMS in int16 steps), and than so many times the noise.
LEAST_LEVEL, OVER_NOISE = 20.0, 4.0
#: The noise is louder than at most this part of the time, and below this part of the voice.
NOISE_QUANTILE, BELOW_VOICE = 0.1, 0.1
#: How far the detector may be from an edge of the sound, in seconds, before and after speech.
EARLIER_SECS, LATER_SECS = 0.5, 0.3
#: A silence inside of a word, in seconds: a stop is up to 0.1 s long.
IN_A_WORD_SECS = 0.2
#: A pause that parts two spans of the caller's, and of the agent's, in seconds. Sentences of a
#: synthesised answer are 0.2 to 0.4 s apart.
CALLER_PAUSE_SECS, AGENT_PAUSE_SECS = 0.3, 0.5
#: What is this quiet at its loudest is made louder for the detector, as parts of full scale.
QUIET, LOUD = 0.2, 0.5
#: Seconds of silence around sound that the detector hears, too; the rest it needn't hear.
AROUND_SECS = 1.0
#: Steps whose level is measured at once.
STEPS_AT_ONCE = 10_000
#: Hz that the detector hears at.
RATE = 16_000

Levels = npt.NDArray[np.float64]


def speech_spans(
    samples: Int16, rate: int, pause_secs: float, noise: float | None = None
) -> list[Span]:
    """Return where somebody speaks.

    Args:
        samples: One side: int16, (n,).
        rate: Hz.
        pause_secs: Silences shorter than this are part of a span.
        noise: The line's noise, as :func:`noise_of` gives it, where some of it was taken out.

    Returns:
        ``(start, end)`` in seconds, in order.
    """
    loudest = pcm.peak(samples)
    if loudest == 0.0:
        return []
    levels = levels_of(samples, rate)
    bursts = _bursts(levels, noise_of(levels) if noise is None else noise)
    secs = len(samples) / rate
    around = [(max(0.0, a - AROUND_SECS), min(secs, b + AROUND_SECS)) for a, b in bursts]
    gain = LOUD / loudest if loudest < QUIET else 1.0
    judged = [
        span for part in _joined(around, AROUND_SECS) for span in _judged(samples, rate, part, gain)
    ]
    return _joined([_edged(span, bursts, secs) for span in judged], pause_secs)


def _judged(samples: Int16, rate: int, part: Span, gain: float) -> list[Span]:
    """Return what the detector takes for speech in a part of the recording."""
    from piopiy_lab.turn_lab.judged import Detector  # pipecat and its model: seconds

    piece = samples[round(part[0] * rate) : round(part[1] * rate)]
    heard = pcm.to_float32(piece) * np.float32(gain)
    found = Detector(pcm.resample(heard, rate, RATE)).detect(SETTINGS)
    start, stop = SETTINGS["start_secs"], SETTINGS["stop_secs"]
    return [(part[0] + a - start, part[0] + b - stop) for a, b in found]


def levels_of(samples: Int16, rate: int) -> Levels:
    """Return the RMS of each step of 10 ms, in int16 steps."""
    size = round(rate * STEP_SECS)
    count = len(samples) // size
    levels = np.zeros(count)
    for first in range(0, count, STEPS_AT_ONCE):
        last = min(count, first + STEPS_AT_ONCE)
        steps = samples[first * size : last * size].reshape(-1, size).astype(np.float64)
        levels[first:last] = np.sqrt(np.mean(np.square(steps), axis=1))
    return levels


def noise_of(levels: Levels) -> float:
    """Return the level of what is always heard, in int16 steps."""
    return float(np.quantile(levels, NOISE_QUANTILE)) if len(levels) else 0.0


def _bursts(levels: Levels, noise: float) -> list[Span]:
    """Return the stretches of sound, without the silences inside of words."""
    if not len(levels):
        return []
    voice = float(np.quantile(levels, 0.99))
    least = max(LEAST_LEVEL, min(OVER_NOISE * noise, BELOW_VOICE * voice))
    loud = np.concatenate([[False], levels > least, [False]])
    edges = np.flatnonzero(loud[1:] != loud[:-1]) * STEP_SECS
    return _joined([(float(a), float(b)) for a, b in edges.reshape(-1, 2)], IN_A_WORD_SECS)


def _edged(span: Span, bursts: list[Span], secs: float) -> Span:
    """Move a span to the edges of the sound that it is in, if they are near."""
    inside = [burst for burst in bursts if burst[0] < span[1] and burst[1] > span[0]]
    start, end = max(0.0, span[0]), min(secs, span[1])
    if inside:
        first, last = inside[0][0], inside[-1][1]
        if start - first <= EARLIER_SECS:
            start = first
        if abs(last - end) <= LATER_SECS or last < end:
            end = last
    return start, min(secs, max(start, end))


def _joined(spans: list[Span], pause_secs: float) -> list[Span]:
    joined: list[Span] = []
    for start, end in spans:
        if joined and start - joined[-1][1] < pause_secs:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined
