"""What a listener says without wanting the floor, and what takes it: words, by language. Pure.

Words are compared without case, accents of composition and drawn-out letters ("hmmm" is "hmm").
What is in none of the lists is words, and words are an interruption.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.listening.lexicon_words import WORDS

#: What words are while the agent speaks: what shows that one listens, what answers a question too,
#: what takes the floor however short, and anything else.
Kind = Literal["backchannel", "answer", "stop", "words"]

#: What a recogniser of ours writes where it understood nothing: no words, wherever it stands.
_UNCLEAR = re.compile(r"\[unclear[^\]]*\]", re.IGNORECASE)
_DRAWN_OUT = re.compile(r"(.)\1\1+")
_RUN = re.compile(r"(.)\1+")
#: No phrase is looked for that has more words.
_MOST_WORDS = 8


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a transcript, as they are compared; of ``[unclear: ...]`` none."""
    text = unicodedata.normalize("NFC", _UNCLEAR.sub(" ", text)).casefold().replace("’", "'")
    letters = (c if c == "'" or unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return tuple(word for word in (w.strip("'") for w in "".join(letters).split()) if word)


@dataclass(frozen=True)
class Lexicon:
    """The words by which a listener is told from somebody who takes the floor.

    Attributes:
        backchannels: Words and phrases that show that one listens ("mm hmm", "I see").
        answers: Those of them that answer a question, too ("yes"); others may be added ("no").
        stops: Words and phrases that take the floor however few they are ("wait", "hold on").
        languages: Those that it is of ("en"); empty if nobody says.
    """

    backchannels: AbstractSet[str]
    answers: AbstractSet[str] = frozenset()
    stops: AbstractSet[str] = frozenset()
    languages: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in _LISTS:
            given = getattr(self, name)
            if isinstance(given, str) or not isinstance(given, Iterable):
                raise ArgumentTypeError(f"Lexicon({name}={given!r}): give a set of words")
            if wrong := [one for one in given if not isinstance(one, str) or not words_of(one)]:
                raise ArgumentError(f"Lexicon({name}=...): {wrong[0]!r} is no word")
            object.__setattr__(self, name, frozenset(given))
        object.__setattr__(self, "_phrases", {n: _phrases(getattr(self, n)) for n in _LISTS})

    def __or__(self, other: Lexicon) -> Lexicon:
        """Return both languages' words; what is a stop word in one of them is one."""
        return Lexicon(
            self.backchannels | other.backchannels,
            self.answers | other.answers,
            self.stops | other.stops,
            self.languages | other.languages,
        )

    def judge(self, text: str) -> Kind | None:
        """Return what a transcript is while the agent speaks; None if it has no words."""
        words = words_of(text)
        if not words:
            return None
        kinds = self._kinds(words)
        for kind in ("stop", "words", "answer"):
            if kind in kinds:
                return kind
        return "backchannel"

    def _kinds(self, words: tuple[str, ...]) -> set[Kind]:
        """Return what its phrases are, the longest ones counting: "no way" is no "no"."""
        phrases = vars(self)["_phrases"]
        kinds: set[Kind] = set()
        while words:
            lengths = [_length(phrases[name], words) for name, _ in _KINDS]
            longest = max(lengths)
            kinds.add(_KINDS[lengths.index(longest)][1] if longest else "words")
            words = words[max(longest, 1) :]
        return kinds

    def may_become(self, text: str) -> bool:
        """Whether more words may make a backchannel of it: "got" is the beginning of "got it"."""
        words = words_of(text)
        table: dict[str, frozenset[tuple[str, ...]]] = vars(self)["_phrases"]
        for size in range(1, len(words) + 1):
            tail, head = words[-size:], words[:-size]
            begun = any(p[:size] == tail and len(p) > size for p in table["backchannels"])
            if begun and self._kinds(head) <= {"backchannel", "answer"}:
                return True
        return False


_LISTS = ("backchannels", "answers", "stops")
#: The lists by what their phrases are; of two equally long ones the first counts.
_KINDS: tuple[tuple[str, Kind], ...] = (
    ("stops", "stop"),
    ("answers", "answer"),
    ("backchannels", "backchannel"),
)


def _phrases(listed: Iterable[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(words_of(phrase) for phrase in listed)


def _length(phrases: frozenset[tuple[str, ...]], words: tuple[str, ...]) -> int:
    """Return how many words the longest phrase has that ``words`` begin with; 0 for none."""
    longest = min(len(words), _MOST_WORDS)
    for length in range(longest, 0, -1):
        head = words[:length]
        if head in phrases:
            return length
        if any(map(_DRAWN_OUT.search, head)) and any(
            len(phrase) == length and all(map(_same, phrase, head)) for phrase in phrases
        ):
            return length
    return 0


def _same(listed: str, word: str) -> bool:
    """Compare words; of one that is drawn out only which letters follow each other counts."""
    if listed == word:
        return True
    return bool(_DRAWN_OUT.search(word)) and _RUN.sub(r"\1", listed) == _RUN.sub(r"\1", word)


def _lexicon(language: str, lists: tuple[str, str, str]) -> Lexicon:
    words = (frozenset(one.strip() for one in text.split(",")) for text in lists)
    return Lexicon(*words, languages=frozenset({language}))


#: The lexicons by language; Hindi and Tamil in both scripts, for recognisers write either.
LEXICONS = MappingProxyType({code: _lexicon(code, lists) for code, lists in WORDS.items()})
#: Whose words are looked for where only "en" is known of the recogniser: callers in India say
#: "accha" and "seri" in English sentences, and none of these is an English word.
MIXED = MappingProxyType({"en": ("en", "hi", "ta")})


def find_lexicon(lexicon: object) -> Lexicon:
    """Return the lexicon that was asked for.

    Args:
        lexicon: One of ours by its language ("en", "en-US"), several languages, or a
            :class:`Lexicon`.

    Raises:
        ArgumentError: A language that we have no words of.
        ArgumentTypeError: Anything else.
    """
    match lexicon:
        case Lexicon():
            return lexicon
        case str():
            language = lexicon.replace("_", "-").partition("-")[0].lower()
            if language not in LEXICONS:
                raise ArgumentError(
                    f"lexicon={lexicon!r}: there are words of {', '.join(LEXICONS)}; of another "
                    "language give them yourself, Lexicon(backchannels={...}, stops={...})"
                )
            return LEXICONS[language]
        case Sequence() if lexicon:
            found = [find_lexicon(one) for one in lexicon]
            both = found[0]
            for one in found[1:]:
                both = both | one
            return both
        case _:
            raise ArgumentTypeError(
                f"lexicon={lexicon!r}: give a language ({', '.join(LEXICONS)}), a list of them, or "
                "Lexicon(backchannels={...}, stops={...})"
            )
