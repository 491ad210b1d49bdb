"""Small conversions between words as they are spoken and values: numbers, digits, tool results.

No pipecat, no I/O. The rules hear and say words ("seven thirty", "four two seven"); tools take and
return values. What stands between the two is here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from piopiy_lab.offline._syntax import normalise

_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_ONES_TEXT = f"zero one two three four five six seven eight nine {_TEENS}"
_TENS_TEXT = "twenty thirty forty fifty sixty seventy eighty ninety"
_ONES = _ONES_TEXT.split()
_TENS = _TENS_TEXT.split()
_VALUES = {word: value for value, word in enumerate(_ONES)} | {
    word: 10 * value for value, word in enumerate(_TENS, start=2)
}


def number_in_words(value: int) -> str:
    """Spell a whole number: ``42`` is "forty two". Outside 0..99 its digits are spelled."""
    if 0 <= value < len(_ONES):
        return _ONES[value]
    if value <= 99 and value >= 0:
        tens, ones = divmod(value, 10)
        return _TENS[tens - 2] + (f" {_ONES[ones]}" if ones else "")
    return digits_in_words(str(value))


def digits_in_words(text: str) -> str:
    """Spell each digit of ``text`` on its own, as a reference is read out: "four two seven"."""
    return " ".join(_ONES[int(c)] if c in "0123456789" else c for c in text if not c.isspace())


def number_from_words(text: str) -> int | float | None:
    """Read a number written in digits or in words ("2", "2.5", "two", "forty two").

    Returns:
        The number, or None if ``text`` isn't one from zero to ninety nine (in words).
    """
    text = text.strip().lower()
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if re.fullmatch(r"-?\d+\.\d+", text):
        return float(text)
    words = text.replace("-", " ").split()
    if len(words) == 1:
        return _VALUES.get(words[0])
    if len(words) == 2 and words[0] in _TENS and 1 <= _VALUES.get(words[1], 0) <= 9:
        return _VALUES[words[0]] + _VALUES[words[1]]
    return None


def spoken_form(text: str) -> str:
    """Write typed text as one would say it: lower case, no punctuation, small numbers as words.

    "A table for 2, at 7:30!" becomes "a table for two at seven thirty". Apostrophes stay. A whole
    hour loses its zeros: "7:00" is "seven".
    """
    text = re.sub(r"\b(\d{1,2})[:.]00\b", r"\1", text)
    text = re.sub(r"\b(\d{1,2})[:.](\d{2})\b", r"\1 \2", text)
    text = re.sub(r"\d+", lambda m: f" {number_in_words(int(m[0]))} ", text)
    return normalise(text)


def choices(options: Sequence[str], *, last: str = "or") -> str:
    """Join options for a sentence: "a", "a or b", "a, b or c"."""
    if len(options) <= 1:
        return "".join(options)
    return f"{', '.join(options[:-1])} {last} {options[-1]}"


def result_in_words(result: object) -> str:
    """Say a tool's result without a template for it.

    A text is said as it is, a mapping as "reference: 427, status: booked" (its keys in their own
    order), a sequence as "a, b and c". None and True are "Done.", False is "That did not work.".
    """
    if result is None or result is True:
        return "Done."
    if result is False:
        return "That did not work."
    words = _in_words(result)
    if not words:
        return "Done."
    return words if words[-1] in ".!?" else f"{words}."


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return ", ".join(f"{_plain(str(k))}: {_in_words(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return choices([_in_words(v) for v in value], last="and")
    return " ".join(str(value).split())


def _plain(name: str) -> str:
    return name.replace("_", " ")


def name_in_words(name: str) -> str:
    """Say an identifier: ``open_door`` is "open door"."""
    return " ".join(_plain(name).split())
