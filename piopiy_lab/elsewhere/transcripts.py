"""The ``transcript=`` of a recording: lists, dicts, another call's, or a JSON file of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

from piopiy_lab.checks.arguments import is_number
from piopiy_lab.checks.json_values import Record
from piopiy_lab.checks.texts import shown
from piopiy_lab.elsewhere.draft import Said, Word
from piopiy_lab.elsewhere.json_files import read_json
from piopiy_lab.errors import ForeignCallError
from piopiy_lab.events.values import Role

#: What others call the two sides.
ROLES: dict[str, Role] = {
    **dict.fromkeys(("user", "caller", "customer", "human", "client"), "user"),
    **dict.fromkeys(("assistant", "agent", "bot", "ai", "system_agent"), "assistant"),
}
_FORMS = (
    'give ("caller" or "agent", text), (who, text, start, end), or '
    '{"role": ..., "text": ..., "start": ..., "end": ..., "words": [[word, start, end], ...]}, '
    "times in seconds of the recording"
)


def read_transcript(transcript: object) -> list[Said]:
    """Return the entries of a transcript.

    Raises:
        ForeignCallError: One of them can't be read; says which and what is accepted.
    """
    if isinstance(transcript, str | PathLike):
        given = read_json(transcript, "transcript")
        entries = given.get("transcript", given) if isinstance(given, Mapping) else given
        return read_transcript(entries)
    if not isinstance(transcript, Iterable) or isinstance(transcript, Mapping):
        raise ForeignCallError(f"transcript={shown(transcript)}: give a list of entries; {_FORMS}")
    return [_entry(number, entry) for number, entry in enumerate(transcript, start=1)]


def _entry(number: int, entry: Any) -> Said:
    fields: Record
    if isinstance(entry, Mapping):
        fields = dict(entry)
        fields.setdefault("text", entry.get("content"))
    elif isinstance(entry, tuple | list) and len(entry) in (2, 3, 4):
        fields = dict(zip(("role", "text", "start", "end"), entry, strict=False))
    elif hasattr(entry, "role") and hasattr(entry, "text"):  # an Entry of another call
        names = ("role", "text", "start", "end", "words", "interrupted")
        fields = {name: getattr(entry, name, None) for name in names}
    else:
        raise ForeignCallError(f"entry {number} of the transcript is {shown(entry)}: {_FORMS}")
    role, text = ROLES.get(str(fields.get("role")).lower()), fields.get("text")
    if role is None:
        raise ForeignCallError(
            f"entry {number} of the transcript is said by {shown(fields.get('role'))}: {_FORMS}"
        )
    if not isinstance(text, str) or not text.strip():
        raise ForeignCallError(
            f"entry {number} of the transcript has the text {shown(text)}: {_FORMS}"
        )
    start, end = (_time(number, name, fields.get(name)) for name in ("start", "end"))
    words = _words(number, fields.get("words") or ())
    if start is None and words:
        start = words[0][1]
    if end is None and words:
        end = words[-1][2]
    cut = fields.get("interrupted")
    return Said(role, text.strip(), start, end, words, cut if isinstance(cut, bool) else None)


def _time(number: int, name: str, value: object) -> float | None:
    if value is None:
        return None
    if not is_number(value) or not abs(value) < 1e9:
        raise ForeignCallError(
            f"{name}={shown(value)} of entry {number} of the transcript is no time: {_FORMS}"
        )
    return float(value)


def _words(number: int, words: Any) -> tuple[Word, ...]:
    found: list[Word] = []
    try:
        for word in words:
            if isinstance(word, Mapping):
                text = word.get("text", word.get("word"))
                start, end = word["start"], word["end"]
            else:
                text, start, end = word
            if not is_number(start) or not is_number(end):
                raise ValueError(f"{start!r} to {end!r}")
            found.append((str(text).strip(), float(start), float(end)))
    except (TypeError, ValueError, KeyError) as error:
        raise ForeignCallError(
            f"the words of entry {number} of the transcript can't be read ({error}): {_FORMS}"
        ) from error
    return tuple(found)
