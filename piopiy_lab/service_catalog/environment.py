"""Where keys come from: the process's environment, and a ``.env`` file found upwards.

The file is read each time and only read: nothing of it is put into ``os.environ``, where child
processes and error reports would see it. A variable of the process wins over the file's.
No value is ever shown: messages name variables.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from piopiy_lab.errors import ArgumentError, ArgumentTypeError

#: What variables hold in a call that replaces services: no key, and never taken for one.
PLACEHOLDER = "placeholder-key-of-a-simulation"
PLACEHOLDER_URL = "https://placeholder-of-a-simulation.invalid"


def is_placeholder(value: str | None) -> bool:
    """Whether a variable's value is one of the two."""
    return value in (PLACEHOLDER, PLACEHOLDER_URL)


class Environment(Mapping[str, str]):
    """The variables that are set, in the process or in a ``.env`` file. Empty ones are not set."""

    def __init__(self, env_file: str | os.PathLike[str] | None = None) -> None:
        """Read the variables.

        Args:
            env_file: The file to read; by default the nearest ``.env`` from the working directory
                upwards, if there is one.

        Raises:
            ArgumentError: The file isn't there, or can't be read.
            ArgumentTypeError: ``env_file`` is no path.
        """
        self.file: Path | None = _file(env_file)
        found = {} if self.file is None else _read(self.file)
        self._in_file = frozenset(found) - frozenset(os.environ)
        found.update(os.environ)
        self._set = {
            name: value for name, value in found.items() if value and not is_placeholder(value)
        }

    def __getitem__(self, name: str) -> str:
        return self._set[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._set)

    def __len__(self) -> int:
        return len(self._set)

    def path(self, name: str) -> Path | None:
        """Return a variable's value as a path, None if it is not set.

        A relative one is taken from the ``.env`` file's folder where the file has set it, and
        from the working directory otherwise.
        """
        value = self.get(name)
        if value is None:
            return None
        path = Path(value).expanduser()
        if self.file is not None and name in self._in_file:
            path = self.file.parent.absolute() / path  # an absolute one stays
        return path

    def __repr__(self) -> str:
        where = "" if self.file is None else f" and {self.file.name}"
        return f"<Environment of {len(self)} variables{where}>"


def _file(given: str | os.PathLike[str] | None) -> Path | None:
    if given is None:
        here = Path.cwd()
        return next((p / ".env" for p in (here, *here.parents) if (p / ".env").is_file()), None)
    if not isinstance(given, str | os.PathLike):
        raise ArgumentTypeError(f"env_file is {type(given).__name__}: give the path of a .env file")
    path = Path(given)
    if not path.is_file():
        raise ArgumentError(f"env_file={str(path)!r}: there is no such file")
    return path


def _read(path: Path) -> dict[str, str]:
    from dotenv import dotenv_values

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(
            f"{str(path)!r} can't be read ({type(error).__name__}): it must be UTF-8 text with a "
            "NAME=value on each line"
        ) from None  # the error would show a part of the file
    values = dotenv_values(stream=io.StringIO(text))
    return {name: value for name, value in values.items() if value is not None}
