"""Taking secrets out of JSON values, by their names, and out of every text in them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from piopiy_lab.redaction.names import is_schema, kind_of, may_hold_a_name
from piopiy_lab.redaction.texts import REMOVED, redact_text

#: A JSON object of somebody else's, read field by field: its shape is known to its reader alone.
JsonObject = Mapping[str, Any]

#: What stands for what is nested deeper than anybody means it, or in itself.
TOO_DEEP = "[...]"
_DEEPEST = 100


def redact(value: object) -> Any:
    """Return a copy of a value with secrets removed, made of what JSON can hold.

    Mappings and sequences are walked, a hundred deep; paths become text, and anything else that
    JSON can't hold becomes its ``repr``, redacted too. A text that is JSON itself is walked like
    the value it holds.
    """
    return _redact(value, ())


def redact_line(line: str) -> str:
    """Return a line of JSON without its secrets; a line that is none, like any other text."""
    return _redact_json(line, ()) if may_hold_a_name(line) else redact_text(line)


def _redact(value: object, inside: tuple[int, ...]) -> Any:
    """Redact a value that is inside of those with these ids."""
    if isinstance(value, str):
        json_like = value[:1] in ("{", "[") and may_hold_a_name(value)
        return _redact_json(value, inside) if json_like else redact_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if len(inside) == _DEEPEST or id(value) in inside:
            return TOO_DEEP
        inside = (*inside, id(value))
    if isinstance(value, Mapping):
        return {_name(key): _redact_named(key, value, inside) for key in value}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [_redact(inner, inside) for inner in items]
    return redact_text(_as_text(value))


def _redact_named(key: Any, holder: Mapping[Any, object], inside: tuple[int, ...]) -> object:
    value = holder[key]
    kind = kind_of(str(key))
    if kind == "count":
        return _redact(value, inside) if _is_count(value) else REMOVED
    if kind:
        return _redact(value, inside) if is_schema(value) else _removed(value)
    if key == "value" and kind_of(str(holder.get("name"))) in ("secret", "everyday"):
        return _removed(value)
    return _redact(value, inside)


def _removed(value: object) -> object:
    return value if value is None or isinstance(value, bool) else REMOVED


def _is_count(value: object) -> bool:
    if isinstance(value, Mapping):
        return is_schema(value) or all(_is_count(inner) for inner in value.values())
    return value is None or isinstance(value, bool | int | float)


def _redact_json(text: str, inside: tuple[int, ...]) -> str:
    """Redact a text that may be JSON; it is written anew only if something was in it."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return redact_text(text)
    clean = _redact(value, inside)
    return text if clean == value else json.dumps(clean, ensure_ascii=False)


def _name(key: object) -> str:
    """Return a mapping's key as JSON has it: a text that may hold a secret itself."""
    return redact_text(str(key))


def _as_text(value: object) -> str:
    try:
        return str(value) if isinstance(value, Path) else repr(value)
    except Exception as error:  # a repr of the user's own, or of a half-made object
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
