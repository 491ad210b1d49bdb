"""Criteria decided by rules: what a criterion names must be there. No model, and it says so. Pure.

A criterion's quoted words, numbers, names and "not"s must all be in what was said, and at least
half of its other words. A criterion that something is not mentioned, said, asked, named or
contained turns that round. Of all else (tone, tact, truth, how many), rules can't tell anything:
``found`` is None then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: The part of a criterion's plain words that must be there.
ENOUGH = 0.5

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_NUMBERS = {
    **{word: n for n, word in enumerate(_UNITS)},
    **{word: 10 * n for n, word in enumerate(_TENS, 2)},
}
#: Words of a criterion that say how it is put, and nothing about what must be there.
_EMPTY = frozenset(
    """a about after agent all already also an and any answer answers anything are as ask asks at be
    been before being bot but by call caller calls can could customer customers did do does during
    each either for from give gives given had has have he her him his how i if in instead into is it
    its just made make makes mention mentions must names of on once one or other out over
    provide provides question reply replies respond responds response right said say saying says she
    should so some something state states tell tells that the their them then there these they this
    those to up user users want wants was were what when where whether which while who will with
    without would you your""".split()
)
_WHO = r"(?:(?:the )?(?:reply|bot|response|agent|answer|it) )?"
_NEVER = (
    r"(?:does not|doesn't|do not|don't|did not|didn't|must not|mustn't|should not|shouldn't|is not|"
    r"isn't|never|without)\b"
)
#: What turns a criterion round, and what counts, of which rules know nothing.
_NOT = re.compile(rf"^{_WHO}(?:{_NEVER}|(?:no|not)\b)\s*", re.I)
_COUNTS = re.compile(r"\b(?:no|not) (?:more|less|fewer)\b|\bat (?:most|least)\b", re.I)
#: What is not there can be told of these alone, and only where it is said what that is.
_NAMES = re.compile(
    r"^(?:(?:ever|even|again|also|once) )*(?:mention|sa(?:y|id)|ask|nam(?:e|ing)|contain)", re.I
)
_NAMED = re.compile(r"\b(?:is|are|was|were) (?:mention|said|ask|named|contain)\w*$", re.I)
_NOT_ONLY = re.compile(rf"^{_WHO}not only\b", re.I)
_ANYTHING = re.compile(r"\b(?:any|some)thing\b", re.I)
#: Where a part that begins with a "not" follows; and where another way to meet a criterion does.
_AND_NOT = rf",?\s+(?:and|but)\s+(?={_WHO}{_NEVER})|,?\s+(?=without\b)"
_OR = r"\s+or\s+"
#: "not", however it is put.
_NEGATIONS = frozenset("no not never nor none cannot without".split())
_QUOTED = re.compile(r"[\"“]([^\"”]+)[\"”]|(?<!\w)'([^']+)'(?!\w)")
_WORD = re.compile(r"\d+|[^\W\d_]+(?:['’][^\W\d_]+)?")
_AT_WORK = re.compile(
    r"\b(?:let me (?:check|see|look|find)|one moment|just a (?:second|moment|minute)|hold on|"
    r"(?:i'm|i am) (?:checking|looking)|checking|bear with me)\b",
    re.I,
)


@dataclass(frozen=True)
class Finding:
    """What rules say of a criterion.

    Attributes:
        found: Whether it is met; None where rules can't tell.
        why: What that rests on.
    """

    found: bool | None
    why: str


def find(criterion: str, said: str) -> Finding:
    """Look for what a criterion names in what was said."""
    findings = [_part(part, said) for part in _split(_AND_NOT, criterion.strip().rstrip("."))]
    for found in (False, None):
        if bad := [finding for finding in findings if finding.found is found]:
            return bad[0]
    return Finding(True, "; ".join(finding.why for finding in findings))


def is_at_work(said: str) -> bool:
    """Whether somebody says that they are looking something up, and no more."""
    return _AT_WORK.search(said) is not None


def _part(text: str, said: str) -> Finding:
    """Look for one part of a criterion, or look that it isn't there."""
    if _COUNTS.search(_QUOTED.sub(" ", text)):
        return Finding(None, "rules don't count")
    text = _NOT_ONLY.sub("", text)
    turned = _NOT.match(text)
    if turned is None:
        return _any(text, said)
    if not said.strip():
        return Finding(None, "nothing was said")
    rest = text[turned.end() :]
    finding = _any(rest, said)
    if finding.found:
        return Finding(False, f"it must not be there: {finding.why}")
    named = _NAMES.match(rest) or _NAMED.search(rest)
    if not named or _ANYTHING.search(rest):
        return Finding(None, "rules see what is named, and not what is done or how")
    return Finding(True, f"it must not be there: {finding.why}")


