"""The work as bytes: by value with cloudpickle, so that what a cell defines travels; else by name.

What can't travel (a socket, a lock, a connection to a database) is named, with how the session gets
at it and the ways out.
"""

from __future__ import annotations

import functools
import io
import linecache
import pickle
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from piopiy_lab.checks.texts import described
from piopiy_lab.errors import ArgumentError, MissingExtraError
from piopiy_lab.experiments.running.parcel import Packed, code_in
from piopiy_lab.experiments.running.work import Work
from piopiy_lab.redaction import redact_text

#: How far it is looked into what a session holds, for the name of what can't travel.
_DEPTH = 12
_MAIN = "__main__"
#: What every class has, and cloudpickle makes anew.
_SLOTS = (types.GetSetDescriptorType, types.MemberDescriptorType)


def as_bytes(work: Work) -> bytes:
    """Return the work as bytes that ``pickle.loads`` reads in another process.

    Raises:
        ArgumentError: Something in it can't travel; names it.
        MissingExtraError: It is defined in a notebook, a script or a function, which needs
            cloudpickle.
    """
    dumps = _by_value()
    if dumps is None:
        return pickle.dumps(Packed(_by_name(work)))
    files: set[str] = set()
    try:
        blob = dumps(work, files)
    except Exception as error:
        _refuse(work, lambda value: dumps(value, set()), error)
    return pickle.dumps(Packed(blob, {file: tuple(linecache.getlines(file)) for file in files}))


def _by_value() -> Callable[[object, set[str]], bytes] | None:
    """Return what pickles by value, and notes the files of code that it does that to."""
    try:
        import cloudpickle
    except ImportError:
        return None
    whole = cloudpickle.Pickler.dispatch_table
    bare = whole[types.CodeType]

    def dumps(value: object, files: set[str]) -> bytes:
        def reduce(code: types.CodeType) -> tuple[object, ...]:
            files.add(code.co_filename)
            reduced: Any = bare(code)
            make, parts = reduced
            return code_in, (make, parts, code.co_filename)

        class Pickler(cloudpickle.Pickler):
            """Keeps the names of files, which cloudpickle leaves out: rows and errors have them."""

            dispatch_table = {**whole, types.CodeType: reduce}

        Pickler(out := io.BytesIO()).dump(value)
        return out.getvalue()

    return dumps


def _by_name(work: Work) -> bytes:
    """Return the work by plain pickle: functions and classes by the names of their modules."""
    try:
        blob = pickle.dumps(work)
    except Exception as error:
        where = next(
            (where for where, part in _parts(work) if not _goes(pickle.dumps, part)), "This"
        )
        raise MissingExtraError(
            f"{where} travels to other processes by value and",
            "many",
            detail=f"plain pickle: {described(error)}; executor=0 makes the calls here",
        ) from error
    if _MAIN in _modules_of(blob):
        raise MissingExtraError(
            "What a notebook or a script defines travels to other processes by value and",
            "many",
            detail="or put it into a module, or give executor=0",
        )
    return blob


class _Names(pickle.Unpickler):
    """Notes the modules that a pickle names."""

    def __init__(self, blob: bytes) -> None:
        super().__init__(io.BytesIO(blob))
        self.modules: set[str] = set()

    def find_class(self, module_name: str, global_name: str) -> object:
        """Look a name up, as ever."""
        self.modules.add(module_name)
        return super().find_class(module_name, global_name)


def _modules_of(blob: bytes) -> set[str]:
    names = _Names(blob)
    names.load()
    return names.modules


def _parts(work: Work) -> Iterator[tuple[str, object]]:
    """Yield what a user gave, with what it is called."""
    yield _called(work.create_session), work.create_session
    for name, caller in work.callers.items():
        yield f"the caller {name!r}", caller
    for name, check in work.checks.items():
        yield f"the check {name!r}", check
    for name, value in work.options.items():
        if name == "replace" and isinstance(value, Mapping):
            for part, service in value.items():
                yield f"replace[{part!r}]", service
        else:
            yield f"{name}=", value
    yield "line=", work.line


def _refuse(work: Work, dumps: Callable[[object], bytes], error: Exception) -> NoReturn:
    """Raise the error that names what can't travel."""
    culprits: dict[int, str] = {}
    for where, part in _parts(work):
        if not _goes(dumps, part):
            found = list(_culprits(part, where, dumps, set(), 0))
            if not found and not callable(part):
                found = [(part, where, where)]
            for value, name, path in found:
                kind = f"{type(value).__module__}.{type(value).__qualname__}"
                culprits.setdefault(id(value), f"{name} ({kind}), used in {path}")
    named = "; ".join(culprits.values()) or described(error)
    raise ArgumentError(
        redact_text(
            f"this can't travel to another process: {named}. Make it inside of the session "
            "(or in a function that the session calls), so that each call has its own; or make "
            "the calls here, one after the other, with executor=0"
        )
    ) from error


def _goes(dumps: Callable[[object], bytes], value: object) -> bool:
    try:
        dumps(value)
    except Exception:  # whatever a foreign __reduce__ raises: it doesn't go
        return False
    return True


def _culprits(
    value: object, path: str, dumps: Callable[[object], bytes], seen: set[int], depth: int
) -> Iterator[tuple[object, str, str]]:
    """Yield the innermost things that don't go: each with its name, and the way to it."""
    if id(value) in seen or depth > _DEPTH:
        return
    seen.add(id(value))
    for name, inner in _held_by(value):
        if _goes(dumps, inner):
            continue
        deeper = f"{path} -> {_called(inner)}" if _has_code(inner) else path
        found = list(_culprits(inner, deeper, dumps, seen, depth + 1))
        if found:
            yield from found
        elif not _has_code(inner):
            yield inner, name, path


def _called(value: object) -> str:
    name = getattr(_function_of(value), "__name__", None) or type(value).__name__
    return f"{name}()"


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
        yield from ((repr(key), one) for key, one in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"item {n}", one) for n, one in enumerate(value))
    elif isinstance(value, type):
        yield from (
            (f"{value.__name__}.{name}", one)
            for name, one in vars(value).items()
            if not isinstance(one, _SLOTS)
        )
    elif isinstance(own := getattr(value, "__dict__", None), dict):
        yield from ((f"{type(value).__name__}.{name}", one) for name, one in own.items())
        yield _called(type(value)), type(value)


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
