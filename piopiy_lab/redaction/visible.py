"""How other people's texts are shown: on one line, of characters that do nothing but stand there.

What a peer says may hold line breaks that forge a line of a log, escape sequences that a terminal
obeys, marks that turn the direction of reading, and half an emoji that no encoding takes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from piopiy_lab.redaction.texts import redact_text

#: Control characters, marks that turn the direction of reading, line breaks, halves of pairs.
#: Not the joiners, which the scripts of India and emoji need.
_OTHERS = "\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_ACTIVE = re.compile(f"[\x00-\x1f{_OTHERS}]")
_ACTIVE_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f{_OTHERS}]")  # all but tab and line feed
_LONE = re.compile("[\ud800-\udfff]")

#: Characters of a peer's text that an error or a log line has room for.
LONGEST = 500
#: Characters past them that are looked at: a secret that is cut must still be seen to be one.
_LOOK_AHEAD = 4096


def visible(text: str) -> str:
    """Return a text on one line, with each control character as its escape."""
    return text if text.isprintable() else _ACTIVE.sub(_escape, text)


def visible_lines(text: str) -> str:
    """Return a text of several lines, as :func:`visible`; later lines are indented.

    So none of them passes for a line of the log, or of the listing, that it stands in.
    """
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n")
    return _ACTIVE_IN_LINES.sub(_escape, text).replace("\n", "\n    ")


def shown(text: str) -> str:
    """Return a text as people are shown it: without secrets, on one line of visible characters."""
    return visible(redact_text(text))


def told(value: object, limit: int = LONGEST) -> str:
    """Return what a peer said as it may stand in an error or a log line.

    It is cut before it is looked at, so its size costs nothing.

    Args:
        value: What came, of whatever type.
        limit: Characters that are kept at the most.
    """
    text = value if isinstance(value, str) else str(value)
    seen = text[: limit + _LOOK_AHEAD]
    clean = redact_text(seen)
    if len(seen) < len(text):
        clean = clean.rpartition(" ")[0] or clean[:limit]  # its last word is cut: half a secret?
    clean = visible(clean[: limit + 1])
    cut = len(clean) > limit or len(seen) < len(text)
    return f"{clean[: limit - 1]}…" if cut else clean


def made_valid(value: Any) -> Any:
    """Return a value of JSON that UTF-8 can hold: pairs are joined, half a pair is replaced."""
    if isinstance(value, str):
        if value.isascii() or not _LONE.search(value):
            return value
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {made_valid(name): made_valid(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [made_valid(inner) for inner in value]
    return value


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
