"""The JSON form of what a tool returns: what the LLM reads, what the log keeps.

Dataclasses, pydantic models, enums, dates and the like have an obvious one. What has none (a
generator, a structure that contains itself, a key that is no text, NaN) is named, with its place.
Pure; any thread.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import ItemsView, Iterable, KeysView, Mapping, Sequence, Set, ValuesView
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from piopiy_lab.checks.texts import described, shown

#: How many lists and objects may stand in one another: more is a mistake, and JSON readers differ
#: in how much they take.
DEEPEST = 50

_TEXTS = (date, time, timedelta, Decimal, UUID, PurePath, IPv4Address, IPv6Address)
_LISTS = (Sequence, Set, KeysView, ItemsView, ValuesView)


class NoJsonForm(ValueError):  # noqa: N818 - it is what the value lacks
    """A value has no JSON form; the message says what in it, and where."""


def json_form(value: object) -> Any:
    """Return a value as JSON would give it back.

    Raises:
        NoJsonForm: It has none, or reading it fails.
    """
    try:
        return _form(value, "it", ())
    except NoJsonForm:
        raise
    except Exception as error:  # a property, an iterator or a serializer of the value's own
        raise NoJsonForm(f"reading it raised {described(error)}") from error


def unreadable(tool: str, value: object) -> str:
    """Say that a tool returned what has no JSON form, for the LLM, which may read it out."""
    return f"{tool} returned {shown(value, 40)}, which has no JSON form"


def complaint(tool: str, value: object, why: NoJsonForm) -> str:
    """Say so for the log: why, and what a tool may return."""
    return (
        f"{tool} returned {shown(value)}, which has no JSON form ({why}): return text, numbers, "
        "lists, objects with texts as keys, dataclasses, pydantic models or dates"
    )


def _form(value: object, place: str, inside: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _form(value.value, place, inside)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int | float):
        return _number(value, place)
    if isinstance(value, _TEXTS):
        return _text(value, place)
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode()
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return _form(value.tolist(), place, inside)  # type: ignore[attr-defined] - asked above
    return _structure(value, place, inside)


def _number(value: float, place: str) -> float:
    if isinstance(value, int):
        number = int(value)
        str(number)  # Python refuses to write thousands of digits
        return number
    if not math.isfinite(value):
        raise NoJsonForm(f"{place} is {float(value)!r}, which is no number of JSON's")
    return float(value)


def _text(value: Any, place: str) -> str:
    if isinstance(value, Decimal) and not value.is_finite():
        raise NoJsonForm(f"{place} is {value!s}, which is no number of JSON's")
    return str(value if isinstance(value, PurePath) else to_jsonable_python(value))


def _structure(value: object, place: str, inside: tuple[int, ...]) -> Any:
    if id(value) in inside:
        raise NoJsonForm(f"{place} contains itself")
    if len(inside) >= DEEPEST:
        raise NoJsonForm(f"it is nested more than {DEEPEST} deep")
    inside = (*inside, id(value))
    if isinstance(value, BaseModel):
        return _form(value.model_dump(mode="json"), place, inside)
    if isinstance(value, Mapping):
        return _object(value.items(), place, inside)
    if (names := _field_names(value)) is not None:
        fields = ((name, getattr(value, name)) for name in names)
        return _object(fields, place, inside)
    if isinstance(value, _LISTS):
        items = [_form(item, f"{place}[{i}]", inside) for i, item in enumerate(value)]
        # a set of texts has another order in every run
        return sorted(items, key=json.dumps) if isinstance(value, set | frozenset) else items
    if not isinstance(value, type) and hasattr(value, "keys") and hasattr(value, "__getitem__"):
        row: Any = value  # a database's row, say
        return _object(((key, row[key]) for key in row.keys()), place, inside)  # noqa: SIM118
    raise NoJsonForm(f"{place} is {_kind(value)}")


def _object(
    pairs: Iterable[tuple[object, object]], place: str, inside: tuple[int, ...]
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, inner in pairs:
        name = _key(key, place)
        if name in made:
            raise NoJsonForm(f"{place} has two keys that are {name!r} in JSON")
        made[name] = _form(inner, f"{place}[{name!r}]", inside)
    return made


def _key(key: object, place: str) -> str:
    if isinstance(key, str | int | float | Enum | None | date | time | UUID | PurePath):
        form = _form(key, f"a key of {place}", ())
        return form if isinstance(form, str) else json.dumps(form)
    raise NoJsonForm(f"{place} has the key {shown(key)}, which is no text")


def _field_names(value: object) -> list[str] | None:
    """Return the names of what a value is made of, None if it doesn't say."""
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    if isinstance(value, SimpleNamespace):
        return list(vars(value))
    attributes = getattr(type(value), "__attrs_attrs__", None)
    return None if attributes is None else [attribute.name for attribute in attributes]


def _kind(value: object) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"
