"""What a caller may be given to say, and how words are compared. Pure."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.screenplay.steps import Audio, AudioFile


def words_of(text: str) -> list[str]:
    """Return a text's words as they are compared: lower case, without punctuation."""
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text.lower())


def contains(heard: str, pattern: str | re.Pattern[str]) -> bool:
    """Say whether the heard words contain the pattern (see :meth:`Caller.hears`)."""
    if isinstance(pattern, re.Pattern):
        return pattern.search(heard) is not None
    wanted, words = words_of(pattern), words_of(heard)
    return any(words[i : i + len(wanted)] == wanted for i in range(len(words) - len(wanted) + 1))


def speakable(said: object) -> str | Audio | AudioFile:
    """Return what a caller is given to say, checked.

    Raises:
        ArgumentError: A text without words, or an empty sound.
        ArgumentTypeError: Something that can't be said.
    """
    if isinstance(said, str):
        if not words_of(said):
            raise ArgumentError(f"{said!r} has no words that can be spoken")
        return said
    if isinstance(said, Path):
        return AudioFile(said)
    if isinstance(said, tuple) and len(said) == 2:
        try:
            rate = int(said[1])
        except (TypeError, ValueError, OverflowError):
            raise ArgumentTypeError(
                f"the audio's rate is {said[1]!r}: give Hz, such as 16000"
            ) from None
        said = Audio(np.asarray(said[0]), rate)
    if isinstance(said, Audio):
        if said.samples.dtype != np.int16 or said.samples.ndim != 1 or said.sample_rate <= 0:
            raise ArgumentTypeError(
                "audio must be int16 samples of shape (n,) with a rate in Hz, got "
                f"{said.samples.dtype} of shape {said.samples.shape} at {said.sample_rate} Hz"
            )
        if len(said.samples) == 0:
            raise ArgumentError("the audio is empty: give at least one sample")
        return said
    if isinstance(said, AudioFile):
        return said
    raise ArgumentTypeError(
        f"can't say {said!r}: give a text, a Path, an AudioFile, an Audio, or (samples, rate)"
    )
