"""Finds what the loop-aware clock does not cover in a package's sources.

`patched_pipecat_time` replaces the `time` and `datetime` modules, their functions and their
`datetime` class wherever a module's names, functions, classes or dataclass fields hold them (the
sites of `time_sites.py`). This scanner reads the sources for everything else: each use of a clock
that would still be real in a simulation. A test runs it over the installed pipecat, so an upgrade
can't add such a use unseen.

What is covered follows from `clock.VIRTUAL_FUNCTIONS` and from the kinds of sites; nothing is
listed by hand but the exceptions, each with its reason.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from piopiy_lab.simulation.clock import VIRTUAL_FUNCTIONS

# Functions of `time` that don't read a clock.
_PURE = frozenset({"mktime", "asctime", "strptime", "struct_time", "get_clock_info", "tzset"})

# Every clock of the `time` module, and those of them that stay real.
TIME_FUNCTIONS = frozenset(
    name for name in dir(time) if callable(getattr(time, name)) and not name.startswith("_")
)
UNCOVERED_TIME = TIME_FUNCTIONS - frozenset(VIRTUAL_FUNCTIONS) - _PURE

# Clocks elsewhere in the standard library, none of which has a loop-aware version.
_OTHER_CLOCKS = frozenset({"date.today", "os.times", "signal.setitimer"})

_MODULES = ("time", "datetime")
_HOMES = frozenset({"time", "datetime", "os", "signal"})

# What a source must contain for any of this to matter: parsing all of pipecat takes seconds.
_MAY_READ_A_CLOCK = re.compile(
    r"(?m)^\s*(from (time|datetime) import|import .*\b(time|datetime)\b)|times\(|setitimer"
)

# Known uses that may stay, as "file: code" with the reason.
EXCEPTIONS: Mapping[str, str] = {
    "audio/turn/smart_turn/local_smart_turn_v3.py: from datetime import datetime": (
        "in a debugging aid that names WAV files by the time of day"
    ),
    "transports/livekit/utils.py: import time": "for a token that a real server checks",
}


@dataclass(frozen=True)
class Finding:
    """One use of a clock that stays real in a simulation.

    Attributes:
        file: The source file, relative to the package.
        line: Its line, from 1.
        code: The source of the expression or statement.
        why: Why it isn't covered.
    """

    file: str
    line: int
    code: str
    why: str

    @property
    def key(self) -> str:
        """How it is named in `EXCEPTIONS`: without the line, which moves."""
        return f"{self.file}: {self.code}"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.code} ({self.why})"


def uncovered(
    findings: Iterable[Finding], exceptions: Mapping[str, str] = EXCEPTIONS
) -> list[Finding]:
    """Return the findings that are not excepted.

    Args:
        findings: What `scan` found.
        exceptions: Known uses, by `Finding.key`, with their reasons.
    """
    return [finding for finding in findings if finding.key not in exceptions]


def scan(package: Path) -> list[Finding]:
    """Scan a package's sources; return every clock use that isn't covered, excepted or not."""
    findings: list[Finding] = []
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        findings += scan_source(path.read_text(encoding="utf-8"), name)
    return findings


def scan_source(source: str, file: str) -> list[Finding]:
    """Scan one module's source."""
    if not _MAY_READ_A_CLOCK.search(source):
        return []
    return sorted(_Scanner(file).scan(ast.parse(source)), key=lambda finding: finding.line)


