"""PocketSphinx's decoders and their dictionary: made, kept and lent. Any thread may take one.

Loading one with the whole dictionary takes 150 ms, in which PocketSphinx holds the interpreter's
lock; so they get the words of their grammars alone (15 ms), and are kept. No two recognisers ever
have the same at a time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Protocol

from piopiy_lab.errors import ArgumentError, MissingExtraError, PhraseError
from piopiy_lab.offline import narrow_band
from piopiy_lab.offline.phrases import PhraseBook
from piopiy_lab.offline.rejection import BACKGROUND_WORDS, Segment

#: Beams of the grammar's decoder (wide: the grammar is small) and of the background's (narrow). Its
#: silences are made likely, or narrow beams lose the way to the end.
_GRAMMAR_OPTIONS = {"beam": 1e-60, "wbeam": 1e-40, "pbeam": 1e-60, "silprob": 0.005}
_BACKGROUND_OPTIONS = {"beam": 1e-25, "wbeam": 1e-22, "pbeam": 1e-25, "silprob": 0.1}

_BACKGROUND = (
    "#JSGF V1.0;\ngrammar background;\npublic <s> = (" + " | ".join(BACKGROUND_WORDS) + ")+;\n"
)
#: A decoder searches whatever it is given, so the one that only measures has next to nothing to do.
_ONE_WORD = "#JSGF V1.0;\ngrammar one;\npublic <s> = a;\n"


@dataclass(frozen=True)
class Grammar:
    """A search: its name, what it looks for in JSGF, and the words of that."""

    name: str
    jsgf: str
    words: frozenset[str]


_FOR_BACKGROUND = Grammar("background", _BACKGROUND, frozenset(BACKGROUND_WORDS))
_FOR_MEASURING = Grammar("one word", _ONE_WORD, frozenset({"a"}))


class Hypothesis(Protocol):
    """PocketSphinx's best sentence so far."""

    @property
    def hypstr(self) -> str:
        """Its words."""
        ...


class Decoder(Protocol):
    """What is used of ``pocketsphinx.Decoder``, which has no types of its own."""

    @property
    def config(self) -> MutableMapping[str, object]:
        """Its options."""
        ...

    def add_word(self, word: str, phones: str, update: bool, /) -> int:
        """Add a word to its dictionary."""
        ...

    def lookup_word(self, word: str, /) -> str | None:
        """Return a word's sounds; None if the dictionary lacks it."""
        ...

    def add_jsgf_string(self, name: str, grammar: str, /) -> None:
        """Add a search."""
        ...

    def activate_search(self, name: str, /) -> None:
        """Choose the search of the utterances to come."""
        ...

    def reinit_feat(self) -> None:
        """Make a new front end."""
        ...

    def get_cmn(self, update: bool, /) -> str:
        """Return the front end's mean coefficients, with commas."""
        ...

    def set_cmn(self, mean: str, /) -> None:
        """Set them."""
        ...

    def start_utt(self) -> None:
        """Begin an utterance."""
        ...

    def process_raw(self, data: bytes, no_search: bool = False, /) -> int:
        """Give it int16 samples at 16 kHz."""
        ...

    def end_utt(self) -> None:
        """End the utterance."""
        ...

    def n_frames(self) -> int:
        """Return the frames of the utterance so far."""
        ...

    def hyp(self) -> Hypothesis | None:
        """Return the best sentence so far."""
        ...

    def seg(self) -> Iterable[Segment] | None:
        """Return its words, one by one."""
        ...


@dataclass(frozen=True)
class Key:
    """What a decoder is made of.

    Attributes:
        all_sounds: Whether all of the model's sounds are scored in every frame.
        grammars: Its searches; the first one is active.
        pronunciations: ``(word, sounds)`` of the words that the dictionary lacks.
        narrow: Whether it is for sound that has nothing above 4 kHz.
    """

    all_sounds: bool
    grammars: tuple[Grammar, ...]
    pronunciations: tuple[tuple[str, str], ...] = ()
    narrow: bool = False


_idle: dict[Key, list[Decoder]] = {}
_lock = threading.Lock()


