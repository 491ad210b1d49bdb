"""What may be heard behind a caller: a television, somebody else who speaks. Made of espeak-ng.

Nothing is shipped: other voices read sentences that have nothing to do with any call, and a
television has a chord under them and the narrow band of its loudspeaker. Loops of about half a
minute, the same for the same seed.
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass

import numpy as np

from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16

#: The kinds there are.
KINDS = ("television", "speaker")
#: Hz at which a loop is made.
RATE = 16000
#: Peak of a loop, of full scale, before its level: that of the callers' voices.
PEAK = 0.5
#: espeak-ng's voices of a television's two speakers, and of somebody in the room.
TELEVISION, SPEAKER = ("en-gb-x-rp+m7", "en-us+f4"), ("en-us+f3",)
#: Seconds between two sentences: from, to.
TELEVISION_GAP, SPEAKER_GAP = (0.2, 0.7), (1.5, 4.0)
#: Hz that a television's loudspeaker lets through, and the chord under its words (A minor).
BAND_HZ, CHORD_HZ = (200.0, 4000.0), (220.0, 261.6, 329.6)
#: The chord's part of the peak.
CHORD_PART = 0.12

SENTENCES = (
    "and now the weather for the weekend",
    "in the north it stays dry with some wind from the west",
    "the minister said that the figures were better than last year",
    "after the break we have the results of all the matches",
    "the bridge was closed for most of the afternoon",
    "we have been told that trains are running again",
    "the film opens in cinemas next week",
    "prices for coffee have gone up once more",
    "the river is expected to rise until the morning",
    "and that was the news from the capital",
)


#: Seconds of a loop at least: a shorter sound is heard again and again within it.
LOOP_SECS = 0.5


@dataclass(frozen=True, eq=False)
class Loop:
    """A sound that goes on and on.

    Attributes:
        samples: int16, (n,).
        sample_rate: Hz.
        passages: ``(text, start, end)`` of what is said in it, in seconds of one round.
    """

    samples: Int16
    sample_rate: int
    passages: tuple[tuple[str | None, float, float], ...]

    def at_rate(self, rate: int) -> Loop:
        """Return the same at another rate, in Hz."""
        if rate == self.sample_rate:
            return self
        return Loop(pcm.resample(self.samples, self.sample_rate, rate), rate, self.passages)

    def louder(self, level_db: float) -> Loop:
        """Return the same so many dB louder; clipped where it would not fit."""
        samples = self.samples.astype(np.float64) * 10 ** (level_db / 20)
        fitting = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
        return Loop(fitting, self.sample_rate, self.passages)


def loop_of(samples: Int16, sample_rate: int) -> Loop:
    """Return a recording as a loop, at the callers' level: one passage whose words nobody knows.

    Args:
        samples: int16, (n,), with a sound in it.
        sample_rate: Hz.
    """
    samples = np.tile(samples, max(1, -(-round(LOOP_SECS * sample_rate) // len(samples))))
    whole = (None, 0.0, len(samples) / sample_rate)
    return Loop(_levelled(samples.astype(np.float64)), sample_rate, (whole,))


@functools.lru_cache(maxsize=8)
def background(kind: str, seed: int = 0) -> Loop:
    """Return a background, the same for the same seed.

    Args:
        kind: One of :data:`KINDS`.
        seed: Which sentences in which order, and how far apart.

    Raises:
        MissingExtraError: espeak-ng isn't installed.
    """
    from piopiy_lab.sound import speech

    draw = random.Random(f"{kind} {seed}")
    television = kind == "television"
    voices = TELEVISION if television else SPEAKER
    gap = TELEVISION_GAP if television else SPEAKER_GAP
    pieces: list[Int16] = []
    passages: list[tuple[str | None, float, float]] = []
    at = 0
    for place, text in enumerate(draw.sample(SENTENCES, len(SENTENCES))):
        silence = np.zeros(round(draw.uniform(*gap) * RATE), np.int16)
        clip = speech.synthesize(text, voices[place % len(voices)], sample_rate=RATE).samples
        begin = at + len(silence)
        at = begin + len(clip)
        passages.append((text, begin / RATE, at / RATE))
        pieces += [silence, clip]
    sound = np.concatenate(pieces).astype(np.float64)
    if television:
        sound = _through_a_loudspeaker(sound + _chord(len(sound), float(np.abs(sound).max())))
    return Loop(_levelled(sound), RATE, tuple(passages))


def _chord(count: int, peak: float) -> np.ndarray:
    secs = np.arange(count) / RATE
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * secs / 7)
    tones = sum(np.sin(2 * np.pi * hz * secs) for hz in CHORD_HZ)
    return CHORD_PART * peak / len(CHORD_HZ) * swell * tones


def _through_a_loudspeaker(sound: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    low, high = BAND_HZ
    rises = 1 / np.sqrt(1 + (low / np.maximum(hz, 1e-9)) ** 4)
    return np.fft.irfft(spectrum * rises / np.sqrt(1 + (hz / high) ** 8), len(sound))


def _levelled(sound: np.ndarray) -> Int16:
    highest = float(np.abs(sound).max()) or 1.0
    return np.rint(sound * (PEAK * 32767 / highest)).astype(np.int16)
