"""Word errors: how much of what a caller said was understood. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from piopiy_lab import events as ev
from piopiy_lab.call.record import CallRecord
from piopiy_lab.offline.wording import spoken_form

#: What the offline recogniser writes where it understood nothing: no words.
_UNCLEAR = re.compile(r"\[unclear[^\]]*\]")


@dataclass(frozen=True)
class WordErrors:
    """Errors in words: substitutions, deletions and insertions, over the words that were said."""

    errors: int
    words: int

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(self.errors + other.errors, self.words + other.words)

    @property
    def rate(self) -> float:
        """Errors over words; may exceed 1."""
        return self.errors / max(1, self.words)

    def __str__(self) -> str:
        return f"{100 * self.rate:.0f} % ({self.errors} of {self.words})"


NO_WORDS = WordErrors(0, 0)


def word_errors(said: str, heard: str) -> WordErrors:
    """Count the fewest errors that make one text of another, both as one says them."""
    return count_errors(spoken_form(said).split(), spoken_form(heard).split())


def count_errors(said: Sequence[str], heard: Sequence[str]) -> WordErrors:
    """Count by Levenshtein's distance, in words."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        above, row = row, [i]
        for j, other in enumerate(heard, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (word != other)))
    return WordErrors(row[-1], len(said))


def errors_of(call: CallRecord) -> WordErrors | None:
    """Count what was not understood of a scripted caller.

    What was said beside the talk (to somebody else, a cough) is not to be understood. None if a
    part of it is sound without a text, or nobody with a screenplay spoke.
    """
    said = [spoke for spoke in call.events.of(ev.CallerSpoke) if not spoke.beside]
    if not said or any(spoke.found for spoke in said):
        return None
    texts = [spoke.text for spoke in said if spoke.text is not None]
    if len(texts) < len(said):
        return None
    heard = " ".join(entry.text for entry in call.transcript if entry.role == "user")
    return word_errors(" ".join(texts), _UNCLEAR.sub(" ", heard))
