"""The mark ``voice(repeat=...)``, by running pytest in pytest; the inner tests' calls are quick."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.pytest_baseline import figures_of, why_worse, write_figures
from piopiy_lab.experiments.repeated_test import Failure, RepeatedTest

SUPPORT = Path(__file__).parents[1] / "support"

DESK = """
    import pytest
    from piopiy_lab import Caller
    from live_calls import desk

    GREETED = Caller().hears_greeting()
    ASKS = GREETED.says("a table for two tomorrow at seven").hears("what name")
    SHORTER = GREETED.says("a table for two tomorrow at seven").hears_reply()
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run one file of tests in a process of its own; returns what it printed, and its code."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    paths = [str(SUPPORT), os.environ.get("PYTHONPATH", "")]  # live_calls is there
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))

    def run(text, *options):
        pytester.makepyfile(test_it=DESK + text)
        command = [sys.executable, "-m", "pytest", "-p", "no:nbval", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, "-q", "-n0", *options],
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr, done.returncode

    return run


def test_a_terminal_shows_how_far_a_test_is_and_takes_the_line_away(run):
    text = """
    @pytest.mark.voice(repeat=3)
    def test_it(simulate):
        simulate(desk, GREETED)
    """
    text += """
    def test_before():
        pass
    """
    said, code = run(text, "-p", "no:randomly", "-v", "-v", "--color=yes")  # -q is given
    assert code == 0, said
    shown = [f"run {run} of 3: {run} passed" for run in (1, 2, 3)]
    written = "".join(f"\x1b[K{text}\x1b[{len(text)}D" for text in shown)
    assert f"test_it.py::test_it {written}\x1b[K\x1b[32mPASSED" in said, "behind the test's name"
    plain, _ = run(text, "--color=no")
    assert " of 3: " not in plain


def test_every_run_is_another_call_and_all_must_pass(run, pytester):
    said, code = run("""
    seen = []

    @pytest.mark.voice(repeat=3)
    def test_it(simulate):
        call = simulate(desk, ASKS)
        seen.append(call.heard.samples.tobytes())

    def test_they_differed():
        assert len(set(seen)) == len(seen) == 3
    """)
    assert code == 0, said
    assert not (pytester.path / "call-artefacts").exists()


def test_the_report_says_how_sure_where_it_failed_and_keeps_the_worst(run, pytester):
    said, code = run("""
    @pytest.mark.voice(repeat=4)
    def test_it(simulate):
        call = simulate(desk, ASKS)
        test_it.run = getattr(test_it, "run", 0) + 1
        assert test_it.run != 3, "the third"
    """)
    assert code == 1
    assert "runs that passed: 3 of 4, 0.75 (0.30 to 0.95); without min_pass_rate all must" in said
    assert "1 of 4, 0.25" in said
    assert "simulate(..., perturb=3): AssertionError: the third" in said
    assert "test_it.py, line" in said
    assert "conversation of sim-1 in run 3" in said
    (sound,) = (pytester.path / "call-artefacts").rglob("call.wav")
    assert sound.stat().st_size > 10_000


def test_a_step_that_fails_is_named_with_its_share(run):
    said, code = run("""
    @pytest.mark.voice(repeat=2)
    def test_it(simulate):
        simulate(desk, ASKS.hears("which day", within=1))
    """)
    assert code == 1
    assert "hears('which day', within=1.0): 2 of 2, 1.00" in said


def test_what_a_call_lacks_is_a_share_and_a_later_skip_hides_nothing(run):
    said, code = run("""
    @pytest.mark.voice(repeat=4)
    def test_it(simulate):
        call = simulate(desk, GREETED)
        if simulate.seed == 1:
            call.tool_calls[0]
        if simulate.seed == 2:
            pytest.fail("no table")
        if simulate.seed == 4:
            pytest.skip("enough")
    """)
    assert code == 1
    assert "runs that passed: 1 of 3, 0.33" in said
    assert "IndexError" in said
    assert "no table" in said
    assert "run 4 was skipped then" in said


