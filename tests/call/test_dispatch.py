"""Events are dispatched one way: a fold over them is a match on their classes."""

from __future__ import annotations

import ast
from pathlib import Path

import piopiy_lab

PACKAGE = Path(piopiy_lab.__file__).parent


def asks_for_an_event(test: ast.expr) -> bool:
    """Whether a condition asks whether something is an event of some kind."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "isinstance"
        and ast.unparse(node.args[1]).startswith(("ev.", "events."))
        for node in ast.walk(test)
    )


def chains(tree: ast.AST):
    """The lines of each ``if isinstance(event, ...)`` that an ``elif`` with another follows."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and asks_for_an_event(node.test) and len(node.orelse) == 1:
            (then,) = node.orelse
            if isinstance(then, ast.If) and asks_for_an_event(then.test):
                yield node.lineno


def test_no_chain_of_isinstance_dispatches_events():
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: use match"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line in chains(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_such_a_chain_is_seen():
    code = "if isinstance(e, ev.A):\n    pass\nelif isinstance(e, ev.B) and x:\n    pass"
    assert list(chains(ast.parse(code))) == [1]
