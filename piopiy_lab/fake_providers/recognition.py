"""What a fake recogniser makes of an utterance: a script's next line, or what it really hears."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.fake_providers.hearing import Utterance, spread
from piopiy_lab.sound import pcm

# (word, start, end), in seconds of the stream.
Words = list[tuple[str, float, float]]


class Recogniser(Protocol):
    """Turns utterances into words."""

    def words(self, utterance: Utterance, sample_rate: int) -> Words:
        """Return what was said, with times; nothing when nothing was understood."""
        ...

    def guess(self, secs: float) -> str:
        """Return a guess at an utterance that has gone on for so long."""
        ...


class Script:
    """Utterance by utterance, the next line of a script; word times are spread by length."""

    def __init__(self, lines: Sequence[str]) -> None:
        if isinstance(lines, str) or not all(isinstance(line, str) for line in lines):
            raise ArgumentTypeError(f"script={lines!r}: give a list of texts, one per utterance")
        self._lines = list(lines)
        self._next = 0

    def words(self, utterance: Utterance, sample_rate: int) -> Words:
        """Return the next line's words; past the script's end, words that say so."""
        self._next += 1
        known = self._next <= len(self._lines)
        text = self._lines[self._next - 1] if known else f"unscripted utterance {self._next}"
        return spread(text, utterance.start, utterance.end)

    def guess(self, secs: float) -> str:
        """Return the first words of the next line, 2.5 of them a second."""
        line = self._lines[self._next] if self._next < len(self._lines) else ""
        return " ".join(line.split()[: int(secs * 2.5)])


class Offline:
    """What the offline recogniser hears, of a list of phrases."""

    def __init__(
        self, phrases: Sequence[str], slots: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        from piopiy_lab.offline import decoders
        from piopiy_lab.offline.phrases import PhraseBook

        self._book = PhraseBook(phrases, slots)
        decoders.check_words(self._book, {})

    def words(self, utterance: Utterance, sample_rate: int) -> Words:
        """Decode an utterance; no words when it is none of the phrases."""
        from piopiy_lab.offline import lending, recogniser

        samples = pcm.resample(utterance.samples, sample_rate, recogniser.SAMPLE_RATE)
        lead = max(0.0, len(utterance.samples) / sample_rate - (utterance.end - utterance.start))
        borrowed = lending.Borrowed(self._book, {})
        try:
            ear = borrowed.recogniser
            beginning = np.asarray(samples[: round(0.8 * recogniser.SAMPLE_RATE)])
            onset = recogniser.onset(beginning)
            ear.begin(beginning)
            ear.feed(samples[onset:])
            heard = ear.end(recogniser.REJECTION_THRESHOLD)
        finally:
            borrowed.give_back()
        if not heard.accepted:
            return []
        began = max(0.0, utterance.start - lead) + onset / recogniser.SAMPLE_RATE
        return [(w, round(began + a, 3), round(began + b, 3)) for w, a, b in heard.words]

    def guess(self, secs: float) -> str:
        """It guesses nothing."""
        return ""


def make_recogniser(
    script: Sequence[str] | None,
    phrases: Sequence[str] | None,
    slots: Mapping[str, Sequence[str]] | None,
) -> Recogniser:
    """Make what recognises: a script or phrases, one of the two."""
    if (script is None) == (phrases is None):
        raise ArgumentError(
            "give either script=[...] (what is recognised, utterance by utterance) or "
            "phrases=[...] (what the offline recogniser listens for)"
        )
    if script is not None:
        if slots is not None:
            raise ArgumentError("slots= belongs to phrases=, and there is a script")
        return Script(script)
    return Offline(phrases or (), slots)
