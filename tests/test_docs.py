"""README and docs: every block runs, every link leads somewhere, every file that is named exists.

What a page can't have here (a provider, a key, a server of somebody's) is played by what ships for
that; the fixture with the page's name says by what. Pages whose calls take their real time are in
``realtime/test_live_docs.py``.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import real_weights
import soundfile
from booking_truth import desk_session
from doc_blocks import (
    BLOCKS,
    LIVE,
    OF_FILES,
    PAGES,
    ROOT,
    blocks_of,
    check_commands,
    check_extras,
    python_of,
    run_cells,
    run_files,
    text_of,
)
from kinds_of_calls import BOOKING

from piopiy_lab import (
    Caller,
    VoiceAgent,
    events,
    offline_realtime,
    offline_stack,
    simulate,
    stack,
)
from piopiy_lab.bench import running
from piopiy_lab.bench.broken.trial import MEANT
from piopiy_lab.bench.stimuli import load_stimuli
from piopiy_lab.errors import EvalFileError, PiopiyLabError
from piopiy_lab.evals.files import load

#: How many blocks of a page can't be run; the page says why, above each.
EXCUSED: dict[str, int] = {}
#: Somebody who calls, is greeted and hangs up.
GREETED = Caller().hears_greeting().hangs_up()


@pytest.fixture
def runner():
    with asyncio.Runner() as runner:
        yield runner


# --- what each page needs --------------------------------------------------------------------


@pytest.fixture
def api():
    return {}


@pytest.fixture
def a_test_from_a_call():
    yield {}
    agent = python_of("docs/a_test_from_a_call.md")[0].code.partition("caller = (")[0]
    Path("my_agent.py").write_text(agent)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert "1 passed" in ran.stdout, ran.stdout


@pytest.fixture
def bench(monkeypatch):
    few = [one for one in load_stimuli() if one.id == "backchannel-41"]
    monkeypatch.setattr(running, "load_stimuli", lambda **_: tuple(few))
    names = {}
    yield names
    assert [one.stimulus for one in names["report"].measured] == few
    assert Path("bench.html").is_file()
    assert names["trial"].missed == ()
    rows = re.findall(r"^\| `(.+?)` \|.*\| `(\w+)` \|$", text_of("docs/bench.md"), re.M)
    assert dict(rows) == dict(MEANT)


@pytest.fixture
def calls_from_elsewhere(runner):
    caller = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()
    call = runner.run(simulate(desk_session, caller))
    sound, said = call.recording, call.transcript
    for name, samples in {
        "call.wav": sound, "audio.ogg": sound, "caller.wav": sound.caller, "agent.wav": sound.agent
    }.items():  # fmt: skip
        soundfile.write(name, samples, sound.sample_rate)
    items = [{"type": "message", "role": e.role, "content": [e.text]} for e in said]
    report = {"audio_recording_started_at": 1.7e9, "chat_history": {"items": items}}
    Path("session_report.json").write_text(json.dumps(report))
    whose = {"user": "user", "assistant": "agent"}
    retell = [{"role": whose[e.role], "content": e.text} for e in said]
    Path("retell.json").write_text(json.dumps({"transcript_object": retell}))
    vapi = [{"role": e.role, "message": e.text, "secondsFromStart": e.start} for e in said]
    Path("vapi.json").write_text(json.dumps({"artifact": {"messages": vapi}}))
    return {}


@pytest.fixture
def callers(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = {"create_session": desk_session, "simulate": simulate}
    yield names
    call = names["call"].raise_for_error()
    manners = [spoke.manner for spoke in call.events.of(events.CallerSpoke)]
    assert manners == ["turn", "backchannel", "cough", "false_start", "turn", "aside"]
    assert "[cough" in str(call)


@pytest.fixture
def cassettes(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return {}


@pytest.fixture
def line():
    return {"create_session": desk_session}


@pytest.fixture
def turn_taking():
    names = {}
    yield names
    call = names["call"].raise_for_error()
    assert str(call.transcript) in text_of("docs/turn_taking.md")
    assert not call.events.of(events.AgentInterrupted)


@pytest.fixture
def many_calls():
    names = {"create_session": desk_session}
    yield names
    names["client"].close()
    names["cluster"].close()
    assert len(names["calls"]) == 2
    assert len(names["checked"].failed) == 3
    assert Path("report.html").is_file()
    assert Path("junit.xml").is_file()
    assert names["diff"].verdict == names["diff"]["mean"].verdict == "worse"
    assert not names["check"].failed
    assert names["sweep"][1].figure("mean").value > names["sweep"][0].figure("mean").value


@pytest.fixture
def panel(runner):
    async def create_session():
        agent = VoiceAgent(instructions="You take bookings.", greeting="Hello, how can I help?")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    return {"call": runner.run(simulate(create_session, GREETED))}


@pytest.fixture
def real_services(monkeypatch):
    monkeypatch.setenv("PIOPIY_LAB_MODELS", str(real_weights.needed()))
    names = {}
    yield names
    assert "My name is Anna" in [said.text.rstrip(".") for said in names["call"].transcript]
    assert names["call"].turns.median("tts") == 0.0
    assert names["charged"].turns.median("tts") > 0.01


@pytest.fixture
def replay(runner):
    runner.run(simulate(desk_session, BOOKING)).save("calls/bad")
    names = {"create_session": desk_session, "Caller": Caller}
    yield names
    assert names["again"].call.transcript[-2].text == "make it friday"


@pytest.fixture
def stacks(monkeypatch, runner):
    for provider in ("DEEPGRAM", "OPENAI", "CARTESIA"):
        monkeypatch.setenv(f"{provider}_API_KEY", "not-a-key")
    names = {}
    yield names
    stt, llm, tts = offline_stack()
    runner.run(
        simulate(names["realtime_session"], GREETED, replace={"llm": offline_realtime()})
    ).raise_for_error()
    runner.run(
        simulate(names["local_session"], GREETED, replace={"stt": stt, "llm": llm, "tts": tts})
    ).raise_for_error()


@pytest.fixture
def turn_lab():
    names = {"create_session": desk_session}
    yield names
    assert len(names["call"].known_robustness) == 2
    assert len(names["sweep"]) == 12


@pytest.fixture
def tools(monkeypatch, runner):
    from mcp import StdioServerParameters
    from mcp.client import session_group
    from pipecat.services import mcp_service  # noqa: F401  before the patch: it reads the class

    server = "from mcp.server import MCPServer\n\nserver = MCPServer('x')\n\n\n@server.tool()\n"
    for file, tool in (("server.py", "look_up"), ("remote.py", "search")):
        Path(file).write_text(f"{server}def {tool}() -> str:\n    'Look.'\n\n\nserver.run()\n")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)  # for "python"
    remote = StdioServerParameters(command="python", args=["remote.py"])
    monkeypatch.setattr(session_group, "StreamableHttpParameters", lambda url: remote)
    names = {}
    yield names
    caller = Caller().hears_greeting().says("a table for two").waits(2)
    call = runner.run(simulate(names["create_session"], caller)).raise_for_error()
    given = call.events.of(events.ContextSent)[0]
    assert {"look_up", "search", "open_door"} <= set(given.tools)


# --- the code --------------------------------------------------------------------------------


CELLS = {block.page for block in BLOCKS if block.language == "python"} - {*OF_FILES, *LIVE}


@pytest.mark.parametrize("page", sorted(CELLS))
def test_a_pages_code_runs(page, request, runner, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = request.getfixturevalue(Path(page).stem)
    run_cells(python_of(page), names, runner)


def test_the_files_of_the_page_about_providers_pass(tmp_path):
    run_files(python_of("docs/fake_providers.md"), tmp_path)


def test_the_files_of_the_page_about_bots_pass(tmp_path):
    run_files(python_of("docs/bots.md"), tmp_path)


def test_the_files_of_the_page_about_evals_pass(tmp_path):
    page = "docs/evals.md"
    (scenario,) = (b.code for b in BLOCKS if b.page == page and b.language == "yaml")
    path = tmp_path / scenario.splitlines()[0].removeprefix("# ")
    path.parent.mkdir()
    path.write_text(scenario)
    run_files(python_of(page), tmp_path)
    assert (tmp_path / "report.html").is_file()
    (shown,) = (b.code for b in BLOCKS if b.page == page and b.language == "text")
    path.write_text(scenario.replace('text_contains: "table for two"', 'text_contain: "two"'))
    with pytest.raises(EvalFileError) as raised:
        load(path)
    line = scenario[: scenario.index('text_contains: "table for two"')].count("\n") + 1
    assert str(raised.value) == shown.strip().replace("scenarios/booking.yaml:12", f"{path}:{line}")


def test_the_files_of_the_page_about_testing_pass_and_print_what_it_shows(tmp_path):
    page = "docs/testing.md"
    (desk,) = (b.code for b in python_of(page) if b.file_name == "test_desk.py")
    expects = re.search(r"\.expects_tool\(.+\)", desk)[0]
    wrong = desk.replace(expects, '.hears("three people", within=3.0)')
    (share,) = (b.code for b in python_of(page) if b.file_name == "test_how_often.py")
    hasty = share.replace('"what name"', '"what name", within=4').replace("=5", "=20")
    written = run_files(python_of(page), tmp_path, test_wrong=wrong, test_hasty=hasty)
    printed = written[""].replace("test_wrong", "test_desk")
    report, _, golden, often = (b.code for b in BLOCKS if b.page == page and b.language == "text")
    assert golden == written["test_asks_for_a_name.txt"]
    for line in [*report.splitlines(), *often.splitlines()]:
        for part in line.rstrip("}").split("..."):
            assert part in printed, f"{page} shows {line!r}, and pytest printed\n{printed}"


def test_a_block_with_an_undefined_name_fails(runner):
    def page(code):
        return blocks_of("page.md", f"# A page\n\n```python\n{code}\n```\n")

    run_cells(page("a = 1\n\n\nclass B:\n    c = a\n    d = c\n\n\nprint(a, B)"), {}, runner)
    for code in ("offline_stack()", "def f():\n    return offline_stack()", "await late()"):
        with pytest.raises(AssertionError, match=r"page.md:3 uses what nobody defines: \w+"):
            run_cells(page(code), {}, runner)


def test_a_block_that_is_not_run_says_why():
    counted = {}
    for block in BLOCKS:
        if block.excuse:
            assert len(block.excuse.split()) > 3, f"{block}: the reason is too short"
            counted[block.page] = counted.get(block.page, 0) + 1
    assert counted == EXCUSED


def test_every_fence_says_what_it_holds():
    for block in BLOCKS:
        made = block.page == "docs/reference.md"  # signatures, and examples of docstrings
        languages = {"py"} if made else {"python", "console", "yaml", "text"}
        assert block.language in languages, str(block)
    fences = sum(len(re.findall(r"^ *```", text_of(page), re.M)) for page in PAGES)
    assert fences == 2 * len(BLOCKS)  # no block is missed, for standing in a list, say


def test_the_errors_that_are_shown_are_those_that_are_raised(monkeypatch):
    monkeypatch.delenv("SONIOX_API_KEY", raising=False)
    shown = next(b.code for b in BLOCKS if b.code.startswith("MissingKeyError"))
    wrong = [("stt", "soniox"), ("stt", "deepgrm")]
    wrong += [("tts", "kokoro")] * (importlib.util.find_spec("kokoro_onnx") is None)
    for kind, name in wrong:
        with pytest.raises(PiopiyLabError) as raised:
            stack(**{kind: name})
        text = f"{type(raised.value).__name__}: {raised.value}"
        for part in re.split(r"\(\S+ not installed\)", text):  # pipecat says which version
            assert " ".join(part.split()) in " ".join(shown.split())


# --- commands --------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_pages_commands_are_ones_that_there_are(page):
    for block in BLOCKS:
        if block.page == page and block.language == "console":
            check_commands(block.code)
        if block.page == page and block.language == "yaml":
            check_commands("\n".join(re.findall(r"run: (.+)", block.code)))
    text = text_of(page)
    check_extras(text)
    for command in re.findall(r"`(piopiy-lab [a-z][^`]*)`", text):
        check_commands(command)


@pytest.mark.parametrize(
    "wrong",
    ["piopiy-lab dance", "pip install 'piopiy-lab[dancing]'", "pytest --voice-dance", "dance"],
)
def test_a_command_that_there_is_not_fails(wrong):
    with pytest.raises(AssertionError, match="danc"):
        check_commands(wrong)


# --- links and files -------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Return what GitHub lets a link to a heading of the page end with."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES)
def test_a_pages_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {link}"
        assert not anchor or anchor in anchors(target), f"{page}: {link}"


#: A file or folder of the project, from its root.
NAMED = re.compile(r"`((?:piopiy_lab|tests|docs|notebooks|benchmarks|\.ci)/[\w./-]*)`")


@pytest.mark.parametrize("page", PAGES)
def test_a_file_that_a_page_names_exists(page):
    text = text_of(page)
    if page == "CHANGELOG.md":  # what a version had may be gone
        return
    for name in NAMED.findall(text):
        assert (ROOT / name).exists(), f"{page} names {name}"


def test_the_page_about_benchmarks_has_them_all():
    named = set(re.findall(r"python benchmarks/(\w+)\.py", text_of("benchmarks/README.md")))
    assert named == {path.stem for path in ROOT.glob("benchmarks/*.py")} - {"common"}


def test_what_things_cost_stands_on_the_page_about_benchmarks_alone():
    """It is of one machine and one day, which that page names; the others refer to it."""
    pages = [page for page in ROOT.glob("docs/*.md") if page.name != "reference.md"]
    cost = re.compile(r"\bCPU\b[^\n]*\d|\d ?(?:ms|s|MB|%)[^\n]*\bCPU\b|^\|[^\n]*\bCPU\b", re.M)
    assert not [page.name for page in pages if cost.search(page.read_text(encoding="utf-8"))]


def test_pipecats_own_harness_is_run_in_one_place():
    """What compares it with ours, a test or a benchmark, has it from there."""
    files = [*ROOT.glob("benchmarks/*.py"), *ROOT.glob("tests/**/*.py")]
    runs_it = re.compile(r"\bEval\w*Session\.from_scenario\(")
    found = [path.name for path in files if runs_it.search(path.read_text(encoding="utf-8"))]
    assert found == ["pipecat_harness.py"]


def test_the_table_of_rooms_is_the_ladder():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (ladder,) = (c for c in project["tool"]["importlinter"]["contracts"] if c["id"] == "ladder")
    floors = [set(layer.split(" | ")) for layer in ladder["layers"]]
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", text_of("CONTRIBUTING.md"), re.M)
    assert [int(floor) for floor, _ in rows] == list(range(len(floors), 0, -1))
    assert [set(re.findall(r"`(\w+)(?:/|\.py)`", rooms)) for _, rooms in rows] == floors
