"""Whether a package's insides are as this one relies on them: said when they are not.

pipecat promises nothing about its private names, and lacks hooks for some of what a call needs.
What touches them stands in the ``seams.py`` of its room, and each seam says here what it relies
on when it is imported, or when it gets the object: :class:`IncompatibleVersionError`, not a call
in which something is silently off. Looks only: nothing is called, no thread matters.
"""

from __future__ import annotations

import dis
import inspect
import platform
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import NoReturn

from piopiy_lab.errors import IncompatibleVersionError

#: What each package is called by pip, and the first version that the seams' tests have not seen.
#: Where pyproject.toml has an upper bound it is the same (a test compares them).
TESTED_BELOW = {
    "asyncio": ("python", "3.14"),
    "pipecat": ("pipecat-ai", "1.15"),
    "livekit": ("livekit", "1.3"),
    "aiortc": ("aiortc", "1.17"),
    "aioice": ("aioice", "0.14"),
    "aiohttp": ("aiohttp", "3.15"),
    "engineio": ("python-engineio", "4.16"),
    "socketio": ("python-socketio", "5.19"),
    "httpx": ("httpx", "0.29"),
    "httpx2": ("httpx2", "2.17"),
    "onnxruntime": ("onnxruntime", "1.33"),
    "marimo": ("marimo", "0.26"),
}


@dataclass(frozen=True)
class Reliance:
    """One thing that a seam relies on.

    Attributes:
        owner: The class, object or module that must have it.
        name: The attribute's or method's name.
        needed_by: What relies on it, as in "which <the tuning of a call> needs".
        takes: The parameters that are given to the method; None for an attribute.
    """

    owner: object
    name: str
    needed_by: str
    takes: tuple[str, ...] | None = None

    def check(self) -> None:
        """Check that it is there.

        Raises:
            IncompatibleVersionError: It isn't, or it is called otherwise.
        """
        if self.takes is None:
            expect_attributes(self.owner, self.name, needed_by=self.needed_by)
        else:
            expect_method(self.owner, self.name, *self.takes, needed_by=self.needed_by)

    def __str__(self) -> str:
        return f"{_label(self.owner)}.{self.name}" + ("" if self.takes is None else "()")


def attributes(owner: object, *names: str, needed_by: str) -> tuple[Reliance, ...]:
    """Return what relies on attributes of a class, an object or a module."""
    return tuple(Reliance(owner, name, needed_by) for name in names)


def method(owner: object, name: str, *takes: str, needed_by: str) -> Reliance:
    """Return what relies on a method that takes these parameters."""
    return Reliance(owner, name, needed_by, takes)


def expect(relied_on: Iterable[Reliance]) -> None:
    """Check everything that a seam relies on.

    Raises:
        IncompatibleVersionError: Something is missing, or called otherwise.
    """
    for reliance in relied_on:
        reliance.check()


def expect_attributes(owner: object, *names: str, needed_by: str) -> None:
    """Check that a class, an object or a module has attributes.

    A class has those, too, that its methods (or a base class's) set on ``self``.

    Args:
        owner: The class, object or module.
        names: The attributes' names.
        needed_by: What relies on them, as in "which <the tuning of a call> needs".

    Raises:
        IncompatibleVersionError: There is no such attribute.
    """
    for name in names:
        if not hasattr(owner, name) and not _is_set_by_a_method(owner, name):
            refuse(owner, f"{{package}} has no {_label(owner)}.{name}, which {needed_by} needs")


def expect_method(owner: object, name: str, *parameters: str, needed_by: str) -> None:
    """Check that a class, an object or a module has a method (or function) that can be called so.

    Args:
        owner: The class, object or module.
        name: The method's name.
        parameters: The parameters that are given to it, in its order, without ``self``. It may
            have others, if they have defaults.
        needed_by: What relies on it.

    Raises:
        IncompatibleVersionError: There is no such method, or it takes other parameters.
    """
    method = getattr(owner, name, None)
    label = f"{_label(owner)}.{name}"
    if not callable(method):
        refuse(owner, f"{{package}} has no {label}(), which {needed_by} needs")
    found = [p for p in inspect.signature(method).parameters.values() if p.name != "self"]
    required = {p.name for p in found if p.default is p.empty and p.kind not in _VARIADIC}
    taken = [p.name for p in found if p.name in parameters]
    if taken != list(parameters) or not required <= set(parameters):
        refuse(
            owner,
            f"{{package}}'s {label}() takes ({', '.join(p.name for p in found)}); "
            f"{needed_by} needs ({', '.join(parameters)})",
        )


def expect_text(function: Callable[..., object], text: str, *, needed_by: str) -> None:
    """Check that a function's code has a text: one that it puts in a message or compares with.

    Args:
        function: A function of Python code; decorators that keep ``__wrapped__`` are seen through.
        text: The text, or the part of an f-string up to a value.
        needed_by: What reads it.

    Raises:
        IncompatibleVersionError: The text is not there.
    """
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None or not any(text in said for said in _texts(code)):
        refuse(
            function,
            f"{{package}}'s {function.__qualname__}() no longer says {text!r}, "
            f"which {needed_by} reads",
        )


def refuse(owner: object, message: str) -> NoReturn:
    """Raise what every check here raises.

    Args:
        owner: Whose package is at fault.
        message: What doesn't fit; ``{package}`` becomes its name and version.

    Raises:
        IncompatibleVersionError: Always.
    """
    root = _root(owner)
    project, below = TESTED_BELOW[root]
    raise IncompatibleVersionError(
        f"{message.format(package=f'{root} {_version_of(project)}')}; use {project}<{below}"
    )


def _version_of(project: str) -> str:
    if project == "python":
        return platform.python_version()
    try:
        return metadata.version(project)
    except metadata.PackageNotFoundError:
        return "(of an unknown version)"


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _is_set_by_a_method(owner: object, name: str) -> bool:
    """Whether a class's objects have an attribute: annotated, or set by one of its methods."""
    if not isinstance(owner, type):
        return False
    return any(
        name in vars(cls).get("__annotations__", {}) or any(map(_sets(name), vars(cls).values()))
        for cls in owner.__mro__
    )


def _sets(name: str) -> Callable[[object], bool]:
    def sets(member: object) -> bool:
        code = getattr(member, "__code__", None)
        if not isinstance(code, types.CodeType) or name not in code.co_names:
            return False
        lines = dis.get_instructions(code)
        return any(line.opname == "STORE_ATTR" and line.argval == name for line in lines)

    return sets


def _texts(code: types.CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, types.CodeType):
            yield from _texts(constant)


def _label(owner: object) -> str:
    if isinstance(owner, types.ModuleType):
        return owner.__name__
    if isinstance(owner, types.FunctionType):
        return owner.__qualname__
    return (owner if isinstance(owner, type) else type(owner)).__name__


def _root(owner: object) -> str:
    """Return the package whose this is: of a user's subclass, that of the base class."""
    if isinstance(owner, types.ModuleType):
        modules = [owner.__name__]
    elif isinstance(owner, types.FunctionType):
        modules = [owner.__module__]
    else:
        modules = [c.__module__ for c in (owner if isinstance(owner, type) else type(owner)).mro()]
    roots = [module.partition(".")[0] for module in modules]
    return next((root for root in roots if root in TESTED_BELOW), "pipecat")
