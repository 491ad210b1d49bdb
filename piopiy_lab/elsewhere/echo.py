"""One side's sound on the other's channel: found by its level, and left out of what is looked at.

A phone line gives the agent back at some -30 dB, which a detector hears as speech. What is that
much quieter than the other side, while the other side is heard, is taken for its echo. Pure; any
thread.
"""

from __future__ import annotations

import numpy as np

from piopiy_lab.elsewhere.spans import LEAST_LEVEL, STEP_SECS, levels_of
from piopiy_lab.sound.pcm import Int16

#: How much later an echo may come, in seconds.
LATEST_SECS = 0.4
#: More than this part of the other side's level is nobody's echo.
LOUDEST = 0.3
#: So many times the usual echo is still echo: the usual one is exceeded in one step of ten.
MARGIN, USUAL = 2.0, 0.9
#: With an echo a channel is this many times as loud while the other side is heard.
LOUDER = 1.3
#: Seconds in which the other side must be heard, to say anything.
LEAST_SECS = 1.0


def without_echo(
    samples: Int16, rate: int, other: Int16, other_rate: int
) -> tuple[Int16, float | None]:
    """Return a side with silence in the place of the other side's echo.

    Args:
        samples: The side: int16, (n,).
        rate: Hz.
        other: The other side: int16, (m,).
        other_rate: Hz.

    Returns:
        The samples, and the echo's level as a part of the other side's; None without one.
    """
    own, theirs = levels_of(samples, rate), levels_of(other, other_rate)
    count = min(len(own), len(theirs))
    own, theirs = own[:count], theirs[:count]
    back = round(LATEST_SECS / STEP_SECS)
    if count <= back or not theirs.any():
        return samples, None
    padded = np.concatenate([np.zeros(back), theirs])
    far = np.lib.stride_tricks.sliding_window_view(padded, back + 1).max(axis=1)
    speaks = far > max(LEAST_LEVEL, 0.1 * float(np.quantile(theirs[theirs > 0], 0.99)))
    if speaks.sum() * STEP_SECS < LEAST_SECS:
        return samples, None
    part = own[speaks] / far[speaks]
    usual = float(np.quantile(part[part < LOUDEST], USUAL)) if (part < LOUDEST).any() else 0.0
    alone = own[~speaks]
    noise = float(np.quantile(alone, 0.25)) if len(alone) else 0.0
    heard = float(np.median(own[speaks][part < LOUDEST])) if usual else 0.0
    if heard <= max(1.0, LOUDER * noise):
        return samples, None
    echo = np.flatnonzero(speaks & (own < min(LOUDEST, MARGIN * usual) * far))
    size = round(rate * STEP_SECS)
    cleared = samples.copy()
    cleared[: count * size].reshape(count, size)[echo] = 0
    return cleared, usual
