"""The names and texts in a bot's code: what it says of itself without being run.

Read are the bot, what it wraps and closes over, and what it uses of its author's own: functions,
classes and tables, in whatever file they are. Libraries are not read. Pure.
"""

from __future__ import annotations

import functools
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_PYTHONS_OWN = sysconfig.get_path("stdlib")
#: Packages that no bot's author writes, wherever they are installed.
_LIBRARIES = ("pipecat", "piopiy_lab")


def words_of(bot: Callable[..., object]) -> set[str]:
    """Return the names and texts in a bot's code, and in what it uses of its author's."""
    words: set[str] = set()
    seen: set[int] = set()
    to_read: list[object] = [bot]
    while to_read:
        one = to_read.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, functools.partial):
            to_read += [one.func, *one.args, *one.keywords.values()]
        elif _is_of_a_library(getattr(one, "__module__", None)):
            continue
        elif isinstance(one, str):
            words.add(one)
        elif isinstance(one, Mapping):
            words |= {key for key in one if isinstance(key, str)}
        elif isinstance(one, types.FunctionType):
            found = set(_words_in(one.__code__))
            words |= found
            to_read += _used(one, found)
        else:
            to_read += _parts(one)
    return words


def _parts(one: object) -> Iterator[object]:
    """Give what an object that can be called is made of."""
    if isinstance(one, types.MethodType):
        yield one.__func__
        yield type(one.__self__)
    elif isinstance(one, type):
        for base in one.__mro__:
            if not _is_of_a_library(base.__module__):
                yield from (getattr(value, "__func__", value) for value in vars(base).values())
    elif callable(one):
        yield getattr(one, "__wrapped__", None)
        yield type(one)


def _used(function: types.FunctionType, words: set[str]) -> Iterator[object]:
    """Give what a function wraps, closes over, and finds under the names in its code."""
    yield getattr(function, "__wrapped__", None)
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # it is not filled yet
            continue
    known: dict[str, Any] = function.__globals__
    for word in words:
        used = known.get(word, sys.modules.get(word))
        if not isinstance(used, types.ModuleType):
            yield used
        elif not _is_of_a_library(used.__name__):
            yield from (value for name, value in vars(used).items() if name in words)


def _words_in(code: types.CodeType) -> Iterator[str]:
    yield from (name for name in code.co_names if name != "eval")  # Python's, not pipecat's
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _words_in(constant)
        elif isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple):
            yield from (one for one in constant if isinstance(one, str))


def _is_of_a_library(module: str | None) -> bool:
    """Whether a module is nobody's own: of Python, of pipecat, or installed."""
    top = (module or "").partition(".")[0]
    if top in _LIBRARIES or top in sys.builtin_module_names:
        return True
    file = getattr(sys.modules.get(module or ""), "__file__", None) or ""
    return file.startswith(_PYTHONS_OWN) or "site-packages" in file or "dist-packages" in file