def _split(pattern: str, text: str) -> list[str]:
    """Split a text, but not within its quotes."""
    parts, begin = list[str](), 0
    for cut in re.finditer(f"{_QUOTED.pattern}|(?P<cut>{pattern})", text, re.I):
        if cut["cut"] is not None:
            parts.append(text[begin : cut.start()])
            begin = cut.end()
    return [*parts, text[begin:]]


def _any(text: str, said: str) -> Finding:
    """Look for one of the alternatives around "or"."""
    findings = [_whole(part, said) for part in _split(_OR, text)]
    best = [finding for finding in findings if finding.found]
    if best:
        return best[0]
    why = "; ".join(finding.why for finding in findings)
    return Finding(None if all(f.found is None for f in findings) else False, why)


def _whole(text: str, said: str) -> Finding:
    there = set(_stems(said))
    quoted = [one or other for one, other in _QUOTED.findall(text)]
    rest = _QUOTED.sub(" ", text)
    missing = [repr(part) for part in quoted if not _holds(said, part)]
    musts = list(dict.fromkeys(_musts(rest)))
    missing += [must for must in musts if _stem(must) not in there]
    if any(_negates(word) for word in _words(rest)) and not any(map(_negates, _words(said))):
        missing.append("a 'not'")
    plain = [
        word
        for word in dict.fromkeys(_words(rest))
        if word not in _EMPTY | {must.lower() for must in musts} and not _negates(word)
    ]
    seen = [word for word in plain if _stem(word) in there]
    if missing:
        return Finding(False, f"missing: {', '.join(missing)}")
    named = [*map(repr, quoted), *musts, *seen]
    if not named:
        return Finding(None, "none of its words is there, and rules see nothing else")
    if len(seen) < ENOUGH * len(plain):
        absent = ", ".join(word for word in plain if word not in seen)
        return Finding(False, f"there: {', '.join(named)}; missing: {absent}")
    return Finding(True, f"there: {', '.join(named)}")


def _negates(word: str) -> bool:
    return word in _NEGATIONS or word.endswith("n't")


def _musts(text: str) -> list[str]:
    """Return the numbers and the names of a criterion: none of them may be missing."""
    found = _WORD.findall(text)
    names = [word for word in found[1:] if word[0].isupper() and word.lower() not in _EMPTY]
    return [*_numbers([word.lower() for word in found]), *names]


def _numbers(words: list[str]) -> list[str]:
    return [word for word in _folded(words) if word.isdecimal()]


def _folded(words: list[str]) -> list[str]:
    """Write numbers in digits: "twenty one" is "21"; "one" stays a word, which it often is."""
    folded: list[str] = []
    tens: int | None = None
    for word in words:
        value = _NUMBERS.get(word)
        if tens is not None and value is not None and 0 < value < 10:
            folded[-1] = str(tens + value)
            tens = None
            continue
        tens = value if word in _TENS else None
        folded.append(word if value is None or word == "one" else str(value))
    return folded


def _words(text: str) -> list[str]:
    return _folded([word.lower().replace("’", "'") for word in _WORD.findall(text)])


def _stems(text: str) -> list[str]:
    return [_stem(word) for word in _words(text)]


def _stem(word: str) -> str:
    """Take the ending off: confirms, confirmed and confirming are one word."""
    word = word.lower()
    for ending in ("'s", "ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)].rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word


def _holds(said: str, part: str) -> bool:
    """Whether some words stand together in what was said, however they are spaced or written."""
    whole, wanted = _stems(said), _stems(part)
    return any(whole[i : i + len(wanted)] == wanted for i in range(len(whole) - len(wanted) + 1))
