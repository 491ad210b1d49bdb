"""What in a session or a check can't travel: by the name that its user gave it, and why not.

A variable, a global, a default or an attribute of what the user made is the name to tell; what it
is made of, a lock in a pool in a client, is only the reason.
"""

from __future__ import annotations

import functools
import io
import types
from collections.abc import Callable, Iterator, Mapping

#: Pickles a value, or raises whatever its ``__reduce__`` does.
Dumps = Callable[[object], object]
#: How far it is looked into what a session holds.
_DEPTH = 12
#: What every class has, and cloudpickle makes anew.
_SLOTS = (types.GetSetDescriptorType, types.MemberDescriptorType)


def goes(dumps: Dumps, value: object) -> bool:
    """Whether a value can be pickled."""
    try:
        dumps(value)
    except Exception:  # whatever a foreign __reduce__ raises: it doesn't go
        return False
    return True


def culprits(part: object, where: str, dumps: Dumps) -> dict[int, str]:
    """Return what doesn't go, a text for each, by its identity.

    Args:
        part: What the user gave: a session, a check, an option.
        where: What that is called.
        dumps: Pickles.
    """
    if goes(dumps, part):
        return {}
    found = list(_variables(part, where, dumps, set(), 0))
    if not found and not callable(part):
        return {id(part): f"{where} ({_kind(part)}){_because(part, dumps)}"}
    texts: dict[int, str] = {}
    for value, name, path in found:
        texts.setdefault(
            id(value), f"{name} ({_kind(value)}){_because(value, dumps)}, used in {path}"
        )
    return texts


def called(value: object) -> str:
    """Return what a function, or an object, is called: ``create_session()``."""
    name = getattr(_function_of(value), "__name__", None) or type(value).__name__
    return f"{name}()"


def _variables(
    value: object, path: str, dumps: Dumps, seen: set[int], depth: int
) -> Iterator[tuple[object, str, str]]:
    """Yield the outermost things without code that don't go: each, its name, and the way to it."""
    if id(value) in seen or depth > _DEPTH:
        return
    seen.add(id(value))
    for name, inner in _held_by(value):
        if goes(dumps, inner):
            continue
        if _has_code(inner):
            yield from _variables(inner, f"{path} -> {called(inner)}", dumps, seen, depth + 1)
        else:
            yield inner, _own_name(value, name), path


def _because(value: object, dumps: Dumps) -> str:
    """Return why a thing doesn't go: the way to the innermost in it that doesn't."""
    way, seen, inner = "", {id(value)}, value
    for _ in range(_DEPTH):
        held = ((n, v) for n, v in _held_by(inner) if id(v) not in seen and not goes(dumps, v))
        found = next(held, None)
        if found is None:
            break
        name, inner = found
        seen.add(id(inner))
        way += name if name.startswith("[") or not way else f".{name}"
    return f", because of its {way} ({_kind(inner)})" if way else ""


def _own_name(holder: object, name: str) -> str:
    """Return a name with that of its holder, where it is none of a function's."""
    if isinstance(holder, type):
        return f"{holder.__name__}.{name}"
    plain = _has_code(holder) or name.startswith("[")
    return name if plain else f"{type(holder).__name__}.{name}"


def _kind(value: object) -> str:
    kind = type(value)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    if isinstance(value, io.IOBase) and not value.closed and value.writable():
        return f"{name}, open for writing"
    return name


def _has_code(value: object) -> bool:
    return hasattr(_function_of(value), "__code__") or isinstance(value, type)


def _function_of(value: object) -> object:
    """Return the function behind a method, a partial or a decorated function."""
    while True:
        if isinstance(value, functools.partial):
            value = value.func
        elif isinstance(value, types.MethodType | staticmethod | classmethod):
            value = value.__func__
        else:
            return value


def _held_by(value: object) -> Iterator[tuple[str, object]]:
    """Yield what a thing holds, by name: of a function its variables, of an object its own."""
    if isinstance(value, functools.partial):
        yield from ((f"argument {n}", one) for n, one in enumerate(value.args, 1))
        yield from value.keywords.items()
    if isinstance(value, types.MethodType):
        yield "self", value.__self__
    function = _function_of(value)
    if isinstance(function, types.FunctionType):
        yield from _variables_of(function)
    elif isinstance(value, Mapping):
        yield from ((f"[{key!r}]", one) for key, one in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{n}]", one) for n, one in enumerate(value))
    elif isinstance(value, type):
        yield from ((name, one) for name, one in vars(value).items() if not isinstance(one, _SLOTS))
    if not _has_code(value) and isinstance(own := getattr(value, "__dict__", None), dict):
        yield from own.items()
        yield called(type(value)), type(value)


def _variables_of(function: types.FunctionType) -> Iterator[tuple[str, object]]:
    names = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in names:
        try:
            yield name, cell.cell_contents
        except ValueError:  # an empty cell
            continue
    for name in _names_in(function.__code__):
        if name in function.__globals__:
            yield name, function.__globals__[name]
    yield from (("a default", one) for one in function.__defaults__ or ())
    yield from (function.__kwdefaults__ or {}).items()
    if (wrapped := getattr(function, "__wrapped__", None)) is not None:
        yield getattr(wrapped, "__name__", "wrapped"), wrapped


def _names_in(code: types.CodeType) -> Iterator[str]:
    """Yield the names that code uses, with that of the functions inside of it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)
