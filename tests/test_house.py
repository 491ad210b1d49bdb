"""The house: doors at the root, and no room that leans on one that leans on it."""

from __future__ import annotations

import ast
from pathlib import Path

import piopiy_lab
from piopiy_lab.call import doors

PACKAGE = Path(piopiy_lab.__file__).parent
#: The one table that leads upwards: what Call offers of the rooms that stand on it.
UPWARDS = "piopiy_lab.call.doors"
DOORS = {
    "__init__",
    "_version",
    "agent",
    "errors",
    "interruptions",
    "logs",
    "speech_agent",
    "voice_agent",
}


def modules_in(package):
    """Each module's full name, and its source."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path.read_text()
    return found


def imports_of(name, source, modules):
    """The package's modules that a module names in any import: for hints, late, or as a text."""
    top, out = name.split(".")[0], set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{name}: relative imports aren't followed here"
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            out.update(path if path in modules else node.module for path in inner)
        elif isinstance(node, ast.Import):
            out.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            out.update(ast.unparse(argument).strip("'") for argument in node.args)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and name != UPWARDS:
            out.update(node.value.split(":")[:-1])  # "a.b:name", in a table of doors
    return (out & set(modules)) - {name, top}


def rings_in(graph):
    """The sets of modules that reach each other, by what each one reaches."""
    reached = {}
    for start in graph:
        seen, todo = set(), [start]
        while todo:
            new = graph[todo.pop()] - seen
            seen |= new
            todo += new
        reached[start] = seen
    return {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in graph
        if name in reached[name]
    }


def test_no_module_imports_itself_through_others():
    modules = modules_in(PACKAGE)
    graph = {name: imports_of(name, source, modules) for name, source in modules.items()}
    assert sum(map(len, graph.values())) > 500  # it does see them
    assert {tuple(sorted(ring)) for ring in rings_in(graph)} == set()


def test_a_ring_of_hints_late_imports_and_texts_is_seen():
    modules = {
        "p": "",
        "p.a": "if TYPE_CHECKING:\n    from p import b",
        "p.b": "def late():\n    import p.c",
        "p.c": "import_module('p.d')",
        "p.d": "DOORS = {'x': 'p.a:x'}",
        "p.e": "from p.a import x",
    }
    graph = {name: imports_of(name, source, modules) for name, source in modules.items()}
    assert rings_in(graph) == {frozenset({"p.a", "p.b", "p.c", "p.d"})}


def test_at_the_root_are_only_the_doors():
    assert {path.stem for path in PACKAGE.glob("*.py")} == DOORS


def names_in(node):
    """The names along ``a.b[0].c()``, from the left."""
    names = []
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
        node = node.func if isinstance(node, ast.Call) else node.value
    return [*([node.id] if isinstance(node, ast.Name) else []), *reversed(names)]


def test_no_test_reaches_deep_into_privates():
    """One private attribute of an object at hand is a test's business; what is behind it isn't."""
    deep = []
    for name, source in modules_in(Path(__file__).parent).items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute):
                names = names_in(node)
                private = [i for i, n in enumerate(names) if n[0] == "_" and n[:2] != "__" and i]
                if len(private) > 1 or (private and private[-1] > 2):
                    deep.append(f"{name}:{node.lineno}: {'.'.join(names)}")
    assert not deep, "give it an attribute, or a hook in tests/support:\n" + "\n".join(deep)


def test_what_a_call_offers_of_higher_rooms_is_there():
    for method, where in doors.DOORS.items():
        assert callable(doors.behind(method)), where
        assert callable(getattr(piopiy_lab.Call, method))
