"""What the tests of the command share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
from small_calls import small_call, write_log

from piopiy_lab.cli import main


class Ran(NamedTuple):
    """What a run of the command gave."""

    code: int
    out: str
    folder: Path


@pytest.fixture(scope="session")
def offline() -> None:
    """Skip what needs the offline stack, unless everything must be there."""
    lacks = [name for name in ("pocketsphinx", "espeakng_loader") if find_spec(name) is None]
    if lacks and os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
        pytest.fail(f"not installed, and PIOPIY_LAB_REQUIRE=all: {', '.join(lacks)}")
    if lacks:
        pytest.skip(f"the 'offline' extra is not installed: {', '.join(lacks)}")


@pytest.fixture(scope="session")
def demo_run(offline: None, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The demo, played once."""
    folder = tmp_path_factory.mktemp("demo") / "call"
    with redirect_stdout(StringIO()) as out:
        code = main(["demo", "--out", str(folder)])
    return Ran(code, out.getvalue(), folder)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A small saved call without a recording, as a killed process may leave it."""
    folder = tmp_path / "small"
    folder.mkdir()
    write_log(folder, small_call())
    return folder


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command in a process of its own; it is killed with the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, code: str | None = None) -> subprocess.Popen[str]:
        run = ["-c", code] if code is not None else ["-m", "piopiy_lab.cli"]
        process = subprocess.Popen(
            [sys.executable, "-W", "error:::piopiy_lab", *run, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()
