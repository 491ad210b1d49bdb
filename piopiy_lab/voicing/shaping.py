"""From what a voice gave to what a caller says: trimmed, at one level, with word times. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from piopiy_lab.screenplay.voice import LEVEL_DB, RESAMPLED_PART, Spoken, Words, drawn
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16

#: Windows of so many seconds that are this much below the loudest are silence: what a caller's
#: sound begins and ends with is cut off, for its end is what the agent's answer is measured from.
WINDOW_SECS, SILENT_DB = 0.01, -40.0
#: Seconds of it that are left at either end: soft consonants.
MARGIN_SECS = 0.03
#: Peak to which a service's voice is brought, of full scale: that of espeak-ng's.
PEAK = 0.5
#: A sound whose loudest sample is at most this (of 32767) is none.
NO_SOUND = 50


def has_sound(samples: Int16) -> bool:
    """Return whether anything can be heard in int16 samples, (n,)."""
    return bool(len(samples)) and int(np.abs(samples.astype(np.int32)).max()) > NO_SOUND


def shaped(
    samples: Int16, rate: int, text: str, starts: Sequence[tuple[str, float]], *, level: bool
) -> Spoken:
    """Return a voice's sound as the caller says it.

    Args:
        samples: int16, (n,), with a sound in it.
        rate: Hz.
        text: What was to be said.
        starts: ``(word, seconds)`` as the voice gave them; none if it gave none.
        level: Whether to bring it to :data:`PEAK`.
    """
    begin, end = _voiced(samples, rate)
    kept = samples[begin:end]
    if level:
        loudest = int(np.abs(kept.astype(np.int32)).max())
        kept = np.rint(kept.astype(np.float64) * (PEAK * 32767 / loudest)).astype(np.int16)
    length = len(kept) / rate
    words = _given(text, starts, begin / rate, length)
    if words is None:
        return Spoken(kept, rate, estimated_words(text, length), estimated=True)
    return Spoken(kept, rate, words)


def _voiced(samples: Int16, rate: int) -> tuple[int, int]:
    """Return the first sample that stays, and the one after the last."""
    size = max(1, round(WINDOW_SECS * rate))
    count = -(-len(samples) // size)
    padded = np.zeros(count * size)
    padded[: len(samples)] = samples
    power = (padded.reshape(count, size) ** 2).mean(axis=1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (SILENT_DB / 10))
    margin = round(MARGIN_SECS * rate)
    begin = max(0, int(loud[0]) * size - margin)
    return begin, min(len(samples), (int(loud[-1]) + 1) * size + margin)


def estimated_words(text: str, secs: float) -> Words:
    """Return words spread over a sound by their lengths: each letter takes the same time."""
    tokens = text.split()
    lengths = [1 + sum(one.isalnum() for one in token) for token in tokens]
    ends = np.cumsum(lengths) / sum(lengths) * secs if tokens else []
    starts = [0.0, *(float(end) for end in ends[:-1])] if tokens else []
    return tuple(
        (token, round(start, 6), round(float(end), 6))
        for token, start, end in zip(tokens, starts, ends, strict=True)
    )


def _given(
    text: str, starts: Sequence[tuple[str, float]], cut: float, length: float
) -> Words | None:
    """Return the text's words at a voice's own times; None if those are of other words.

    A voice tells where a word begins; it ends where the next one begins.
    """
    tokens = text.split()
    if not starts or [_plain(word) for word, _ in starts] != [_plain(token) for token in tokens]:
        return None
    at = [min(length, max(0.0, secs - cut)) for _, secs in starts]
    ends = [*at[1:], length]
    return tuple(
        (token, round(start, 6), round(max(start, end), 6))
        for token, start, end in zip(tokens, at, ends, strict=True)
    )


def _plain(word: str) -> str:
    return re.sub(r"\W", "", word).lower()


def varied(spoken: Spoken, seed: int | None) -> Spoken:
    """Return a sound played a little faster or slower and at another level; as it is for None.

    Speed and pitch move together: it is the same sound at another rate.
    """
    if seed is None:
        return spoken
    speed, _, level = drawn(seed)
    rate = spoken.sample_rate
    played = round(rate * (1 + RESAMPLED_PART * speed))
    samples = pcm.resample(spoken.samples, played, rate).astype(np.float64)
    samples *= 10 ** (LEVEL_DB * level / 20)
    part = rate / played
    words = tuple((text, start * part, end * part) for text, start, end in spoken.words)
    clipped = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
    return Spoken(clipped, rate, words, spoken.estimated)
