"""Only a room's seams.py touches what another package keeps to itself.

Read from the source: an underscore of anything but ``self`` and ``cls`` is another's, unless it is
a name that this package gives to something of its own; and what a class inherits from another
package stands, if it has an underscore, in the ``RELIED_ON`` of its room.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import piopiy_lab

PACKAGE = Path(piopiy_lab.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
#: Privates of Python and IPython that are used outside of a seam: each is older than the code that
#: uses it, and documented or tested there.
ALLOWED = {
    "_get_running_loop": "asyncio's, made for event loops: simulation/",
    "_set_running_loop": "asyncio's, made for event loops: simulation/",
    "_default_executor": "asyncio's: a simulation's loop waits for its threads",
    "_scheduled": "asyncio's: a timer of the clocked loop",
    "_callback": "asyncio's: what a stuck loop was doing, for an error's words",
    "_loop": "asyncio's: what belongs to another loop can't be used in a call",
    "_exit": "Python's, public: a process that nobody waits for any more",
    "_current_frames": "Python's, public: what a stuck loop was doing",
    "_made_on": "ours, on another's service: which loop it was made on",
    "_piopiy_lab_options": "ours, on a user's function: its tool options",
    "_initialize": "sounddevice's way to see devices that were plugged in",
    "_terminate": "sounddevice's way to see devices that were plugged in",
    "_repr_html_": "IPython's, public",
    "_repr_png_": "IPython's, public",
    "_repr_mimebundle_": "IPython's, public",
}
#: Packages whose insides a class of ours might use of itself.
FOREIGN = ("pipecat", "livekit", "aiortc", "aioice", "aiohttp", "socketio", "engineio")


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in FILES:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _own_names() -> set[str]:
    """Return every underscore name that a class of this package gives to its objects."""
    own: set[str] = set()
    for path, tree in _trees():
        if path.name == "seams.py":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                own.update(_of_a_class(node))
            elif (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and isinstance(node.value, ast.Name)
                and node.value.id in ("self", "cls")
            ):
                own.add(node.attr)
    return {name for name in own if _is_private(name)}


def _of_a_class(cls: ast.ClassDef) -> Iterator[str]:
    """Yield the methods and annotated or assigned names of a class's body."""
    for node in cls.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def _touched(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the underscore names that are taken from something that is not self or cls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr):
            of = node.value
            if not (isinstance(of, ast.Name) and of.id in ("self", "cls")) and not _is_super(of):
                yield node.lineno, node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            by_name = node.func.id in ("getattr", "setattr", "hasattr", "delattr")
            name = node.args[1] if by_name and len(node.args) > 1 else None
            if isinstance(name, ast.Constant) and _is_private(str(name.value)):
                yield node.lineno, str(name.value)


def _is_super(of: ast.expr) -> bool:
    return isinstance(of, ast.Call) and isinstance(of.func, ast.Name) and of.func.id == "super"


def test_only_seams_touch_anothers_underscores():
    own = _own_names()
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {name}"
        for path, tree in _trees()
        if path.name != "seams.py"
        for line, name in _touched(tree)
        if name not in ALLOWED and name not in own
    ]
    assert not found, "belongs into the room's seams.py:\n" + "\n".join(found)


def _made_here(tree: ast.Module) -> set[str]:
    """Return the names of a file's functions that are no methods."""
    scopes = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        made.name
        for scope in ast.walk(tree)
        if isinstance(scope, scopes)
        for made in ast.walk(
            ast.Module([n for n in scope.body if not isinstance(n, ast.ClassDef)], [])
        )
        if isinstance(made, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _replaced(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield where a function of the file takes the place of something that is not self's."""
    made = _made_here(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Name):
            continue
        for target in node.targets:
            if isinstance(target, ast.Attribute) and node.value.id in made:
                of = target.value
                if not (isinstance(of, ast.Name) and of.id in ("self", "cls")):
                    yield node.lineno, target.attr


def test_only_seams_replace_anothers_methods():
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {name}"
        for path, tree in _trees()
        if path.name != "seams.py"
        for line, name in _replaced(tree)
    ]
    assert not found, "belongs into the room's seams.py:\n" + "\n".join(found)


def test_a_replaced_method_is_seen():
    source = "def patch(service):\n    def run(): ...\n    service.run = run"
    assert [*_replaced(ast.parse(source))] == [(3, "run")]
    assert not [*_replaced(ast.parse(source.replace("service.run", "self.run")))]


def test_nothing_is_allowed_that_nobody_uses():
    used = {name for path, tree in _trees() for _, name in _touched(tree)}
    assert set(ALLOWED) <= used


def _foreign(cls: type) -> Iterator[type]:
    yield from (base for base in cls.__mro__ if base.__module__.startswith(FOREIGN))


def _classes(path: Path) -> Iterator[type]:
    module = ".".join(("piopiy_lab", *path.relative_to(PACKAGE).with_suffix("").parts))
    if path.stem == "__main__":
        return
    try:
        members = vars(importlib.import_module(module)).values()
    except ImportError:  # an extra is missing
        return
    yield from (c for c in members if inspect.isclass(c) and c.__module__ == module)


def _sets(cls: type, name: str) -> bool:
    """Whether a class itself has a name, or a method of it sets it on self."""
    codes = [getattr(member, "__code__", None) for member in vars(cls).values()]
    return name in vars(cls) or any(code and name in code.co_names for code in codes)


def _inherited(path: Path) -> Iterator[str]:
    """Yield the underscore names of another package that a file's classes use of themselves."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for cls in _classes(path):
        if not (foreign := list(_foreign(cls))) or cls.__name__ not in nodes:
            continue
        for node in ast.walk(nodes[cls.__name__]):
            if isinstance(node, ast.Attribute):
                of, name = node.value, node.attr
                mine = (isinstance(of, ast.Name) and of.id in ("self", "cls")) or _is_super(of)
                if not mine:
                    continue
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = node.name
            else:
                continue
            if _is_private(name) and any(_sets(base, name) for base in foreign):
                yield f"{cls.__name__}.{name}"


def _relied_on(room: str) -> set[str]:
    try:
        seams = importlib.import_module(f"piopiy_lab.{room}.seams")
    except ImportError:
        return set()
    return {reliance.name for reliance in getattr(seams, "RELIED_ON", ())}


ROOMS = sorted({path.parent.name for path in FILES if path.parent != PACKAGE})


@pytest.mark.parametrize("room", ROOMS)
def test_what_classes_inherit_and_use_of_another_package_is_checked(room):
    known = _relied_on(room)
    found = {
        f"{path.name}: {use}"
        for path in FILES
        if path.parent.name == room
        for use in _inherited(path)
        if use.split(".")[1] not in known
    }
    assert not found, "not in RELIED_ON of the room's seams.py:\n" + "\n".join(sorted(found))
