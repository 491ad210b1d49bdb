"""The pytest plugin, by running pytest in pytest; most calls are made by hand, some simulated."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import metadata

import pytest
from hand_made_call import Builder
from loguru import logger

import piopiy_lab
from piopiy_lab import events as ev
from piopiy_lab import logs
from piopiy_lab.checks.file_names import file_name
from piopiy_lab.errors import ArgumentError, ScreenplayError
from piopiy_lab.simulation import fixtures, pytest_plugin
from piopiy_lab.simulation.fixtures import GoldenFixture, SimulateFixture
from piopiy_lab.simulation.pytest_report import story
from piopiy_lab.sound.recorder import Recorder

compare = pytest_plugin.pytest_assertrepr_compare
HEAVY = ["pipecat", "onnxruntime", "numpy", "matplotlib", "soundfile", "IPython"]


def call(size="two", *, failing: bool = False, error: BaseException | None = None):
    """A short call that can be saved."""
    b = Builder()
    b.now = 0.6
    b.agent("Hello, how can I help?")
    b.now += 0.7
    asked = b.user(f"a table for {size} please")
    b.agent("For which day?", after=asked)
    if failing:
        step = {"number": 3, "step": "hears('friday', within=3.0)"}
        b.add(ev.CallerStepStarted(at=b.now, **step))
        b.now += 3.0
        b.add(ev.CallerStepFailed(at=b.now, **step, why="it was not heard within 3 s"))
        error = ScreenplayError("step 3 failed")
    made = b.finish("caller_hung_up" if error is None else "error")
    recorder = Recorder(16_000)
    recorder.close(made.duration)
    made._recorder = recorder
    if error is not None:
        made._port = FailedPort(error)
    return made


class Sketch:
    """A picture that costs nothing."""

    def savefig(self, path):
        path.write_bytes(b"a picture")


class FailedPort:
    def __init__(self, error):
        self.error = error


@pytest.fixture
def calls(monkeypatch, pytester):
    """Let the simulations of the inner tests return these, made by functions of their options."""
    made = {"call": lambda **_: call()}
    ran = []

    async def fake_simulate(create_session, caller, **options):
        ran.append(options)
        return made["call"](**options)

    monkeypatch.setattr(fixtures, "run_simulation", fake_simulate)
    monkeypatch.setattr(piopiy_lab, "simulate", fake_simulate)
    monkeypatch.setattr(piopiy_lab.Call, "plot", lambda call: Sketch())
    made["ran"] = ran
    # nobody else's plugins: they cost, and could change what is seen
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p piopiy_lab.simulation.pytest_plugin")
    return made


def kept(pytester, folder="call-artefacts"):
    root = pytester.path / folder
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


# --- it costs nothing -------------------------------------------------------------------------


def test_the_plugin_is_registered():
    (entry,) = (e for e in metadata.entry_points(group="pytest11") if e.name == "piopiy_lab")
    assert entry.value == "piopiy_lab.simulation.pytest_plugin"


def test_a_run_that_simulates_nothing_imports_nothing(pytester):
    pytester.makepyfile(f"""
        import sys
        def test_light(request):
            assert "piopiy_lab.simulation.pytest_plugin" in sys.modules
            heavy = {HEAVY!r} + ["piopiy_lab.call.call", "piopiy_lab.simulation.golden"]
            assert not [name for name in heavy if name in sys.modules]
    """)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:nbval", "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_can_be_left_out(pytester):
    pytester.makepyfile("def test_it(simulate): pass")
    result = pytester.runpytest("-p", "no:piopiy_lab")
    result.stdout.fnmatch_lines(["*fixture 'simulate' not found*"])


# --- simulate ----------------------------------------------------------------------------------


def test_a_passing_test_leaves_nothing(pytester, calls):
    pytester.makepyfile("""
        def test_it(simulate):
            call = simulate(None, None, call_id="mine", latency={"llm": 0.3})
            assert call.transcript[1].text == "a table for two please"
    """)
    result = pytester.runpytest("-v", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    assert calls["ran"] == [{"call_id": "mine", "latency": {"llm": 0.3}}]
    assert "conversation" not in result.stdout.str()
    assert not (pytester.path / "call-artefacts").exists()


def test_pipecats_lines_do_not_bury_a_call_unless_they_are_wanted(pytester, calls):
    pytester.makepyfile("""
        import pytest
        from loguru import logger
        from piopiy_lab import log

        @pytest.fixture
        def lines():
            told = []
            sink = logger.add(lambda line: told.append(str(line)))
            yield told
            logger.remove(sink)

        def pipecat_logs():
            exec("logger.debug('linking')", {"__name__": "pipecat.sample", "logger": logger})

        def test_with_a_call(lines, simulate):
            pipecat_logs()
            assert not lines

        def test_without(lines):
            pipecat_logs()
            assert len(lines) == 1

        def test_wanted(lines, simulate):
            log("DEBUG")
            pipecat_logs()
            log(None)
            assert len(lines) == 1
    """)
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=3)


def test_lines_that_were_turned_off_stay_off(monkeypatch):
    lines = []
    sink = logger.add(lambda line: lines.append(str(line)))
    monkeypatch.setattr(logs, "_off", False)  # as it was, afterwards
    try:
        logs.log(None)
        with logs.silenced():
            pass
        exec("logger.debug('linking')", {"__name__": "pipecat.sample", "logger": logger})
        assert not lines
    finally:
        logger.remove(sink)
        logger.enable("pipecat")


def test_a_failing_test_shows_and_keeps_its_call(pytester, calls):
    pytester.makepyfile("""
        def test_it(simulate):
            assert simulate(None, None).end_reason == "hung_up"
    """)
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "*- conversation of sim-1 -*",
        "  00:00.6  agent   Hello, how can I help?",
        "  *  caller  a table for two please",
        "  *  end     caller_hung_up",
        "Latency in milliseconds:",
        "kept in call-artefacts?test_a_failing_test_shows_and_keeps_its_call.py.test_it",
    ])  # fmt: skip
    name = "test_a_failing_test_shows_and_keeps_its_call.py.test_it"
    files = ["call.wav", "events.jsonl", "meta.json", "timeline.png"]
    assert kept(pytester) == [f"{name}/{file}" for file in files]
    folder = pytester.path / "call-artefacts" / name
    assert piopiy_lab.Call.load(folder).transcript.text() == call().transcript.text()


def test_artefacts_go_where_they_are_told_to(pytester, calls):
    pytester.makepyfile("def test_it(simulate): assert simulate(None, None) is None")
    result = pytester.runpytest("--voice-artefacts", "out/of the way")
    assert len(kept(pytester, "out/of the way")) == 4
    result.stdout.fnmatch_lines(["kept in out?of the way?*.test_it"])


def test_artefacts_replace_those_of_the_run_before_and_nothing_else(pytester, calls):
    path = pytester.makepyfile("""
        def test_it(simulate):
            simulate(None, None), simulate(None, None)
            assert False
    """)
    pytester.runpytest()
    (folder,) = (pytester.path / "call-artefacts").iterdir()
    assert {file.split("/")[1] for file in kept(pytester)} == {"1", "2"}
    (folder / "notes.txt").write_text("mine")
    path.write_text("def test_it(simulate): assert simulate(None, None) is None")
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["*not kept: *holds something else than a saved call*"])
    assert [file.split("/", 1)[1] for file in kept(pytester)] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    (folder / "caller.flac").touch()  # of a call that kept what was heard
    pytester.runpytest()
    assert {file.split("/")[1] for file in kept(pytester)} == {
        "call.wav", "events.jsonl", "meta.json", "timeline.png",
    }  # fmt: skip


def test_what_cant_be_kept_doesnt_hide_the_failure(pytester, calls):
    (pytester.path / "call-artefacts").write_text("a file")
    pytester.makepyfile("def test_it(simulate): assert simulate(None, None) is None")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*caller  a table for two please", "not kept: *"])


def test_a_failed_screenplay_fails_the_test_at_its_line(pytester, calls):
    calls["call"] = lambda **_: call(failing=True)
    pytester.makepyfile("""
        def test_it(simulate):
            simulate(None, None)

        def test_unchecked(simulate):
            assert str(simulate(None, None, check=False).error) == "step 3 failed"
    """)
    result = pytester.runpytest()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines([
        ">       simulate(None, None)",
        "E       piopiy_lab.errors.ScreenplayError: step 3 failed",
        "*.py:2: ScreenplayError",
        "*- conversation of sim-1 -*",
        "  00:00.6  agent   Hello, how can I help?",
        "> *  caller  a table for two please",
        "> *  agent   For which day?",
        "> *  caller  waits: step 3, hears('friday', within=3.0)",
        "> *  caller  gives up: it was not heard within 3 s",
        "  *  end     error",
    ])  # fmt: skip


def test_an_error_of_the_session_shows_the_sessions_line(pytester, calls):
    def raised(**_):
        scope = {}
        exec(
            compile("def create_session():\n  raise KeyError('no desk')", "desk.py", "exec"), scope
        )
        try:
            scope["create_session"]()
        except KeyError as error:
            return call(error=error)

    calls["call"] = raised
    pytester.makepyfile("def test_it(simulate): simulate(None, None)")
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["E*KeyError: 'no desk'", "*desk.py:2: KeyError"])
    assert "fixtures.py" not in result.stdout.str()


def test_calls_of_a_setup_and_of_other_makers_are_told_too(pytester, calls):
    pytester.makepyfile("""
        import asyncio, piopiy_lab, pytest

        @pytest.fixture
        def booked(simulate):
            simulate(None, None)
            raise RuntimeError("the set-up")

        def test_set_up(booked):
            pass

        def test_awaited(simulate):
            async def main():
                call = simulate.remember(await piopiy_lab.simulate(None, None))
                with pytest.raises(RuntimeError, match=r"await piopiy_lab\\.simulate"):
                    simulate(None, None)
                assert call is None
            asyncio.run(main())
    """)
    result = pytester.runpytest()
    result.assert_outcomes(errors=1, failed=1)
    assert result.stdout.str().count("- conversation of sim-1 -") == 2


def test_of_many_calls_the_last_ones_are_told(pytester, calls):
    pytester.makepyfile("""
        def test_it(simulate):
            for _ in range(6):
                simulate(None, None)
            assert False
    """)
    told = re.findall(r"- conversation of sim-1 \((\d) of 6\) -", pytester.runpytest().stdout.str())
    assert told == ["2", "3", "4", "5", "6"]
    assert len(kept(pytester)) == 6 * 4


def test_an_expected_failure_keeps_nothing(pytester, calls):
    pytester.makepyfile("""
        import pytest
        @pytest.mark.xfail
        def test_it(simulate):
            assert simulate(None, None) is None
    """)
    pytester.runpytest().assert_outcomes(xfailed=1)
    assert kept(pytester) == []


# --- shuffle -----------------------------------------------------------------------------------


def test_shuffled_runs_that_agree_pass(pytester, calls):
    pytester.makepyfile("""
        def test_it(simulate):
            simulate(None, None, record="folder")
            simulate(None, None, shuffle_seed=9)
    """)
    pytester.runpytest("--voice-shuffle", "2").assert_outcomes(passed=1)
    assert calls["ran"] == [
        {"record": "folder"},
        {"record": True, "shuffle_seed": 1},
        {"record": True, "shuffle_seed": 2},
        {"shuffle_seed": 9},
    ]


def test_a_shuffled_run_with_another_conversation_fails(pytester, calls):
    calls["call"] = lambda shuffle_seed=0, **_: call("ten" if shuffle_seed == 2 else "two")
    pytester.makepyfile("def test_it(simulate): simulate(None, None)")
    result = pytester.runpytest("--voice-shuffle", "3")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "E*AssertionError: shuffle_seed=2 changed the conversation*",
        "E *- caller: a table for «two» please",
        "E *+ caller: a table for «ten» please",
        "E *simulate(..., shuffle_seed=2)",
        "*- conversation of sim-1 (1 of 2) -*",
        "*- conversation of sim-1 with shuffle_seed=2 (2 of 2) -*",
    ])  # fmt: skip


def test_a_shuffled_run_that_breaks_names_its_seed(monkeypatch):
    async def fake_simulate(create_session, caller, **options):
        if options.get("shuffle_seed") == 2:
            raise RuntimeError("nobody moves")
        return call()

    monkeypatch.setattr(fixtures, "run_simulation", fake_simulate)
    monkeypatch.setattr(piopiy_lab, "simulate", fake_simulate)
    with pytest.raises(RuntimeError, match="nobody moves") as caught:
        SimulateFixture(3)(None, None)  # type: ignore[arg-type]
    assert "with shuffle_seed=2" in caught.value.__notes__[0]


@pytest.mark.parametrize("value", ["-1", "many", "1.5"])
def test_the_number_of_shuffles_is_checked(pytester, value):
    result = pytester.runpytest("--voice-shuffle", value)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*'{value}' is no number of runs: give 0 or more"])


# --- golden ------------------------------------------------------------------------------------


def test_golden_conversations_are_written_compared_and_updated(pytester, calls):
    pytester.makepyfile(
        test_desk="""
        import pytest

        @pytest.mark.parametrize("size", ["two"])
        def test_it(simulate, golden, size):
            golden(simulate(None, None))

        class TestClass:
            def test_names(self, simulate, golden):
                golden(simulate(None, None), "first")
                golden(simulate(None, None), "second")
    """
    )
    files = ["TestClass.test_names.first.txt", "TestClass.test_names.second.txt", "test_it-two.txt"]
    missing = pytester.runpytest()
    missing.assert_outcomes(failed=2)
    missing.stdout.fnmatch_lines(["E*no golden conversation*test_it-two.txt*--voice-update*"])
    assert not (pytester.path / "golden").exists()

    written = pytester.runpytest("--voice-update")
    written.assert_outcomes(passed=2)
    assert kept(pytester, "golden/test_desk") == files
    written.stdout.fnmatch_lines(
        ["*golden conversations written*", *(f"golden?test_desk?{file}" for file in files)]
    )

    assert "golden" not in pytester.runpytest("-q").stdout.str()
    assert "golden" not in pytester.runpytest("-q", "--voice-update").stdout.str()

    calls["call"] = lambda **_: call("ten")
    changed = pytester.runpytest("-k", "test_it")
    changed.assert_outcomes(failed=1, deselected=1)
    changed.stdout.fnmatch_lines([
        "E*the conversation is not that of golden?test_desk?test_it-two.txt (- golden, + this *",
        "E *- caller: a table for «two» please",
        "E *+ caller: a table for «ten» please",
        "E *--voice-update*",
    ])  # fmt: skip
    pytester.runpytest("-k", "test_it", "--voice-update").assert_outcomes(passed=1, deselected=1)
    pytester.runpytest("-k", "test_it").assert_outcomes(passed=1, deselected=1)


def test_one_golden_conversation_is_for_one_call(tmp_path):
    golden = GoldenFixture(tmp_path / "test_x.py", "test_x.py::test_it", True, lambda path: None)
    golden(call())
    golden(call(), "second")
    with pytest.raises(ArgumentError, match="a name of its own"):
        golden(call())


# --- comparisons and texts ---------------------------------------------------------------------


def test_transcripts_are_compared_as_conversations():
    heard, other = call().transcript, call("ten").transcript
    pairs = [(entry.role, entry.text) for entry in other]
    words = ["- caller: a table for «ten» please", "+ caller: a table for «two» please"]
    for expected in (other, pairs, list(other)):
        shown = compare("==", heard, expected)
        assert shown is not None
        assert shown[2:4] == words
        assert shown == [
            shown[0],
            "  agent: Hello, how can I help?",
            *words,
            "  agent: For which day?",
        ]
    assert "- expected, + heard" in (compare("==", pairs, heard) or [""])[0]
    assert (compare("==", pairs, heard) or [])[2:4] == words
    same = [(entry.role, entry.text) for entry in heard]
    assert "times" in (compare("==", heard, same) or [""])[0]
    assert (compare("==", heard, []) or [])[1].startswith("+ agent")


@pytest.mark.parametrize(
    ("op", "left", "right"),
    [
        ("!=", [("user", "a")], [("user", "b")]),
        ("==", [], []),
        ("==", [1, 2], [1, 3]),
        ("==", [("user", 1)], [("user", 2)]),
        ("==", [("key", "a")], [("key", "b")]),
        ("==", "user", "agent"),
        ("==", {"user": "a"}, [("user", "b")]),
    ],
)
def test_other_comparisons_are_left_alone(op, left, right):
    assert compare(op, left, right) is None


def test_a_story_of_a_call_that_ended_within_a_step_tells_the_step():
    b = Builder()
    b.now = 0.6
    b.agent("Goodbye!")
    b.add(ev.CallerStepStarted(at=1.0, number=1, step="says('hello')"))
    b.add(ev.ErrorOccurred(at=1.1, message="key sk-abcdefghij0123456789 refused", source="tts"))
    told = story(b.finish("agent_ended"))
    assert "caller  waits: step 1, says('hello')" in told
    assert "error   tts: key [removed] refused" in told
    assert told.splitlines()[-1].endswith("end     agent_ended")
    assert ">" not in told


def test_files_have_the_tests_names():
    assert file_name("tests/test_a.py::TestB::test_c[x-1]") == "tests.test_a.py.TestB.test_c-x-1"
    odd = [file_name(f"test_a.py::test_b[{text}]") for text in ("a b", "a-b", "a/b", "a:b", "é")]
    assert len(set(odd)) == 5
    assert file_name("x" * 300) != file_name("x" * 301)
    for name in [*odd, file_name("x" * 300), file_name("../../etc")]:
        assert re.fullmatch(r"\w[\w.-]{0,99}", name)


# --- for real ----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "pytest-xdist"])
def test_real_simulations(pytester, workers):
    if os.environ.get("PIOPIY_LAB_REQUIRE") != "all":
        pytest.importorskip("espeakng_loader")
    pytester.makepyfile(
        test_desk="""
        from piopiy_lab import Caller, VoiceAgent
        from piopiy_lab.offline import EspeakTTSService, RuleLLMService, booking_desk

        async def create_session(call_id):
            desk = booking_desk()
            agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting)
            llm = RuleLLMService(desk.rules(), tools=desk.tools)
            await agent.Action(stt=None, llm=llm, tts=EspeakTTSService(), vad=True)
            await agent.start()

        ASKS = Caller().hears_greeting().says("a table for two tomorrow at seven")
        WORDS = {"stt": "screenplay"}

        def test_asks(simulate, golden):
            golden(simulate(create_session, ASKS.hears("what name").hears_reply(), replace=WORDS))

        def test_fails(simulate):
            simulate(create_session, ASKS.hears("what day", within=4), replace=WORDS)
    """
    )
    options = ["--voice-update", "--voice-shuffle", "1", "-p", "no:nbval", *workers]
    result = pytester.runpytest_subprocess(*options)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([
        ">       simulate(create_session, ASKS.hears(*",
        "E*ScreenplayError: step 3 of the screenplay, hears('what day', within=4.0), failed: *",
        "> *caller  a table for two tomorrow at seven",
        "> *caller  gives up: it was not heard within 4 s",
    ])  # fmt: skip
    result.stdout.fnmatch_lines(
        ["*golden conversations written*", "golden?test_desk?test_asks.txt"]
    )
    golden = (pytester.path / "golden" / "test_desk" / "test_asks.txt").read_text()
    assert "\ncaller: a table for two tomorrow at seven\nagent: A table for two" in golden
    folder = pytester.path / "call-artefacts" / "test_desk.py.test_fails"
    last = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    assert json.loads(last)["reason"] == "error"
    assert (folder / "timeline.png").read_bytes().startswith(b"\x89PNG")
