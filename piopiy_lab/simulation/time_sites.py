"""Finds where a module holds the `time` functions, and puts others in their place.

The places ("sites") are

- the module's own names: ``import time``, ``import time as t``, ``from time import monotonic``,
  and the same for `datetime`;
- what its functions and methods captured when they were defined: defaults, keyword defaults and
  closures, through decorators (`__wrapped__`), properties, class and static methods;
- class attributes, and the default factories of dataclasses (which are in the field, and in a
  closure of the generated ``__init__``).

`scan.py` finds in pipecat's sources what none of these covers.
"""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Undo = Callable[[], None]

# What `functools.cache` makes of a function.
_CACHE_WRAPPER = type(functools.cache(lambda: None))
# Decorators on one function that are looked through.
_MAX_WRAPPERS = 20

# What is replaced, by identity: `id(original)` to its replacement.
Swaps = Mapping[int, Any]
# Classes in which nothing was found, by id: each with its members as they were.
Clean = dict[int, tuple[type, tuple[object, ...]]]


def replace_in_module(
    module: types.ModuleType, swaps: Swaps, clean: Clean | None = None
) -> list[Undo]:
    """Replace every site in a module; return what undoes it, to be called in reverse order.

    Args:
        module: The module.
        swaps: What is replaced.
        clean: The classes that were looked through before with the same swaps and held nothing:
            those with the same members are not looked through again. Written.
    """
    clean = {} if clean is None else clean
    undo: list[Undo] = []
    for name, value in vars(module).copy().items():
        if id(value) in swaps:
            undo.append(_replace_attribute(module, name, swaps[id(value)]))
    seen: set[int] = set()
    for value in vars(module).copy().values():
        if getattr(value, "__module__", None) == module.__name__:
            if isinstance(value, type):
                _replace_in_class(value, swaps, undo, seen, clean)
            else:
                _replace_in(value, swaps, undo, seen)
    return undo


def _replace_in_class(
    value: type, swaps: Swaps, undo: list[Undo], seen: set[int], clean: Clean
) -> None:
    """Replace the sites in a class, unless it is known to have none."""
    members = tuple(vars(value).values())
    known = clean.get(id(value))
    if known is not None and known[0] is value and _are_same(known[1], members):
        return
    before = len(undo)
    _replace_in(value, swaps, undo, seen)
    if len(undo) == before and not any(isinstance(member, type) for member in members):
        clean[id(value)] = value, members


def _are_same(some: tuple[object, ...], others: tuple[object, ...]) -> bool:
    return len(some) == len(others) and all(map(operator.is_, some, others))


def _replace_in(value: object, swaps: Swaps, undo: list[Undo], seen: set[int]) -> None:
    """Replace the sites in a class or a function, and in what belongs to it."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, type):
        for name, member in vars(value).copy().items():
            if id(member) in swaps:
                undo.append(_replace_attribute(value, name, swaps[id(member)]))
            elif isinstance(member, staticmethod) and id(member.__func__) in swaps:
                replacement = staticmethod(swaps[id(member.__func__)])
                undo.append(_replace_attribute(value, name, replacement))
            else:
                _replace_in(member, swaps, undo, seen)
        for field in getattr(value, "__dataclass_fields__", {}).values():
            if id(field.default_factory) in swaps:
                new = swaps[id(field.default_factory)]
                undo.append(_replace_attribute(field, "default_factory", new))
        return
    for function in _functions_of(value):
        _replace_in_function(function, swaps, undo)


def _functions_of(value: object) -> Iterator[types.FunctionType]:
    """Yield the functions behind a class member, outermost wrapper first."""
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    if isinstance(value, property):
        for accessor in (value.fget, value.fset, value.fdel):
            yield from _functions_of(accessor)
        return
    for _ in range(_MAX_WRAPPERS):
        if isinstance(value, types.FunctionType):
            yield value
        elif not isinstance(value, _CACHE_WRAPPER):
            return
        value = getattr(value, "__wrapped__", None)


def _replace_in_function(function: types.FunctionType, swaps: Swaps, undo: list[Undo]) -> None:
    defaults = function.__defaults__
    if defaults is not None and any(id(value) in swaps for value in defaults):
        new = tuple(swaps.get(id(value), value) for value in defaults)
        undo.append(_replace_attribute(function, "__defaults__", new))
    keywords = function.__kwdefaults__
    if keywords is not None and any(id(value) in swaps for value in keywords.values()):
        new_keywords = {name: swaps.get(id(value), value) for name, value in keywords.items()}
        undo.append(_replace_attribute(function, "__kwdefaults__", new_keywords))
    for cell in function.__closure__ or ():
        try:
            content = cell.cell_contents
        except ValueError:  # an empty cell
            continue
        if id(content) in swaps:
            undo.append(_replace_attribute(cell, "cell_contents", swaps[id(content)]))


def _replace_attribute(owner: object, name: str, value: object) -> Undo:
    """Set an attribute; return what sets it back to the very object that it was.

    A name that somebody else has set in the meantime is left as it is.
    """

    def current() -> object:
        return vars(owner).get(name) if isinstance(owner, type) else getattr(owner, name, None)

    def undo() -> None:
        if current() is value:
            setattr(owner, name, original)

    original = current()
    setattr(owner, name, value)
    return undo
