"""A stack's options, which are text, as what a service of pipecat's takes.

What a service takes is read from its classes: the fields and type hints of its Settings, and the
constructor's arguments.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from piopiy_lab.errors import ArgumentError
from piopiy_lab.service_catalog.entries import Entry

#: Options or arguments of a service by name, as its class takes them.
Values = dict[str, Any]


def constructor_arguments(entry: Entry, service_class: Any, values: Mapping[str, object]) -> Values:
    """Return the options that are no settings, but simple arguments of the constructor.

    Raises:
        ArgumentError: An option that is neither, with those that there are.
    """
    known = {one.name for one in fields(service_class.Settings)} - {"extra"}
    taken = _constructor(service_class)
    own: Values = {}
    for name, value in values.items():
        if name in known:
            continue
        hint = taken.get(name)
        if hint is None or not _is_simple(hint):
            simple = {one for one, its_hint in taken.items() if _is_simple(its_hint)}
            names = sorted(known | set(entry.paths) | simple)
            raise ArgumentError(f"{entry.name} has no option {name!r}: there is {', '.join(names)}")
        own[name] = _converted(entry, name, value, hint)
    return own


#: Where the base classes are: their arguments are the services' business.
_GENERAL = {
    "builtins",
    "abc",
    *(f"pipecat.services.{kind}_service" for kind in ("ai", "stt", "llm", "tts", "websocket")),
    "pipecat.processors.frame_processor",
    "pipecat.utils.base_object",
}

#: Arguments of constructors that are no options: secrets, and old names for settings.
_NOT_OPTIONS = {
    *("api_key", "aws_access_key", "aws_access_key_id", "aws_secret_key", "aws_session_token"),
    *("access_key_id", "secret_access_key", "session_token", "credentials", "credentials_path"),
    *("settings", "params", "voice_id", "aggregate_sentences"),
}


def _constructor(service_class: Any) -> dict[str, object]:
    """Return the constructor's parameters with their types, inherited ones too."""
    found: dict[str, object] = {}
    for one in service_class.__mro__:
        init = one.__dict__.get("__init__")
        if init is None or one.__module__ in _GENERAL:
            continue
        for parameter in inspect.signature(init).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in _NOT_OPTIONS:
                hint = parameter.annotation
                untyped = hint is parameter.empty  # "base_url=None" of the OpenAI services
                found.setdefault(parameter.name, str if untyped else _evaluated(hint, one))
    return found


def _evaluated(hint: object, owner: object) -> object:
    """Return what an annotation stands for; Any when pipecat names it only for type checkers."""
    if not isinstance(hint, str):
        return hint
    try:
        return eval(hint, vars(sys.modules[owner.__module__]))  # pipecat's own source
    except NameError:
        return Any


def typed_settings(entry: Entry, service_class: Any, values: Mapping[str, object]) -> Values:
    """Return settings as the types that the service's Settings asks for.

    Raises:
        ArgumentError: A value that a field can't take.
    """
    hints: dict[str, object] = {}
    for one in reversed(service_class.Settings.__mro__):
        for name, hint in one.__dict__.get("__annotations__", {}).items():
            hints[name] = _evaluated(hint, one)
    return {name: _converted(entry, name, value, hints[name]) for name, value in values.items()}


def held(entry: Entry, holder: Any, values: Mapping[str, object]) -> object:
    """Return a pydantic model that takes a service's arguments together.

    Raises:
        ArgumentError: A field that it doesn't have, or a value that the field can't take.
    """
    unknown = sorted(set(values) - set(holder.model_fields))
    if unknown:
        names = sorted(set(holder.model_fields) - _NOT_OPTIONS)
        raise ArgumentError(
            f"{entry.name} has no option {unknown[0]!r}: there is {', '.join(names)}"
        )
    try:
        return holder(**values)
    except ValueError as error:
        places = [one["loc"] for one in error.errors()]  # type: ignore[attr-defined]
        wrong = next((str(place[0]) for place in places if place), "its options together")
        shown = "" if wrong in _NOT_OPTIONS else f" {values.get(wrong)!r}"
        raise ArgumentError(f"{entry.name}: {wrong} can't be{shown or ' as given'}") from None


def merge(into: Values, more: Mapping[str, object]) -> None:
    """Put values over others, field by field where both are mappings."""
    for name, value in more.items():
        if isinstance(value, Mapping):
            inner = dict(into.get(name) or {})
            merge(inner, value)
            into[name] = inner
        else:
            into[name] = value


def over_defaults(default: Any, values: Mapping[str, object]) -> Values:
    """Return values for a field that is a pydantic model, over those that it has."""
    merged: Values = {}
    if hasattr(default, "model_dump"):
        merged.update(default.model_dump(exclude_none=True))
    merge(merged, values)
    return merged


def wrapper_of(entry: Entry, service_class: object) -> Any:
    """Return the class that takes a service's arguments together, None if there is none."""
    if not entry.wrap:
        return None
    return getattr(importlib.import_module(service_class.__module__), entry.wrap.split(":")[1])


def _kinds(hint: object) -> list[Any]:
    """Return the members of a union, or the one type."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return list(typing.get_args(hint))
    return [hint]


def _is_simple(hint: object) -> bool:
    return any(
        kind in (str, int, float, bool)
        or typing.get_origin(kind) is typing.Literal
        or (isinstance(kind, type) and issubclass(kind, enum.Enum))
        for kind in _kinds(hint)
    )


def _converted(entry: Entry, name: str, value: object, hint: object) -> Any:
    """Return a value as the type that a hint asks for: what was written is text."""
    kinds = _kinds(hint)
    for kind in kinds:
        if isinstance(value, Mapping) and hasattr(kind, "model_validate"):
            try:
                return kind.model_validate(value)
            except ValueError:
                raise ArgumentError(f"{entry.name}: {name} can't be {dict(value)!r}") from None
    if not isinstance(value, str):
        return value
    if Any in kinds:  # pipecat doesn't say: what it looks like
        kinds = [bool, int, float, list, str]
    if bool in kinds and value.lower() in ("true", "false"):
        return value.lower() == "true"
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(value)
            except ValueError:
                continue
    lists = any(kind is list or typing.get_origin(kind) is list for kind in kinds)
    if lists and (str not in kinds or "," in value):
        return value.split(",")
    if str in kinds:
        return value
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            for member in kind:
                if value.lower() in (str(member.value).lower(), member.name.lower()):
                    return member
        if typing.get_origin(kind) is typing.Literal and value in typing.get_args(kind):
            return value
    raise ArgumentError(f"{entry.name}: {name} can't be {value!r}")