def keys(book: PhraseBook, pronunciations: Mapping[str, str], *, narrow: bool) -> list[Key]:
    """Return what the four decoders of a book's recogniser are made of, in its order."""
    extra = tuple(sorted(pronunciations.items()))
    phrases = Grammar("phrases", book.jsgf(), book.words)
    return [
        Key(False, (phrases,), extra, narrow),
        Key(False, (_FOR_BACKGROUND,), narrow=narrow),
        Key(False, (_FOR_MEASURING,), narrow=narrow),
        Key(True, (phrases, _FOR_BACKGROUND), extra, narrow),
    ]


def take(key: Key) -> Decoder:
    """Return an idle decoder, or load one.

    Raises:
        MissingExtraError: PocketSphinx isn't installed.
    """
    with _lock:
        if idle := _idle.get(key):
            return idle.pop()
    model = narrow_band.options() if key.narrow else {}
    decoder = _new_decoder(compallsen=key.all_sounds, dict=os.devnull, **model)
    given = dict(key.pronunciations)
    for word in sorted({word for grammar in key.grammars for word in grammar.words}):
        for entry, phones in [(word, given[word])] if word in given else _sounds(word):
            decoder.add_word(entry, phones, False)
    for grammar in key.grammars:
        options = _GRAMMAR_OPTIONS if grammar.name == "phrases" else _BACKGROUND_OPTIONS
        for option, value in options.items():
            decoder.config[option] = value  # a search reads them when it is added
        decoder.add_jsgf_string(grammar.name, grammar.jsgf)
    decoder.activate_search(key.grammars[0].name)
    return decoder


def give_back(key: Key, decoder: Decoder) -> None:
    """Keep a decoder that is no longer used, for the next `take`."""
    with _lock:
        _idle.setdefault(key, []).append(decoder)


def _new_decoder(**options: object) -> Decoder:
    try:
        from pocketsphinx import Decoder
    except (ImportError, OSError) as error:
        raise MissingExtraError(
            "Offline speech recognition", "offline", detail=str(error)
        ) from error
    return Decoder(lm=None, bestpath=False, dither=False, loglevel="FATAL", **options)


_dictionary: list[Decoder] = []  # one with the whole dictionary, to look words up; under _lock


def _look_up(entry: str) -> str | None:
    """Return an entry's sounds in PocketSphinx's dictionary, if it has it; under _lock."""
    if not _dictionary:
        _dictionary.append(_new_decoder())
    return _dictionary[0].lookup_word(entry)


def _sounds(word: str) -> list[tuple[str, str]]:
    """Return a word's entries in the dictionary: ``a``, ``a(2)``, ..., and how each sounds."""
    entries: list[tuple[str, str]] = []
    with _lock:
        entry = word
        while (phones := _look_up(entry)) is not None:
            entries.append((entry, phones))
            entry = f"{word}({len(entries) + 1})"
    return entries


def check_words(book: PhraseBook, pronunciations: Mapping[str, str]) -> None:
    """Check that every word of a book can be listened for.

    Args:
        book: The phrases.
        pronunciations: Words that the dictionary lacks, in ARPAbet: ``{"piopiy": "P Y OW P IY"}``.

    Raises:
        PhraseError: Words that are in neither; all are named.
        ArgumentError: A pronunciation with a sound that the model doesn't know.
        MissingExtraError: PocketSphinx isn't installed.
    """
    with _lock:
        unknown = sorted(w for w in book.words if w not in pronunciations and not _look_up(w))
    if unknown:
        named = ", ".join(repr(word) for word in unknown)
        raise PhraseError(
            f"the recogniser's dictionary has no {named}: write it in other words, or say how it "
            f"sounds: pronunciations={{{unknown[0]!r}: 'P Y OW P IY'}} (ARPAbet)"
        )
    for word, phones in pronunciations.items():
        wrong = [phone for phone in phones.split() if phone not in PHONES]
        if wrong or not phones.split():
            raise ArgumentError(
                f"pronunciations[{word!r}]={phones!r}: {wrong[:1] or 'nothing'} is no sound of the "
                f"model's; the sounds are {' '.join(sorted(PHONES))}"
            )


#: The sounds of the en-us model: ARPAbet without stress.
PHONES = frozenset(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W "
    "Y Z ZH".split()
)
