"""pipecat's service classes read from its sources: nothing is imported, so no extra is needed."""

from __future__ import annotations

import ast
import functools
import importlib.util
from dataclasses import dataclass, field
from pathlib import Path

SERVICES = Path(importlib.util.find_spec("pipecat").origin).parent / "services"
PREFIX = "pipecat.services."


@dataclass(frozen=True)
class Class:
    """A class, where it stands, and its syntax tree."""

    module: str  # below pipecat.services
    name: str
    node: ast.ClassDef = field(compare=False, repr=False)

    def method(self, name):
        return next((f for f in self.node.body if getattr(f, "name", "") == name), None)


@functools.cache
def modules():
    found = {}
    for path in sorted(SERVICES.rglob("*.py")):
        parts = path.relative_to(SERVICES).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


@functools.cache
def classes():
    """Every class below pipecat.services, by module and name."""
    return {
        (module, node.name): Class(module, node.name, node)
        for module, tree in modules().items()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


@functools.cache
def _imported(module):
    return {
        alias.asname or alias.name: (line.module.removeprefix(PREFIX), alias.name)
        for line in ast.walk(modules()[module])
        if isinstance(line, ast.ImportFrom) and (line.module or "").startswith(PREFIX)
        for alias in line.names
    }


def _resolve(module, expression):
    """The class that an expression in a module names; None when it isn't pipecat's."""
    if isinstance(expression, ast.Subscript):  # LLMService[Adapter]
        return _resolve(module, expression.value)
    if isinstance(expression, ast.Attribute):  # Service.Settings
        owner = _resolve(module, expression.value)
        return None if owner is None or expression.attr != "Settings" else settings_of(owner)
    if not isinstance(expression, ast.Name):
        return None
    here = (module, expression.id)
    return classes().get(here) or classes().get(_imported(module).get(expression.id))


def family(one):
    """A class and everything of pipecat's services that it inherits from, nearest first."""
    found = [one]
    for base in one.node.bases:
        parent = _resolve(one.module, base)
        if parent is not None:
            found += [other for other in family(parent) if other not in found]
    return found


def ancestors(one):
    return {other.name for other in family(one)}


def parameters(one):
    """What the constructor takes by name, and what of it has no default."""
    taken, needed, filled = set(), set(), set()
    for other in family(one):
        init = other.method("__init__")
        if init is None:
            continue
        for arg, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
            if arg.arg in filled or arg.arg in taken:
                continue
            taken.add(arg.arg)
            if default is None:
                needed.add(arg.arg)
        if init.args.kwarg is None:
            break
        filled |= {  # what it gives to its parent itself
            keyword.arg
            for call in ast.walk(init)
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("__init__")
            for keyword in call.keywords
            if keyword.arg
        }
    return taken, needed


def settings_of(one):
    """The class's Settings."""
    for other in family(one):
        for line in other.node.body:
            if isinstance(line, ast.Assign) and getattr(line.targets[0], "id", "") == "Settings":
                return _resolve(other.module, line.value)
    raise AssertionError(f"{one.name} has no Settings")


def fields(one):
    """The fields of a dataclass or a pydantic model."""
    return {
        line.target.id
        for other in family(one)
        for line in other.node.body
        if isinstance(line, ast.AnnAssign) and "ClassVar" not in ast.unparse(line.annotation)
    }


def source(module):
    path = SERVICES / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path.read_text(encoding="utf-8")
