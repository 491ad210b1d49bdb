"""The suite on several processes: plain tests share them, realtime ones run one at a time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import three_lanes

ROOT = Path(__file__).parents[1]
NOTES = """
import json, os, time
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_it(number):
    began = time.monotonic()
    time.sleep(0.05)
    {during}
    note = {{"who": os.environ["PYTEST_XDIST_WORKER"], "began": began, "ended": time.monotonic()}}
    Path({folder!r}, f"{name}-{{number}}.json").write_text(json.dumps(note))
"""


@pytest.fixture
def suite(pytester, monkeypatch):
    """Functions that write a file of a suite with this one's conftest, and run it."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they cost, in every worker
    notes = pytester.path / "notes"
    notes.mkdir()
    ours = (ROOT / "conftest.py").read_text().replace('"notebooks/*.py", ', "")
    (pytester.path / "conftest.py").write_text(ours)
    pytester.makeini(
        f"[pytest]\npythonpath = {ROOT / 'tests' / 'support'}\naddopts = -p xdist -n auto"
    )

    def write(name, count=3, during="pass", folder="tests"):
        path = pytester.path / folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = NOTES.format(count=count, during=during, folder=str(notes), name=path.stem)
        path.write_text(text)

    def run(*options, **outcomes):
        pytester.runpytest_subprocess(*options).assert_outcomes(**outcomes)
        return {path.stem: json.loads(path.read_text()) for path in notes.iterdir()}

    return write, run


def live_lessons():
    return [which for which in three_lanes.ONE_AT_A_TIME if which.startswith("notebooks/")]


def in_order(notes):
    return all(a["ended"] <= b["began"] for a, b in zip(notes, notes[1:], strict=False))


def test_realtime_tests_run_one_at_a_time_and_those_that_measure_alone_after_the_rest(suite):
    write, run = suite
    for name in "abcd":
        write(f"room/test_{name}", during="time.sleep(0.2)")
    for name in "ef":
        write(f"realtime/fake_providers/test_{name}")
    for name in "gh":
        write(f"realtime/transports/test_{name}")
    write("test_i", folder=live_lessons()[0])
    notes = run("-n", "3", passed=27)
    beside, alone = (
        [notes[f"test_{name}-{n}"] for name in names for n in range(3)] for names in ("ef", "igh")
    )
    shared = [note for name, note in notes.items() if name[5] in "abcd"]
    (one,) = {note["who"] for note in beside + alone}
    assert len({note["who"] for note in shared} - {one}) == 2
    assert one not in {note["who"] for note in shared}  # its process stays small
    assert in_order(beside)
    assert in_order(alone)
    assert beside[0]["began"] < max(note["ended"] for note in shared)
    assert max(note["ended"] for note in shared + beside) <= alone[0]["began"]


def test_each_lesson_whose_call_is_live_runs_alone():
    """What is said in real time is understood by less on a busy machine, and they compare it."""
    lessons = (ROOT / "notebooks").glob("*.ipynb")
    live = {f"notebooks/{path.stem}" for path in lessons if "place_call(" in path.read_text()}
    assert live == set(live_lessons())


@pytest.mark.parametrize("workers", ["1", "3"])
def test_there_may_be_nothing_for_one_of_the_lanes(suite, workers):
    write, run = suite
    write("realtime/test_d", count=2)
    assert len(run("-n", workers, passed=2)) == 2
    write("test_a", count=1)
    assert len(run("-n", workers, "tests/test_a.py", passed=1)) == 3
    assert len(run("-n", workers, passed=3)) == 3


def test_a_worker_that_dies_alone_fails_its_test_only(suite):
    write, run = suite
    write("test_a", count=2)
    write("realtime/test_d", during="number == 1 and os._exit(1)")
    notes = run("-n", "2", passed=4, failed=1)
    assert sorted(notes) == ["test_a-0", "test_a-1", "test_d-0", "test_d-2"]


def test_a_file_that_is_named_runs_in_one_process(suite, pytester):
    write, _ = suite
    write("test_a", count=1, during="assert False, os.environ.get('PYTEST_XDIST_WORKER')")
    result = pytester.runpytest_subprocess("tests/test_a.py")
    assert "workers" not in result.stdout.str()
    result = pytester.runpytest_subprocess("tests")
    assert "workers" in result.stdout.str() or "worker " in result.stdout.str()


def test_a_run_in_the_background_hears_an_interrupt(pytester, suite):
    """A shell's background jobs inherit that SIGINT is ignored; so would what tests start."""
    write, _ = suite
    write("test_a", count=1, during="import signal; signal.raise_signal(signal.SIGINT)")
    command = [sys.executable, "-m", "pytest", "tests/test_a.py"]
    ignoring = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    ignoring += "os.execv(sys.argv[1], sys.argv[1:])"
    result = pytester.run(sys.executable, "-c", ignoring, *command)
    assert result.ret == pytest.ExitCode.INTERRUPTED
