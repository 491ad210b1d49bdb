"""A YAML file with the line of each of its values, read as pipecat's loader reads it.

``!include`` is followed, so what another file brings is checked where it stands there. Any thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import yaml

from piopiy_lab.errors import EvalFileError
from piopiy_lab.evals import seams

#: How many files may include one another: more is a file that includes itself.
MOST_INCLUDES = 20

Scalar = str | int | float | bool | None
Value: TypeAlias = "Scalar | list[Item] | dict[str, Item]"


@dataclass(frozen=True)
class Item:
    """One value of a file.

    Attributes:
        value: A scalar, the items of a list, or those of a mapping by their key.
        where: ``"file:line"``, counted from 1.
        lines: For a mapping: where each key stands.
    """

    value: Value
    where: str
    lines: dict[str, str]


def read(path: Path, base: Path | None = None, depth: int = 0) -> Item:
    """Read a file.

    Args:
        path: The file.
        base: The folder that its includes are looked for in; its own if None.
        depth: How many files are being read that include this one.

    Raises:
        EvalFileError: It can't be read, is no YAML, has a key twice, or includes itself.
    """
    if depth > MOST_INCLUDES:
        raise EvalFileError(f"{path}: its includes lead back to it: take one of them out")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise EvalFileError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise EvalFileError(f"{path} can't be read: {error}") from None
    try:
        with seams.scenario_loader(text) as loader:
            node = loader.get_single_node()
            if node is None:
                raise EvalFileError(f"{path} is empty")
            return _Reader(loader, path, base or path.parent, depth).item(node)
    except yaml.YAMLError as error:
        raise EvalFileError(f"{_place(path, error)}: no YAML: {_problem(error)}") from None


class _Reader:
    """Turns one file's nodes into items."""

    def __init__(self, loader: yaml.SafeLoader, path: Path, base: Path, depth: int) -> None:
        self._loader = loader
        self._path = path
        self._base = base
        self._depth = depth

    def item(self, node: yaml.Node) -> Item:
        if node.tag == "!include":
            return self._included(node)
        where = self._where(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return Item([self.item(part) for part in node.value], where, {})
        return Item(self._loader.construct_object(node), where, {})

    def _mapping(self, node: yaml.MappingNode, where: str) -> Item:
        own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        seen: dict[object, str] = {}
        for key in own:
            name = self._loader.construct_object(key, deep=True)
            name = name if isinstance(name, str) else repr(name)
            if name in seen:
                raise EvalFileError(
                    f"{self._where(key)}: {name!r} is here twice, first in {seen[name]}: "
                    "only the last would count"
                )
            seen[name] = self._where(key)
        self._loader.flatten_mapping(node)
        values: dict[str, Item] = {}
        lines: dict[str, str] = {}
        for key, value in node.value:
            name = str(self._loader.construct_object(key, deep=True))
            values[name] = self.item(value)
            lines[name] = self._where(key)
        return Item(values, where, lines)

    def _included(self, node: yaml.Node) -> Item:
        if not isinstance(node, yaml.ScalarNode):
            raise EvalFileError(f"{self._where(node)}: !include takes a file's path")
        path = self._base / str(node.value)
        if not path.is_file():
            raise EvalFileError(f"{self._where(node)}: !include {node.value}: there is no {path}")
        return read(path, self._base, self._depth + 1)

    def _where(self, node: yaml.Node) -> str:
        return f"{self._path}:{node.start_mark.line + 1}"


def _place(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return str(path) if mark is None else f"{path}:{mark.line + 1}"


def _problem(error: yaml.YAMLError) -> str:
    return " ".join(str(getattr(error, "problem", None) or error).split())
