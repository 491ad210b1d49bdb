"""Reads the fenced blocks of the Markdown pages, and runs them as a reader would.

The Python blocks of one page run in order in one namespace, as a notebook's cells do. A block that
begins with ``# test_name.py`` is a file for pytest. Each line of a console block is checked by
what knows its command. ``<!-- not run: why -->`` above a fence excuses a block.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import dis
import re
import shlex
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from piopiy_lab.cli import _parser

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
#: The pages whose Python blocks are test files, and those whose calls take their real time.
OF_FILES = ("docs/bots.md", "docs/evals.md", "docs/fake_providers.md", "docs/testing.md")
LIVE = (
    "README.md",
    "docs/browser_microphone.md",
    "docs/loopback.md",
    "docs/microphone.md",
    "docs/telephony.md",
)
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
PLUGIN = (ROOT / "piopiy_lab" / "simulation" / "pytest_plugin.py").read_text()


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: Where it stands, from the project's root.
        line: The line of its fence, from 1.
        language: What follows the opening fence.
        code: What is inside.
        excuse: Why it can't be run; empty if it can.
    """

    page: str
    line: int
    language: str
    code: str
    excuse: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file_name(self) -> str:
        """The name of the file that the block says it is, or nothing."""
        found = re.match(r"# ([\w/]+\.py)\n", self.code)
        return found[1] if found else ""

    def compiled(self) -> types.CodeType:
        """The code, with ``await`` allowed at its top, and the page's own line numbers."""
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = "\n" * self.line + self.code
        return compile(code, str(ROOT / self.page), "exec", flags, dont_inherit=True)


def blocks_of(page: str, text: str) -> list[Block]:
    """Return the blocks of a page, in order."""
    found = []
    for match in re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.M | re.S):
        excuse = re.search(r"<!-- not run: ([^>]+) -->$", text[: match.start()].rstrip())
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, match[1], match[2], excuse[1] if excuse else ""))
    return found


def text_of(page: str) -> str:
    """Return a page's text."""
    return (ROOT / page).read_text(encoding="utf-8")


#: Every block of every page.
BLOCKS = [block for page in PAGES for block in blocks_of(page, text_of(page))]


def python_of(page: str) -> list[Block]:
    """Return a page's blocks of Python that can be run."""
    return [b for b in BLOCKS if b.page == page and b.language == "python" and not b.excuse]


# --- Python ----------------------------------------------------------------------------------


def undefined_names(code: types.CodeType, known: Iterable[str] = ()) -> set[str]:
    """Return what the code reads and nobody defines, in functions that nobody calls, too."""
    bound = {*known, *vars(builtins), "__name__", "__annotations__"}
    read: set[str] = set()
    for part in _nested(code):
        steps = list(dis.get_instructions(part))
        stored = {step.argval for step in steps if step.opname in ("STORE_NAME", "STORE_GLOBAL")}
        loaded = {step.argval for step in steps if step.opname in ("LOAD_NAME", "LOAD_GLOBAL")}
        if part is code:
            bound |= stored
        read |= loaded if part is code else loaded - stored  # a class reads its own names
    return read - bound


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _check_names(block: Block, known: Iterable[str] = ()) -> types.CodeType:
    code = block.compiled()
    missing = undefined_names(code, known)
    assert not missing, f"{block} uses what nobody defines: {', '.join(sorted(missing))}"
    return code


def run_cells(blocks: list[Block], names: dict[str, Any], runner: asyncio.Runner) -> None:
    """Run blocks one after the other in these names. A loop runs only while one awaits."""
    names["__name__"] = "page"
    for block in blocks:
        made = eval(_check_names(block, names), names)
        if asyncio.iscoroutine(made):
            runner.run(made)


def run_files(blocks: list[Block], folder: Path, **more: str) -> dict[str, str]:
    """Run a page of test files with pytest in a folder; other blocks are tests of their own.

    Args:
        blocks: The page's blocks.
        folder: Where they are written.
        more: Further files by their name without ".py", of tests that must fail.

    Returns:
        What pytest printed, under "", and the golden conversations by their file's name.

    Raises:
        AssertionError: A test failed, or a name is undefined.
    """
    files = {f"{name}.py": code for name, code in more.items()}
    for block in blocks:
        _check_names(block)
        name = block.file_name or f"cell_{block.line}.py"
        files[name] = block.code
        if not block.file_name:
            run = f"import runpy\n\n\ndef test_cell():\n    runpy.run_path({name!r})\n"
            files[f"test_{name}"] = run
    for name, code in files.items():
        (folder / name).write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
        + ["--voice-update", "--rootdir", str(folder), str(folder)],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=110,
    )
    failed = set(re.findall(r"^FAILED (\w+)", done.stdout, re.M))
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert failed == set(more), done.stdout + done.stderr
    golden = {path.name: path.read_text() for path in folder.rglob("golden/**/*.txt")}
    return {"": done.stdout, **golden}


# --- the shell -------------------------------------------------------------------------------


def check_commands(lines: str) -> None:
    """Check each command of a console block; one that nothing here knows is wrong, too."""
    for line in lines.splitlines():
        for command in line.split("&&"):
            words = shlex.split(command, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words.pop(0)  # a variable that is set for this command
            if words:
                _check_command(words)


def _check_command(words: list[str]) -> None:
    match words:
        case ["piopiy-lab", *arguments]:
            named = len(arguments) == 1  # in a sentence, without what else it needs
            arguments += ["--help"] * named
            assert not _refused(arguments), f"there is no command {' '.join(words)!r}"
        case ["pip", "install", *_]:
            check_extras(" ".join(words))
        case ["pytest", *options]:
            for option in options:
                known = not option.startswith("--voice") or f'"{option}"' in PLUGIN
                assert known, f"pytest has no option {option}"
        case ["python", script, *_]:
            assert (ROOT / script).is_file(), f"there is no script {script}"
        case ["marimo", "edit" | "run", notebook]:
            assert (ROOT / notebook).is_file(), f"there is no notebook {notebook}"
        case ["pre-commit" | "ruff" | "pyright" | "lint-imports", *_]:
            pass
        case [script, *_] if "/" in script:
            assert (ROOT / script).is_file(), f"there is no script {script}"
        case _:
            raise AssertionError(f"nothing here knows the command {' '.join(words)!r}")


def _refused(arguments: list[str]) -> bool:
    """Whether our command line doesn't take the arguments."""
    try:
        _parser().parse_args(arguments)
    except SystemExit as stop:
        return stop.code != 0
    return False


def check_extras(text: str) -> None:
    """Check that ``pyproject.toml`` has each extra of ours that a text asks pip for."""
    for extras in re.findall(r"""["'/ ](?:piopiy[-_]lab|\.)\[([\w,]+)\]""", text):
        missing = set(extras.split(",")) - set(EXTRAS)
        assert not missing, f"pyproject.toml has no extra {', '.join(sorted(missing))}"
