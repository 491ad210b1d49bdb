"""A sentence in parts: words, and what is between them. Pure data."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from piopiy_lab.checks.arguments import check_secs
from piopiy_lab.errors import ArgumentError, ArgumentTypeError

#: What a speaker says while they look for a word.
FILLERS = ("uh", "um")
#: Seconds of a hesitation before and after the filler: from, to.
HESITATION_SECS = (0.15, 0.35)


@dataclass(frozen=True)
class Pause:
    """A silence within a sentence.

    Attributes:
        secs: How long.
    """

    secs: float

    def __repr__(self) -> str:
        return f"pause({self.secs:g})"


def pause(secs: float) -> Pause:
    """Make a silence within a sentence.

    ``Caller().says("a table for two", pause(0.6), "tomorrow")``

    Args:
        secs: Seconds, above 0.

    Raises:
        ArgumentError: No such time.
    """
    return Pause(check_secs("secs", secs, zero=False, of="pause"))


@dataclass(frozen=True)
class Phrase:
    """What is said in one go, in parts.

    Attributes:
        parts: Texts and silences, in order; at least one text.
        written: How a screenplay writes it, where that isn't the parts.
    """

    parts: tuple[str | Pause, ...]
    written: str | None = None

    @property
    def text(self) -> str:
        """The words."""
        return " ".join(self.texts)

    @property
    def texts(self) -> list[str]:
        """The parts that are words."""
        return [part for part in self.parts if isinstance(part, str)]

    def __repr__(self) -> str:
        return self.written or ", ".join(map(repr, self.parts))


def phrase_of(parts: Sequence[object]) -> Phrase:
    """Return a phrase of what was given to ``says``.

    Raises:
        ArgumentTypeError: A part is neither a text nor a pause.
        ArgumentError: There are no words in it.
    """
    for part in parts:
        if not isinstance(part, str | Pause):
            raise ArgumentTypeError(
                f"says() in parts takes texts and pause(secs), got {part!r}: a sound is said alone"
            )
    checked = tuple(part for part in parts if isinstance(part, str | Pause))
    for part in checked:
        if isinstance(part, str) and not any(one.isalnum() for one in part):
            raise ArgumentError(f"{part!r} has no words that can be spoken")
    if not any(isinstance(part, str) for part in checked):
        raise ArgumentError("says() was given pauses alone: waits(secs) says nothing for a while")
    return Phrase(checked)


def hesitant(text: str, seed: int) -> Phrase:
    """Return a sentence as somebody says it who looks for words: "uh, a table for, um, two".

    One filler before it, or none, and one before each sixth word or so, each with a silence on
    either side; which and where is drawn by the seed.

    Args:
        text: The sentence.
        seed: Any whole number.

    Raises:
        ArgumentTypeError: The seed is no whole number.
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ArgumentTypeError(f"hesitates={seed!r}: give a seed, a whole number")
    draw = random.Random(f"{seed}:{text}")
    words = _spoken_words(text)
    places = set(draw.sample(range(1, len(words)), max(1, len(words) // 6))) if words[1:] else {0}
    if draw.random() < 0.5:
        places.add(0)
    parts: list[str | Pause] = []
    said: list[str] = []
    for place, word in enumerate(words):
        if place in places:
            if said:
                parts += [" ".join(said), _hesitation(draw)]
            parts += [draw.choice(FILLERS), _hesitation(draw)]
            said = []
        said.append(word)
    return Phrase((*parts, " ".join(said)), f"{text!r}, hesitates={seed}")


def _spoken_words(text: str) -> list[str]:
    """Return a text's words, a lone sign ("?", a dash) with the word beside it."""
    words: list[str] = []
    before = ""
    for one in text.split():
        if any(character.isalnum() for character in one):
            words.append(f"{before} {one}".strip())
            before = ""
        elif words:
            words[-1] += f" {one}"
        else:
            before = f"{before} {one}".strip()
    return words


def _hesitation(draw: random.Random) -> Pause:
    return Pause(round(draw.uniform(*HESITATION_SECS), 2))