def test_a_skip_before_anything_failed_is_one(run):
    said, code = run("""
    @pytest.mark.voice(repeat=4)
    def test_it(simulate):
        pytest.skip("not here")
    """)
    assert code == 0
    assert "1 skipped" in said


def test_a_test_without_a_call_is_none(run):
    said, code = run("""
    @pytest.mark.voice(repeat=4)
    def test_it(simulate):
        pass
    """)
    assert code == 1
    assert "run 1 made no call" in said


def test_a_mistake_in_the_test_is_no_share(run):
    said, code = run("""
    @pytest.mark.voice(repeat=50)
    def test_it(simulate):
        simulate(desk, GREETED).nothing
    """)
    assert code == 1
    assert "AttributeError" in said
    assert "runs that passed" not in said


@pytest.mark.parametrize(
    ("mark", "body", "told"),
    [
        ("repeat=20, min_pass_rate=0.95", "", "that takes 73 of them"),
        ("repeat=0", "", "repeat=0: give 1 or more"),
        ("", "", "repeat"),
        ("repeat=2, rate=3", "", "rate"),
        ("2", "", "give names, voice(repeat=2)"),
        ("repeat=2", "perturb=4", "each run has a seed of its own"),
    ],
)
def test_what_can_not_be_is_refused(run, mark, body, told):
    said, code = run(f"""
    @pytest.mark.voice({mark})
    def test_it(simulate):
        simulate(desk, ASKS, {body})
    """)
    assert code == 1
    assert told in said


def test_a_test_without_the_fixture_is_refused(run):
    said, code = run("""
    @pytest.mark.voice(repeat=2)
    def test_it():
        pass
    """)
    assert code == 1
    assert "takes no simulate fixture" in said


def test_fewer_runs_fail_only_if_they_contradict_the_rate(run):
    said, code = run(
        """
    @pytest.mark.voice(repeat=100, min_pass_rate=0.95)
    def test_passes(simulate):
        simulate(desk, ASKS)

    @pytest.mark.voice(repeat=100, min_pass_rate=0.95)
    def test_fails(simulate):
        simulate(desk, ASKS)
        assert simulate.seed != 2
    """,
        "--voice-repeat=2",
    )
    assert code == 1
    assert "1 failed, 1 passed" in said
    assert "1 of 2, 0.500 (0.094 to 0.905); min_pass_rate=0.95 is above 0.905" in said
    assert "2 runs can't show min_pass_rate=0.95, even if all pass: that takes 73 runs" in said
    assert "so few fail only if they contradict it" in said


def repeated(failed, repeat=100, min_pass_rate=0.95):
    test = RepeatedTest.of(repeat=repeat, min_pass_rate=min_pass_rate)
    for run in range(1, repeat + 1):
        test.rows.append(CallRow(run - 1, "call-1", run, run))
        if run <= failed:
            test.failures[run] = Failure("a step", "why")
    return test.failure()


@pytest.mark.parametrize(
    ("failed", "told"),
    [
        (
            1,
            "99 of 100, 0.990 (0.945 to 0.998); min_pass_rate=0.95 is above 0.945, so it isn't "
            "shown: with 1 failure it takes 110 runs",
        ),
        (
            3,
            "97 of 100, 0.970 (0.915 to 0.989); min_pass_rate=0.95 is above 0.915, so it isn't "
            "shown: with 3 failures it takes 173 runs",
        ),
        (20, "80 of 100, 0.800 (0.711 to 0.866); min_pass_rate=0.95 is above 0.711"),
    ],
)
def test_a_rate_that_is_not_shown_says_how_many_runs_it_takes(failed, told):
    assert repeated(failed).splitlines()[0] == f"runs that passed: {told}"
    assert repeated(0) is None


