"""What a listener says without wanting the floor, and what takes it: words, by language. Pure.

Words are compared without case, accents of composition and drawn-out letters ("hmmm" is "hmm").
The lists are short on purpose: what is in none of them is words, and words are an interruption.
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

#: What words are while the agent speaks: what shows that one listens, what answers a question too,
#: what takes the floor however short, and anything else.
Kind = Literal["backchannel", "answer", "stop", "words"]

#: What a recogniser of ours writes where it understood nothing: no words, wherever it stands.
_UNCLEAR = re.compile(r"\[unclear[^\]]*\]", re.IGNORECASE)
_DRAWN_OUT = re.compile(r"(.)\1\1+")
_RUN = re.compile(r"(.)\1+")


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
    fits = (
        len(phrase)
        for phrase in phrases
        if len(phrase) <= len(words) and all(map(_same, phrase, words))
    )
    return max(fits, default=0)


def _same(listed: str, word: str) -> bool:
    """Compare words; of one that is drawn out only which letters follow each other counts."""
    if listed == word:
        return True
    return bool(_DRAWN_OUT.search(word)) and _RUN.sub(r"\1", listed) == _RUN.sub(r"\1", word)


def _lexicon(language: str, backchannels: str, answers: str, stops: str) -> Lexicon:
    lists = (frozenset(w.strip() for w in t.split(",")) for t in (backchannels, answers, stops))
    return Lexicon(*lists, languages=frozenset({language}))


#: The lexicons by language; Hindi and Tamil in both scripts, for recognisers write either.
LEXICONS = MappingProxyType(
    {
        "en": _lexicon(
            "en",
            "mm, mmhm, hmm, hm, mhm, mm hmm, uh huh, aha, ah, oh, okay, ok, yeah, yep, yup, yes, "
            "right, alright, all right, sure, i see, got it, great, cool, fine, good, exactly, "
            "of course, makes sense, that makes sense, sounds good, sounds great, wow, nice, "
            "perfect, "
            "lovely, brilliant, awesome, amazing, excellent, wonderful, interesting, absolutely, "
            "definitely, certainly, totally, indeed, true, very true, really, oh really, gotcha, "
            "understood, i understand, i know, fair enough, no way, no problem, no worries, that's "
            "right, that is right, that's true, that's good, that's great, very good, for sure, "
            "all good, go on, go ahead, good to know, oh my, oh no, huh, ooh, aw",
            "yes, yeah, yep, yup, okay, ok, sure, right, correct, exactly, fine, please, "
            "no, nope, thank you, thanks, of course, alright, all right, absolutely, definitely, "
            "certainly, that's right, that is right, understood",
            "stop, wait, no, hold on, hang on, sorry, excuse, excuse me, pardon, but, actually, "
            "what, who, when, how, where, why, one moment, just a moment, just a second, listen",
        ),
        "hi": _lexicon(
            "hi",
            "हाँ, हां, जी, जी हाँ, जी हां, हम्म, हूँ, हूं, हुँ, अच्छा, ठीक है, ठीक, सही, ओके, ओह, "
            "समझ गया, समझ गई, बिल्कुल, अरे वाह, "
            "haan, han, haanji, ji, ji haan, hmm, hm, hoon, accha, achha, acha, theek hai, "
            "thik hai, "
            "theek, sahi, okay, ok, oh, samajh gaya, samajh gayi, bilkul",
            "हाँ, हां, जी, जी हाँ, जी हां, ठीक है, सही, नहीं, जी नहीं, बिल्कुल, "
            "haan, han, haanji, ji, ji haan, theek hai, thik hai, sahi, nahi, nahin, "
            "ji nahi, bilkul",
            "रुको, रुकिए, रुकिये, ठहरो, ठहरिए, नहीं, बस, सुनो, सुनिए, माफ कीजिए, एक मिनट, लेकिन, "
            "मगर, क्या, कौन, कब, कैसे, कहाँ, "
            "ruko, rukiye, thehro, nahi, nahin, bas, suno, suniye, maaf kijiye, ek minute, lekin, "
            "magar, kya, kaun, kab, kaise, kahan",
        ),
        "ta": _lexicon(
            "ta",
            "ஆமா, ஆமாம், ஆம், சரி, சரிங்க, ம்ம், ம், ஹ்ம், ஓகே, ஓ, அப்படியா, புரியுது, "
            "புரிஞ்சது, நல்லது, "
            "aama, aamaa, aamam, aam, seri, sari, seringa, saringa, mm, hmm, okay, ok, oh, "
            "appadiya, "
            "puriyuthu, purinjathu, nallathu",
            "ஆமா, ஆமாம், ஆம், சரி, சரிங்க, இல்லை, இல்ல, வேண்டாம், "
            "aama, aamaa, aamam, aam, seri, sari, seringa, saringa, illai, illa, vendam",
            "நிறுத்து, நிறுத்துங்க, இருங்க, இரு, கொஞ்சம் இருங்க, ஒரு நிமிஷம், ஒரு நிமிடம், இல்லை, "
            "இல்ல, வேண்டாம், மன்னிக்கவும், ஆனா, ஆனால், என்ன, யார், எப்ப, எப்படி, எங்க, "
            "niruthu, niruthunga, irunga, konjam irunga, oru nimisham, illai, illa, vendam, "
            "mannikkavum, aana, aanal, enna, yaaru, eppo, eppadi, enga",
        ),
        "es": _lexicon(
            "es",
            "mm, hmm, ajá, aja, ah, oh, sí, si, ya, ya veo, vale, claro, claro que sí, "
            "bueno, bien, "
            "muy bien, de acuerdo, entiendo, exacto, perfecto, okay, ok, genial, eso",
            "sí, si, vale, claro, claro que sí, de acuerdo, exacto, correcto, no, bueno, okay, ok, "
            "gracias",
            "para, pare, alto, espera, espere, un momento, momento, un segundo, no, perdón, "
            "perdona, "
            "perdone, disculpa, disculpe, pero, oye, oiga, qué, quién, cuándo, cómo, dónde, "
            "por qué",
        ),
        "de": _lexicon(
            "de",
            "mm, mhm, hm, hmm, aha, ah, oh, ja, jaja, ja ja, jo, okay, ok, genau, gut, sehr gut, "
            "alles klar, klar, richtig, stimmt, ach so, achso, verstehe, ich verstehe, "
            "schön, super, "
            "prima, in ordnung",
            "ja, genau, richtig, stimmt, klar, okay, ok, gut, in ordnung, gerne, nein, nee, danke",
            "stopp, stop, halt, warte, warten sie, moment, einen moment, moment mal, nein, "
            "entschuldigung, entschuldigen sie, verzeihung, aber, eigentlich, was, wer, wann, wie, "
            "wo, warum",
        ),
    }
)


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
