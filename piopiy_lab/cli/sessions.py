"""The agent that a command line names: a file, ``path.py:function`` or ``module:function``.

Importing it runs the user's code, in this process and on this thread.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from piopiy_lab.checks.texts import described
from piopiy_lab.display.user_traceback import user_place
from piopiy_lab.errors import ArgumentError

#: What a file's agent is called where no other name is given: a session, or a bot of pipecat's.
NAMES = ("create_session", "bot")


class UserCodeError(Exception):
    """The user's own code failed when it was imported."""

    def __init__(self, error: Exception) -> None:
        """Keep what it raised, with its traceback."""
        super().__init__(described(error))
        self.error = error


def load_session(place: str) -> Any:
    """Return the session callback or bot that ``module:function`` or ``path.py:function`` names.

    ``path.py`` alone is its ``create_session``, or else its ``bot``.

    Raises:
        ArgumentError: There is none of that name, or the module exits when it is imported.
        UserCodeError: The module raises when it is imported.
    """
    where, name = _split(place)
    try:
        module = _import(where)
    except SystemExit as error:
        raise ArgumentError(
            f"{where} exits when it is imported ({described(error)}, {user_place(error)}): put "
            'what only a script should do under if __name__ == "__main__":'
        ) from error
    names = NAMES if name is None else (name,)
    for name in names:
        if hasattr(module, name):
            return getattr(module, name)
    raise ArgumentError(f"{where} has no {' and no '.join(map(repr, names))}")


def file_of(place: str) -> Path:
    """Return the file that a session is in, without running it.

    Raises:
        ArgumentError: It is in none.
    """
    where, _ = _split(place)
    if where.endswith(".py"):
        return Path(where).resolve()
    sys.path.insert(0, os.getcwd())
    spec = importlib.util.find_spec(where)
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise ArgumentError(f"there is no file of a module {where!r} here ({os.getcwd()})")
    return Path(spec.origin)


def _split(place: str) -> tuple[str, str | None]:
    """Return the module or file, and the name in it; None where none is given."""
    if place.endswith(".py"):
        return place, None
    where, _, name = place.rpartition(":")
    if not where or not name.isidentifier():
        raise ArgumentError(
            f"{place!r}: give a file, my_agent.py say, or module:function, my_agent:create_session"
        )
    return where, name


def _import(where: str) -> object:
    """Import a module by its name, or from its file."""
    if where.endswith(".py"):
        path = Path(where).resolve()
        if not path.is_file():
            raise ArgumentError(f"there is no file {where}")
        sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None:
            raise ArgumentError(f"{where} is no Python file")
        return _run(spec)
    sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(where)
    except Exception as error:
        lacks = error.name if isinstance(error, ModuleNotFoundError) else None
        if lacks is None or not (where == lacks or where.startswith(lacks + ".")):
            raise UserCodeError(error) from error  # what the module itself does or imports
        raise ArgumentError(
            f"there is no module {where!r} here ({os.getcwd()}); give module:function, or "
            "path/to/file.py:function"
        ) from None


def _run(spec: ModuleSpec) -> object:
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    assert spec.loader is not None, "a file that ends in .py has one"
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserCodeError(error) from error
    return module
