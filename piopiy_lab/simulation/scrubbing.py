"""Takes names and numbers out of texts: what stands for them is the same wherever they stood. Pure.

What looks like a key or a token is taken out too, as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.redaction import redact_text

#: What stands for a word that was taken out: one that can be spoken.
SOMEONE = "someone"

#: What is taken out: texts and patterns, or texts with what stands for each.
Scrub = Iterable[str | re.Pattern[str]] | Mapping[str, str | None]


class Scrubber:
    """Takes out what it was told to."""

    def __init__(self, scrub: Scrub | None) -> None:
        """Take what should be left out.

        Args:
            scrub: Texts (whole words, in any case) and compiled patterns; or texts, each with what
                is to stand for it. None takes out secrets alone.

        Raises:
            ArgumentTypeError: It is something else.
            ArgumentError: A text is empty, or a pattern takes out nothing.
        """
        if isinstance(scrub, str | re.Pattern) or not isinstance(scrub, Iterable | None):
            raise ArgumentTypeError(
                f"scrub={scrub!r}: give a list of texts and compiled patterns, or a dict of texts "
                "with what is to stand for them"
            )
        told = dict(scrub) if isinstance(scrub, Mapping) else dict.fromkeys(scrub or ())
        self._rules: list[tuple[re.Pattern[str], str | None]] = []
        for what, instead in told.items():
            if not isinstance(what, str | re.Pattern) or not isinstance(instead, str | None):
                raise ArgumentTypeError(f"scrub has {what!r}: give a text or re.compile(...)")
            pattern = what
            if isinstance(what, str):
                if not what.strip():
                    raise ArgumentError("scrub has an empty text: say what is to be left out")
                pattern = re.compile(rf"(?<!\w){re.escape(what.strip())}(?!\w)", re.IGNORECASE)
            if not isinstance(pattern, re.Pattern) or pattern.match("") is not None:
                raise ArgumentError(f"scrub has {what!r}, which matches nothing at all: narrow it")
            self._rules.append((pattern, instead))

    @property
    def leaves_out(self) -> bool:
        """Whether anything but secrets is left out."""
        return bool(self._rules)

    def text(self, text: str) -> str:
        """Return a text without it."""
        for pattern, instead in self._rules:
            text = pattern.sub(lambda found, one=instead: _standing_for(found[0], one), text)
        return redact_text(text)

    def value(self, value: Any) -> Any:
        """Return what JSON can hold without it; names of fields stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {name: self.value(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        return value


def _standing_for(found: str, instead: str | None) -> str:
    """Return what stands for a text: written as it was, and digits for digits."""
    if instead is None:
        if sum(one.isdigit() for one in found) * 2 > len(found):
            return re.sub(r"\d", "0", found)
        instead = SOMEONE
    return instead[:1].upper() + instead[1:] if found[:1].isupper() else instead