ROW = CallRow(0, "call-1", 1, 1, answers=(0.2,), sha="a")
BASELINE = """
    import os

    @pytest.mark.voice(repeat=6, min_pass_rate=0)
    def test_it(simulate):
        call = simulate(desk, ASKS, latency={"llm": float(os.environ.get("LLM", "0"))})
        assert simulate.seed > int(os.environ.get("BROKEN", "0"))
"""
WRITE = ("--voice-baseline=base/voice.json", "--voice-update")
HOLD = WRITE[:1]


def test_a_baseline_is_written_held_and_fails_what_is_certainly_worse(run, pytester, monkeypatch):
    said, code = run(BASELINE, *WRITE)
    assert code == 0, said
    assert "voice.json: 1 tests" in said
    kept = json.loads((pytester.path / "base" / "voice.json").read_text())
    assert list(kept["tests"]) == ["../test_it.py::test_it"]
    monkeypatch.setenv("LLM", "0.05")  # certain, and less than the 0.1 that is allowed
    said, code = run(BASELINE, *HOLD)
    assert code == 0, said
    monkeypatch.setenv("LLM", "0.3")
    said, code = run(BASELINE, *HOLD)
    assert code == 1
    assert "worse than the baseline; 0 of 6 calls are the same" in said
    assert "+300 ms" in said
    monkeypatch.setenv("LLM", "0")
    monkeypatch.setenv("BROKEN", "6")
    said, code = run(BASELINE, *HOLD)
    assert code == 1
    assert "broke: run 1; run 2" in said


def test_a_baseline_knows_its_tests_whatever_pytest_takes_for_its_rootdir(run, pytester):
    once = """
    @pytest.mark.voice(repeat=1)
    def test_it(simulate):
        simulate(desk, GREETED)
    """
    said, code = run(once, "--rootdir=..", "--voice-baseline=voice.json", "--voice-update")
    assert code == 0, said
    kept = json.loads((pytester.path / "voice.json").read_text())
    assert list(kept["tests"]) == ["test_it.py::test_it"]
    said, code = run(once, "--rootdir=.", "--voice-baseline=voice.json")
    assert code == 0, said


ASKED = """
    import os

    @pytest.mark.voice(repeat=2, min_pass_rate=0, min_difference=0.05)
    def test_it(simulate):
        simulate(desk, SHORTER if os.environ.get("SHORTER") else ASKS)
"""


def test_a_baseline_says_what_so_few_runs_cannot_decide_and_refuses_another_caller(
    run, monkeypatch
):
    said, code = run(ASKED, *WRITE)
    assert (code, "min_difference" in said) == (0, False)
    said, code = run(ASKED, *HOLD)
    assert code == 0, said
    assert "2 calls can't be counted on to show min_difference=0.05: that takes about 32" in said
    monkeypatch.setenv("SHORTER", "1")
    said, code = run(ASKED, *HOLD)
    assert code == 1
    assert "the caller 'call-1' isn't the baseline's: what is said" in said
    assert "--voice-update writes it" in said


def test_a_test_that_fails_writes_no_baseline(run, pytester):
    said, code = run(
        """
    @pytest.mark.voice(repeat=2)
    def test_it(simulate):
        simulate(desk, GREETED)
        assert simulate.seed == 1
    """,
        *WRITE,
    )
    assert code == 1
    assert "a test that fails is no measure" in said
    assert not (pytester.path / "base").exists()


def test_without_figures_of_a_test_it_fails_and_says_how_to_write_them(tmp_path):
    path = tmp_path / "voice.json"
    update = f"pytest --voice-baseline {path} --voice-update writes it"
    assert why_worse(path, "test_it", [ROW], 0.1) == (
        f"--voice-baseline: {path} isn't there; {update}"
    )
    write_figures(path, {"test_it": figures_of([ROW])})
    write_figures(path, {"test_two": figures_of([ROW])})
    assert why_worse(path, "test_it", [ROW], 0.1) is None
    assert why_worse(path, "test_3", [ROW], 0.1) == f"{path} has no figures of this test: {update}"
    path.write_text("{}")
    assert "has no baselines of tests" in why_worse(path, "test_it", [ROW], 0.1)