class _Scanner:
    """Reads one module."""

    def __init__(self, file: str) -> None:
        self._file = file
        # The module's names that hold a module or a clock: name -> "time", "time.monotonic", ...
        self._names: dict[str, str] = {}

    def scan(self, tree: ast.Module) -> Iterator[Finding]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._names.update(_imported(node))
        if _HOMES.isdisjoint(name.split(".")[0] for name in self._names.values()):
            return
        yield from self._local_imports(tree, inside=False)
        yield from self._clocks_without_a_version(tree)
        yield from self._captured(tree)

    def _finding(self, node: ast.AST, why: str) -> Finding:
        return Finding(self._file, getattr(node, "lineno", 0), ast.unparse(node), why)

    def _clock(self, node: ast.AST) -> str | None:
        """Return the full name of the clock that an expression names, such as "time.monotonic"."""
        if isinstance(node, ast.Name):
            name = self._names.get(node.id)
            return name if name not in _MODULES else None
        if isinstance(node, ast.Attribute):
            owner = _dotted(node.value, self._names)
            return f"{owner}.{node.attr}" if owner else None
        return None

    def _local_imports(self, tree: ast.AST, inside: bool) -> Iterator[Finding]:
        """An import inside a function binds a local name, which nothing can patch."""
        for node in ast.iter_child_nodes(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                if inside and any(_is_clock_name(name) for name in _imported(node).values()):
                    yield self._finding(node, "imported inside a function")
            elif isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
                function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                yield from self._local_imports(node, inside or function)

    def _clocks_without_a_version(self, tree: ast.Module) -> Iterator[Finding]:
        """A clock that has no loop-aware version stays real wherever it is used."""
        for node in ast.walk(tree):
            name = self._clock(node) or ""
            if name.removeprefix("datetime.") in _OTHER_CLOCKS or (
                name.startswith("time.") and name.removeprefix("time.") in UNCOVERED_TIME
            ):
                yield self._finding(node, "has no loop-aware version")

    def _captured(self, tree: ast.Module) -> Iterator[Finding]:
        """A clock that is read or captured when the module is imported."""
        for node, context in _import_time_expressions(tree):
            covered = {id(site) for site in _covered_sites(context)}
            for part in _walk_now(node):
                if isinstance(part, ast.Call) and self._reads_now(part.func):
                    yield self._finding(part, "read once, when the module is imported")
                elif self._reads_now(part) and not _called(part, node):
                    is_method = (self._clock(part) or "").startswith("datetime")
                    if is_method or id(part) not in covered:
                        yield self._finding(context, "captured at import, nothing replaces it")

    def _reads_now(self, node: ast.AST) -> bool:
        name = self._clock(node) or ""
        module, _, function = name.rpartition(".")
        if module == "time":
            return function in VIRTUAL_FUNCTIONS
        return module.startswith("datetime") and function in {"now", "utcnow", "today"}


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Return the names that an import binds, with what they stand for."""
    if isinstance(node, ast.Import):
        return {a.asname or a.name.split(".")[0]: a.name for a in node.names}
    if node.level:
        return {}
    return {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}


def _is_clock_name(name: str) -> bool:
    if name in _MODULES or name in ("datetime.datetime", "datetime.date"):
        return True
    return name.startswith("time.") and name.removeprefix("time.") not in _PURE


def _dotted(node: ast.AST, names: Mapping[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, names)
        return f"{owner}.{node.attr}" if owner else None
    return None


def _import_time_expressions(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.AST]]:
    """Yield the expressions that run when a module is imported, each with its statement.

    The bodies of functions and lambdas run later, with the loop-aware names; their defaults and
    decorators run at import. Annotations are no values.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for default in (*node.args.defaults, *node.args.kw_defaults, *node.decorator_list):
                if default is not None:
                    yield default, node
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                yield node.value, node
        elif isinstance(node, ast.expr):
            yield node, tree
        else:
            yield from _import_time_expressions(node)


def _walk_now(node: ast.AST) -> Iterator[ast.AST]:
    """Walk an expression, but not into lambdas: their bodies run later."""
    yield node
    if not isinstance(node, ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _walk_now(child)


def _covered_sites(context: ast.AST) -> Iterator[ast.AST]:
    """Yield the expressions of a statement whose value is a site of `time_sites.py`."""
    if isinstance(context, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from (*context.args.defaults, *(d for d in context.args.kw_defaults if d))
    elif isinstance(context, ast.Assign | ast.AnnAssign) and context.value is not None:
        value = context.value
        yield value
        called = value.func if isinstance(value, ast.Call) else None
        name = getattr(called, "id", getattr(called, "attr", ""))
        if isinstance(value, ast.Call) and name == "field":
            yield from (k.value for k in value.keywords if k.arg == "default_factory")
        elif isinstance(value, ast.Call) and name == "staticmethod":
            yield from value.args


def _called(part: ast.AST, within: ast.AST) -> bool:
    """Tell whether an expression is what a call calls, or has a clock for its owner."""
    return any(
        (isinstance(node, ast.Call) and node.func is part)
        or (isinstance(node, ast.Attribute) and node.value is part)
        for node in ast.walk(within)
    )
