"""Reading one line of a saved log: what is read holds, whoever wrote it.

A field is what its record says it is: a number is finite and bounded, a text is a text. Whatever
has no type of its own (a tool's arguments, say) is JSON of a sane depth. So nothing that loads
breaks a view later. Pure; any thread.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache, lru_cache
from types import UnionType
from typing import Any, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints

from piopiy_lab.errors import SavedCallError
from piopiy_lab.events.base import Event, UnknownEvent
from piopiy_lab.redaction import told

#: Seconds that a call's clock can show: eleven days.
LONGEST_SECS = 1e6
#: The greatest number of any other kind.
GREATEST = 1e12
#: Hz that a recording can have.
SAMPLE_RATES = (1_000, 768_000)
#: How deep values may be nested that have no type of their own.
DEEPEST = 100

#: Checks a value and returns it as the record has it; raises :class:`_WrongError`.
_Check = Callable[[object], object]


class _WrongError(Exception):
    """A value is not what its field is; the message says what that would be."""


def from_json(line: str) -> Event:
    """Read one line of a saved log.

    An event that this version doesn't know, or that lacks a field of its kind, becomes an
    :class:`UnknownEvent`.

    Raises:
        SavedCallError: The line is no JSON object with a type and a time, or one of its fields is
            not what it should be; says which.
    """
    try:
        # "NaN" and "Infinity" are no JSON: they stay texts, and no number
        record: object = json.loads(line, parse_constant=str)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise _no_event(line, why) from error
    if not _is_object(record):
        raise _no_event(line, "it is no object")
    kind, at = record.get("type"), record.get("at")
    if not isinstance(kind, str) or at is None:
        raise _no_event(line, f"it has no {'type' if not isinstance(kind, str) else 'at'}")
    values = {name: value for name, value in record.items() if name not in ("type", "at")}
    cls = Event.kinds.get(kind)
    if cls is None or not _required(cls) <= values.keys():
        kept = {name: _checked(name, _json_of(DEEPEST), values[name], kind) for name in values}
        return UnknownEvent(at=_checked("at", _secs, at, kind), name=kind, record=kept)
    checks = _checks(cls)
    given = {"at": at, **values}
    known = {n: _checked(n, checks[n], value, kind) for n, value in given.items() if n in checks}
    return cls(**known)


def _no_event(line: str, why: str) -> SavedCallError:
    return SavedCallError(
        f"this line of events.jsonl is no event: {told(line, 80)!r} ({told(why, 120)}); "
        'expected {"type": ..., "at": ..., ...}'
    )


def _checked(name: str, check: _Check, value: object, kind: str) -> Any:
    try:
        return check(value)
    except _WrongError as wrong:
        raise SavedCallError(
            f"the field {told(name, 60)!r} of this {told(kind, 60)} is {told(repr(value), 80)}; "
            f"{wrong} was expected"
        ) from None


@lru_cache(maxsize=256)
def _required(cls: type[Event]) -> frozenset[str]:
    """Return the names of the fields that have no default, without the time."""
    missing = (MISSING, MISSING)
    return frozenset(
        f.name for f in fields(cls) if (f.default, f.default_factory) == missing and f.name != "at"
    )


@lru_cache(maxsize=256)
def _checks(cls: type[Event]) -> dict[str, _Check]:
    """Return how each field of a record is checked, from its type."""
    hints = get_type_hints(cls)
    return {f.name: _check_of(f.name, hints[f.name]) for f in fields(cls)}


def _check_of(name: str, hint: Any) -> _Check:
    origin, inner = get_origin(hint), get_args(hint)
    if name in _SHAPES:
        return _SHAPES[name]
    if origin in (Union, UnionType):
        rest = [_check_of(name, arg) for arg in inner if arg is not type(None)]
        return _optional(rest[0]) if len(rest) == 1 else _json_of(DEEPEST)
    if origin is Literal or hint is str:  # of another version there may be other words
        return _text
    if hint is bool:
        return _truth
    if hint in (int, float):
        return _number_of(name, hint)
    if origin is list:
        return _list_of(_check_of("", inner[0]))
    if origin is dict:
        return _dict_of(_check_of("", inner[1]))
    return _json_of(DEEPEST)


# --- what a value can be ----------------------------------------------------------------------


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _WrongError("a text")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WrongError("true or false")
    return value


def _number(value: object, low: float, high: float) -> int | float:
    expected = f"a number from {low:g} to {high:g}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _WrongError(expected)
    if not low <= value <= high:  # of NaN, too
        raise _WrongError(expected)
    return value


def _secs(value: object) -> float:
    return float(_number(value, -LONGEST_SECS, LONGEST_SECS))


def _rate(value: object) -> int:
    return int(_number(value, *SAMPLE_RATES))


def _number_of(name: str, kind: type) -> _Check:
    if name in ("at", "start", "end") or name.endswith(("secs", "_at")):
        return _secs
    if name.endswith("sample_rate"):
        return _rate

    def number(value: object) -> int | float:
        found = _number(value, -GREATEST, GREATEST)
        return int(found) if kind is int else found

    return number


def _optional(check: _Check) -> _Check:
    def optional(value: object) -> object:
        return None if value is None else check(value)

    return optional


def _list_of(check: _Check) -> _Check:
    def items(value: object) -> list[object]:
        if not _is_list(value):
            raise _WrongError("a list")
        return [check(item) for item in value]

    return items


def _dict_of(check: _Check) -> _Check:
    def entries(value: object) -> dict[str, object]:
        if not _is_object(value):
            raise _WrongError("an object")
        return {name: check(inner) for name, inner in value.items()}

    return entries


@cache
def _json_of(depth: int) -> _Check:
    """Return what checks any value of JSON, nested no deeper than that."""

    def anything(value: object) -> object:
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)  # 1e999: no number, and no JSON
        if not _is_list(value) and not _is_object(value):
            return value
        if depth == 0:
            raise _WrongError(f"a value nested at most {DEEPEST} deep")
        below = _json_of(depth - 1)
        return (_list_of if _is_list(value) else _dict_of)(below)(value)

    return anything


def _word(value: object) -> list[object]:
    """Check ``[text, start, end]``."""
    if not _is_list(value) or len(value) < 3:
        raise _WrongError("lists of [text, start, end]")
    return [_text(value[0]), _secs(value[1]), _secs(value[2]), *value[3:]]


def _switcher(value: object) -> dict[str, object]:
    """Check ``{"services": {name: class}, "active": name, "strategy": name}``."""
    if not _is_object(value):
        raise _WrongError("an object")
    texts = {name: _text(value.get(name)) for name in ("active", "strategy")}
    return {**value, **texts, "services": _dict_of(_text)(value.get("services"))}


#: Fields whose types don't tell their shape.
_SHAPES: dict[str, _Check] = {
    "words": _list_of(_word),
    "parts": _optional(_list_of(_word)),
    "switchers": _dict_of(_switcher),
}
