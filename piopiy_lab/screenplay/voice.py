"""Whose voice a caller has, and what was synthesised of it. Pure data.

Names are resolved in ``piopiy_lab.voicing``, before the call: this room knows no service.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.sound.pcm import Int16

if TYPE_CHECKING:
    from piopiy_lab.sound import speech

#: ``(text, start, end)`` in seconds from a sound's first sample.
Words = tuple[tuple[str, float, float], ...]

#: By how much a voice varies from seed to seed: speed and pitch as parts of their own, level in dB.
RATE_PART, PITCH_PART, LEVEL_DB = 0.1, 0.08, 4.0
#: The same of a voice that can only be played faster or slower: a semitone either way.
RESAMPLED_PART = 0.06
#: An octave of espeak-ng's pitch scale, which has 100 steps (measured: its pitch doubles).
_PITCH_STEPS = 50


@dataclass(frozen=True)
class Voice:
    """The voice of a service of pipecat's, for a ``Caller``.

    The service speaks each text of the screenplay once, before the call; what it gave is kept on
    disk when there is a ``version``.

    Attributes:
        make_tts: A function without arguments that makes the service; called on a loop of its own.
        version: Names this voice in the cache on disk, beside the function's own name and the texts
            and numbers that it holds (keys left out): the same version is the same voice. None
            keeps it for this process alone, and so does a function that holds anything else.
    """

    make_tts: Callable[[], object]
    version: str | None = None

    def __post_init__(self) -> None:
        if not callable(self.make_tts):
            raise ArgumentTypeError(
                f"Voice({self.make_tts!r}): give a function that makes a TTS service, "
                "Voice(lambda: CartesiaTTSService(...), version='1')"
            )
        if self.version is not None and not isinstance(self.version, str):
            raise ArgumentTypeError(f"Voice(version={self.version!r}): give a text")

    def __repr__(self) -> str:
        made_by = getattr(self.make_tts, "func", self.make_tts)  # of a functools.partial
        name = getattr(made_by, "__qualname__", type(made_by).__qualname__)
        version = "" if self.version is None else f", version={self.version!r}"
        return f"Voice({name}{version})"


@dataclass(frozen=True, eq=False)
class Spoken:
    """A text as a voice spoke it.

    Attributes:
        samples: int16, (n,).
        sample_rate: Hz.
        words: Its words, with their times.
        estimated: Whether the times are a guess by the words' lengths: the voice gave none.
        parts: Those of a phrase, with their times; None if it is none.
    """

    samples: Int16
    sample_rate: int
    words: Words = ()
    estimated: bool = False
    parts: Words | None = None


def check_vary(seed: object) -> int | None:
    """Return the seed of a varied voice.

    Raises:
        ArgumentTypeError: It is no whole number.
    """
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ArgumentTypeError(f"vary={seed!r}: give a seed, a whole number, or None")
    return seed


def drawn(seed: int) -> tuple[float, float, float]:
    """Return how a seed varies a voice: three numbers from -1 to 1, of speed, pitch and level."""
    draw = random.Random(f"voice {seed}")
    return draw.uniform(-1, 1), draw.uniform(-1, 1), draw.uniform(-1, 1)


def espeak_voice(voice: object, vary: int | None) -> speech.Voice | None:
    """Return the espeak-ng voice that speaks; None if the voice is of another kind.

    Raises:
        ArgumentError: A name that espeak-ng doesn't know.
        MissingExtraError: espeak-ng is needed to judge it, and isn't installed.
    """
    from piopiy_lab.sound import speech

    if voice is None:
        found = speech.CALLER_VOICE
    elif isinstance(voice, str | speech.Voice):
        found = speech.find_voice(voice)
    else:
        return None
    if vary is None:
        return found
    rate, pitch, level = drawn(vary)
    return replace(
        found,
        rate=min(450, max(80, round(found.rate * (1 + RATE_PART * rate)))),
        pitch=min(99, max(0, found.pitch + round(_PITCH_STEPS * PITCH_PART * pitch))),
        volume=min(1.0, found.volume * 10 ** (LEVEL_DB * level / 20)),
    )


def check_voice(voice: object) -> None:
    """Refuse what can be no voice, before anything is made.

    Raises:
        ArgumentTypeError: It is neither a name, a folder, a ``Voice`` nor one of espeak-ng's.
        ArgumentError: An empty name.
    """
    from piopiy_lab.sound import speech

    if voice is None or isinstance(voice, Voice | speech.Voice | Path):
        return
    if not isinstance(voice, str):
        raise ArgumentTypeError(
            f"voice={voice!r}: give a name (voices() lists them), Voice(make_tts), or the Path of "
            "a folder of clips"
        )
    if not voice.strip():
        raise ArgumentError(f"voice={voice!r} is empty: voices() lists the names")
