"""Syllables without sense, in place of what was said: a voice to a detector, and nobody's. Pure.

A tone, as broadcasters have it, is silence to a voice activity detector: the turn would end where
a name was. This is a row of vowels of a made-up vocal tract (harmonics of a falling pitch, shaped
by three formants), for which Silero is sure of a voice from the first window to the last.
"""

from __future__ import annotations

import numpy as np

from piopiy_lab.sound.pcm import Int16

#: Hz of the pitch, and seconds of a syllable: slower ones are a hum to the detector after a second.
PITCH_HZ, SYLLABLE_SECS = 130.0, 0.12
#: Seconds in which a syllable rises and falls.
EDGE_SECS = 0.03
#: Hz of the first three formants of a, i, u and e (after Peterson and Barney, 1952, rounded).
VOWELS = np.array([(700, 1220, 2600), (300, 2300, 3000), (350, 800, 2400), (500, 1800, 2500)])
#: Their bandwidths in Hz, and their parts.
WIDTHS, PARTS = (90, 110, 160), (1.0, 0.5, 0.25)
#: Hz up to which there are harmonics.
TOP_HZ = 3800.0


def babble(count: int, rate: int, peak: int = 6000) -> Int16:
    """Return babble, the same every time: int16, (count,).

    Args:
        count: Samples.
        rate: Hz.
        peak: Of the samples, 1 to 32767.
    """
    if count == 0:
        return np.zeros(0, np.int16)
    secs = np.arange(count) / rate
    number = np.floor(secs / SYLLABLE_SECS).astype(int)
    within = secs / SYLLABLE_SECS % 1
    pitch = PITCH_HZ * (1 + 0.1 * np.sin(np.pi * within) - 0.06 * np.minimum(secs, 3))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    glide = np.clip((within - 0.6) / 0.4, 0, 1)[:, None]
    these, next_ones = VOWELS[number % len(VOWELS)], VOWELS[(number + 1) % len(VOWELS)]
    formants = these * (1 - glide) + next_ones * glide
    sound = np.zeros(count)
    for harmonic in range(1, int(min(TOP_HZ, rate / 2) / (1.1 * PITCH_HZ))):
        shape = sum(
            part / np.sqrt(1 + ((harmonic * pitch - formants[:, n]) / width) ** 2)
            for n, (width, part) in enumerate(zip(WIDTHS, PARTS, strict=True))
        )
        sound += shape * np.sin(harmonic * phase) / harmonic**0.3
    edge = np.minimum(within, 1 - within) * SYLLABLE_SECS / EDGE_SECS
    sound *= 0.15 + 0.85 * np.minimum(1, edge)
    highest = float(np.abs(sound).max()) or 1.0
    return (peak * sound / highest).astype(np.int16)
