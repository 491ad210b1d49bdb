"""The work as bytes: by value with cloudpickle, so that what a cell defines travels; else by name.

What can't travel (a socket, a lock, a connection to a database) is named, with how the session gets
at it and the ways out.
"""

from __future__ import annotations

import io
import linecache
import pickle
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from piopiy_lab.checks.texts import described
from piopiy_lab.errors import ArgumentError, MissingExtraError
from piopiy_lab.experiments.running.culprits import called, culprits, goes
from piopiy_lab.experiments.running.parcel import Packed, code_in
from piopiy_lab.experiments.running.work import Work
from piopiy_lab.redaction import redact_text

_MAIN = "__main__"


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

        def of_file(file: io.TextIOWrapper) -> tuple[object, ...]:
            standard = file is sys.stdout or file is sys.stderr
            if not standard and not file.closed and file.writable():
                # cloudpickle sends a copy of one that can be read too: what is written is lost
                raise pickle.PicklingError(f"{file!r} is open for writing")
            reduced: Any = whole[io.TextIOWrapper](file)
            return reduced

        class Pickler(cloudpickle.Pickler):
            """Keeps the names of files, which cloudpickle leaves out: rows and errors have them."""

            dispatch_table = {**whole, types.CodeType: reduce, io.TextIOWrapper: of_file}

        Pickler(out := io.BytesIO()).dump(value)
        return out.getvalue()

    return dumps


def _by_name(work: Work) -> bytes:
    """Return the work by plain pickle: functions and classes by the names of their modules."""
    try:
        blob = pickle.dumps(work)
    except Exception as error:
        where = next(
            (where for where, part in _parts(work) if not goes(pickle.dumps, part)), "This"
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
    yield called(work.create_session), work.create_session
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
    found: dict[int, str] = {}
    for where, part in _parts(work):
        found = {**culprits(part, where, dumps), **found}
    named = list(found.values()) or [described(error)]
    told = f" {named[0]}. " if len(named) == 1 else "".join(f"\n  {one}" for one in named) + "\n"
    raise ArgumentError(
        redact_text(
            f"this can't travel to another process:{told}Make it inside of the session "
            "(or in a function that the session calls), so that each call has its own; or make "
            "the calls here, one after the other, with executor=0"
        )
    ) from error
