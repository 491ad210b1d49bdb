"""Missing words from a recogniser that is given: a function, or a phrase book's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from piopiy_lab.checks.texts import described, shown
from piopiy_lab.elsewhere.draft import Said, Span, Word
from piopiy_lab.elsewhere.sounds import Sides
from piopiy_lab.errors import ArgumentTypeError, ForeignCallError
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16

if TYPE_CHECKING:
    from piopiy_lab.offline.phrases import PhraseBook

#: ``recogniser(samples, sample_rate)``: the text, or the text and ``(word, start, end)`` of each
#: word in seconds of the samples.
Recogniser = Callable[[Int16, int], Any]

#: Seconds around a span that a recogniser hears, too.
MARGIN_SECS = 0.2


def recognise(said: list[Said], sides: Sides, recogniser: Recogniser | PhraseBook) -> None:
    """Give the entries that have no words what the recogniser hears.

    Args:
        said: The placed entries; their ``text`` and ``words`` are written.
        sides: The sound.
        recogniser: A function, for both sides; or a phrase book, for the caller's.

    Raises:
        ArgumentTypeError: It is neither.
        ForeignCallError: The function raised, or gave something else than words.
    """
    hears, both = _hearer(recogniser)
    for one in said:
        if one.text or not one.spans or (one.role == "assistant" and not both):
            continue
        of_user = one.role == "user"
        samples, rate = (
            (sides.caller, sides.caller_rate) if of_user else (sides.agent, sides.agent_rate)
        )
        heard = [_words_of(hears, samples, rate, span) for span in one.spans]
        one.text = " ".join(text for text, _ in heard if text)
        if all(words for text, words in heard if text):
            one.words = tuple(word for _, words in heard for word in words)


def _words_of(
    hears: Recogniser, samples: Int16, rate: int, span: Span
) -> tuple[str, tuple[Word, ...]]:
    begin = max(0, round((span[0] - MARGIN_SECS) * rate))
    piece = samples[begin : round((span[1] + MARGIN_SECS) * rate)].copy()
    try:
        given = hears(piece, rate)
        text, words = given if isinstance(given, tuple) else (given, ())
        offset = begin / rate
        placed = tuple(
            (str(word), round(start + offset, 6), round(end + offset, 6))
            for word, start, end in words
        )
    except Exception as error:  # whatever the user's function does
        raise ForeignCallError(
            f"the recogniser failed on {span[0]:.1f} to {span[1]:.1f} s ({described(error)}): it "
            "is given int16 samples and Hz, and returns a text, or (text, [(word, start, end)])"
        ) from error
    return str(text or "").strip(), placed


def _hearer(recogniser: Recogniser | PhraseBook) -> tuple[Recogniser, bool]:
    from piopiy_lab.offline.phrases import PhraseBook

    if isinstance(recogniser, PhraseBook):
        return _of_book(recogniser), False
    if callable(recogniser):
        return recogniser, True
    raise ArgumentTypeError(
        f"recogniser={shown(recogniser)}: give a function of (samples, sample_rate), "
        "or a PhraseBook"
    )


def _of_book(book: PhraseBook) -> Recogniser:
    from piopiy_lab.offline.lending import load_recogniser
    from piopiy_lab.offline.phrases import unclear_text
    from piopiy_lab.offline.recogniser import REJECTION_THRESHOLD, SAMPLE_RATE, onset

    def hears(samples: Int16, rate: int) -> tuple[str, Iterable[Word]]:
        heard = pcm.resample(np.asarray(samples), rate, SAMPLE_RATE)
        borrowed = load_recogniser(book, {})
        try:
            recogniser = borrowed.recogniser
            beginning = heard[: SAMPLE_RATE * 6 // 10]
            begun = onset(beginning)
            recogniser.begin(beginning)
            recogniser.feed(heard[begun:])
            result = recogniser.end(REJECTION_THRESHOLD)
        finally:
            borrowed.give_back()
        if result.accepted:
            at = begun / SAMPLE_RATE
            return result.text, [(word, at + a, at + b) for word, a, b in result.words]
        return unclear_text(book.nearest(result.text, 1)[0] if result.text else None), ()

    return hears
