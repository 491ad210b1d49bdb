"""Types arrive at whoever uses the package: it says so, and Any is rare in it."""

from __future__ import annotations

import ast
from pathlib import Path

import piopiy_lab

PACKAGE = Path(piopiy_lab.__file__).parent
MOST_PER_1000 = 10.0  # lines with something on them


def anys_in(source):
    """How often a module writes Any, its import left out."""
    return sum(
        (isinstance(node, ast.Name) and node.id == "Any")
        or (isinstance(node, ast.Attribute) and node.attr == "Any")
        for node in ast.walk(ast.parse(source))
    )


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").is_file()


def test_any_is_counted():
    assert anys_in("from typing import Any\nx: dict[str, Any] = f(typing.Any)  # Any") == 2


def test_any_is_rare():
    sources = {str(path): path.read_text() for path in PACKAGE.rglob("*.py")}
    lines = sum(bool(line.strip()) for text in sources.values() for line in text.splitlines())
    counts = {path: anys_in(source) for path, source in sources.items()}
    worst = sorted(counts, key=counts.__getitem__, reverse=True)[:10]
    assert 1000 * sum(counts.values()) / lines <= MOST_PER_1000, {p: counts[p] for p in worst}
