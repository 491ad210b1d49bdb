"""What pipecat's loader passes over: keys, names and numbers of an eval file."""

from __future__ import annotations

import re
from pathlib import Path

import pipecat.evals
import pytest
from pipecat.evals.scenario import EvalScenarioFile

from piopiy_lab.errors import EvalFileError
from piopiy_lab.evals import grammar
from piopiy_lab.evals.files import load

PIPECAT = Path(pipecat.evals.__file__).parent
#: With every kind of turn, and a simulated caller.
WHOLE = """\
name: desk
user: {modality: audio, speech: {service: kokoro, voice: af_heart}}
judge: {modality: text, eval: {service: ollama, model: "gemma4:12b"}}
context: [{role: system, content: "You book tables."}]
scenarios:
  - name: booking
    stop_on_failure: false
    turns:
      - expect: [{event: response, text_contains: "How can I help"}]
      - user: ["A table for", {pause_ms: 900}, "two at six"]
        expect:
          - {event: user_transcription, text_contains: "two"}
          - {event: function_call, calls: [{name: check, args: {party: 2}}], within_ms: 4000}
          - {event: response, eval: "confirms six for two", check_from: turn_start}
          - {event: llm_marker, marker: short, markers: 1, text_after: false}
      - user: "mm hmm"
        audio: clip.wav
        send_after: {event: bot_started_speaking, delay_ms: 600}
        expect: [{event: bot_interrupted, absent: true, within_ms: 3000}]
      - dtmf: "12#"
        send_after: {delay_ms: 500}
        expect: [{event: function_call_stopped, name: check, args: {cancelled: false}}]
  - name: hurried
    persona: "Jamie, in a hurry."
    goal: "Book a table for two at six, then end the call."
    success: "the bot booked two people at six and said so"
    metrics:
      - {name: polite, criterion: "the reply is courteous", min_score: 0.8}
      - {measure: latency, max_value: 2.5}
      - {measure: function_calls, calls: [{name: book, args: {party: 2}}]}
    runs: 3
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "clip.wav").write_bytes(b"")

    def file(text=WHOLE, name="desk.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return file


def test_a_whole_file_is_loaded_as_pipecat_loads_it(file):
    path = file()
    assert load(path) == EvalScenarioFile.load(path).scenarios
    assert [one.name for one in load([path, path])] == ["desk/booking", "desk/hurried"] * 2
    loaded = EvalScenarioFile.load(path)
    assert load(loaded) == loaded.scenarios
    assert load(loaded.scenarios[0]) == loaded.scenarios[:1]


WRONG = {
    "event: bot_interrupted": (
        "event: bot_interupted",
        "turns[2].expect[0].event: there is no 'bot_interupted': did you mean 'bot_interrupted'?",
    ),
    'text_contains: "two"': ('text_contain: "two"', "text_contain: did you mean 'text_contains'?"),
    "within_ms: 4000": ("within_ms: soon", "expect[1].within_ms is 'soon': give a whole number"),
    "delay_ms: 600": ("delay: 600", "send_after.delay: did you mean 'delay_ms'?"),
    "event: bot_started_speaking": (
        "event: bot_speaking",
        "no 'bot_speaking'",
    ),
    "audio: clip.wav": ("audio: clap.wav", "turns[2].audio: there is no file"),
    "modality: audio": (
        "modality: adio",
        "there is no 'adio': did you mean 'audio'",
    ),
    "service: kokoro": ("servise: kokoro", "speech.servise: did you mean 'service'?"),
    "check_from: turn_start": ("check_from: start", "did you mean 'turn_start'?"),
    "marker: short": ("marker: shrt", "marker: there is no 'shrt': did you mean 'short'?"),
    "args: {party: 2}}], within": (
        "arg: {party: 2}}], within",
        "calls[0].arg: did you mean",
    ),
    "absent: true": ("absent: perhaps", "absent is 'perhaps': give true or false"),
    "stop_on_failure": (
        "stop_on_fail",
        "stop_on_fail: did you mean 'stop_on_failure'",
    ),
    "goal:": ("gaol:", "scenarios[1].gaol: did you mean 'goal'?"),
    "measure: latency, max_value: 2.5": (
        "measure: latency, max_value: slow",
        "metrics[1].max_value is 'slow': give a number",
    ),
    "measure: latency": ("measure: lateness", "did you mean 'latency'?"),
    "max_value: 2.5": ("maximum: 2.5", "metrics[1].maximum: did you mean 'max_value'?"),
    "min_score: 0.8": ("min_score: high", "metrics[0].min_score is 'high': give a number"),
    "voice: af_heart": ("voice: af_heart, speed: fast", "speech.speed is 'fast': give a number"),
    "pause_ms: 900": ("pause: 900", "turns[1].user[1].pause: did you mean 'pause_ms'?"),
    "runs: 3": ("runs: many", "runs is 'many': give a whole number from 1 on"),
    "name: desk\n": ("name: desk\nname: d\n", "'name' is here twice"),
    "event: response, eval": ("event: bot_started_speaking, calls: [x], eval", "is of no use with"),
    "name: check, args: {c": ("calls: [check], args: {c", "is of no use beside 'calls'"),
    "persona:": ("context: []\n    persona:", "is of no use in a scenario with a persona"),
    "turns:": ("turns", "no YAML"),
}


@pytest.mark.parametrize("right", WRONG)
def test_what_is_wrong_is_named_with_file_line_and_remedy(file, right):
    wrong, told = WRONG[right]
    path = file(WHOLE.replace(right, wrong, 1))
    with pytest.raises(EvalFileError) as raised:
        load(path)
    assert told in str(raised.value)
    line = WHOLE[: WHOLE.index(right)].count("\n") + 1
    assert re.match(rf"{re.escape(str(path))}:({line}|{line + 1}): ", str(raised.value))


def test_pipecats_own_errors_are_ours(file):
    path = file(WHOLE.replace('dtmf: "12#"', 'dtmf: "12x"'))
    with pytest.raises(EvalFileError, match="invalid keypad entry 'x'"):
        load(path)


def test_what_another_file_brings_is_checked_where_it_stands(file):
    part = file("modality: audio\nspeach: {}\n", "user.yaml")
    path = file(re.sub(r"user: \{.*", "user: !include user.yaml", WHOLE))
    with pytest.raises(EvalFileError) as raised:
        load(path)
    assert str(raised.value).startswith(f"{part}:2: there is no user.speach: did you mean 'speech'")
    file(re.sub(r"user: \{.*", "user: !include desk.yaml", WHOLE))
    with pytest.raises(EvalFileError, match="its includes lead back to it"):
        load(path)
    file(re.sub(r"user: \{.*", "user: !include usr.yaml", WHOLE))
    with pytest.raises(EvalFileError, match=r"desk.yaml:2: !include usr.yaml: there is no"):
        load(path)


def test_a_factorys_own_keys_are_its_own(file):
    own = "speech: {factory: mine.voice, mood: cheerful}"
    assert load(file(WHOLE.replace("speech: {service: kokoro, voice: af_heart}", own)))


def test_files_that_are_none(tmp_path, file):
    for path, told in (
        (tmp_path / "none.yaml", "there is no file"),
        (file("", "empty.yaml"), "is empty"),
        (file("- a list", "list.yaml"), "the file is a list"),
    ):
        with pytest.raises(EvalFileError, match=told):
            load(path)
    empty = tmp_path / "folder"
    empty.mkdir()
    with pytest.raises(EvalFileError, match="no eval file in this folder"):
        load(empty)


def test_a_folder_is_all_its_files_and_not_their_parts(tmp_path, file):
    file("modality: text\n", "user.yaml")
    file()
    assert len(load(tmp_path)) == 2


# --- the grammar is pipecat's ----------------------------------------------------------------


def keys_read(source: str, function: str, mapping: str) -> set[str]:
    """The keys that a function of pipecat's loader reads of a mapping."""
    text = (PIPECAT / source).read_text()
    body = re.search(rf"^def {function}\(.*?(?=^def |^class |^@|\Z)", text, re.M | re.S)[0]
    patterns = rf"\b{mapping}\.get\(\"(\w+)\"|\b{mapping}\[\"(\w+)\"\]|\"(\w+)\" in {mapping}\b"
    return {name for found in re.findall(patterns, body) for name in found if name}


def test_the_grammar_knows_what_pipecats_loader_reads():
    turn = keys_read("script.py", "_parse_turn", "t")
    assert turn == set(grammar.TURN)
    assert keys_read("script.py", "_parse_send_after", "s") == set(grammar.SEND_AFTER)
    expected = keys_read("script.py", "_parse_expectation", "e")
    expected |= keys_read("script.py", "_parse_function_calls", "e")
    markers = {"marker_first", "markers", "text_after"}  # read in a loop
    assert expected | markers == set(grammar.EXPECTATION)
    scripted = keys_read("script.py", "_parse_script", "data")
    assert scripted <= {*grammar.SHARED, *grammar.SCRIPTED}
    simulated = keys_read("simulation.py", "_parse_simulation", "data")
    assert simulated <= {*grammar.SHARED, *grammar.SIMULATED}
    metric = keys_read("simulation.py", "_parse_metrics", "item")
    assert metric <= set(grammar.METRIC)
    assert keys_read("scenario_config.py", "_parse_user_block", "user") == set(grammar.USER)
    assert keys_read("scenario_config.py", "_parse_judge_block", "judge") == set(grammar.JUDGE)


def test_the_grammar_knows_pipecats_events():
    text = (PIPECAT / "events.py").read_text()
    made = set(re.findall(r'"type": "(\w+)"', text)) | set(re.findall(r'_event\("(\w+)"', text))
    assert made == set(grammar.EVENTS)


# --- a folder --------------------------------------------------------------------------------


def test_a_folder_names_what_it_passes_over(tmp_path, file):
    file("name: ci\non: push\njobs: {}\n", "workflow.yml")
    file("a: {{ template }}\nb: [\n", "helm.yaml")
    file("modality: audio\nspeech: {service: kokoro, voice: af_heart}\n", "user.yaml")
    (tmp_path / ".venv").mkdir()
    file("name: hidden\nturns: nonsense\n", ".venv/hidden.yaml")
    file(re.sub(r"user: \{.*", "user: !include user.yaml", WHOLE))
    notices: list[str] = []
    assert len(load(tmp_path, notices)) == 2
    (told,) = notices
    assert told.startswith("passed over, as no eval file: none of scenarios, turns, persona")
    assert "workflow.yml" in told
    assert "helm.yaml" in told
    assert "user.yaml" not in told  # a part of the eval file
    assert "hidden" not in told


def test_a_broken_eval_file_in_a_folder_is_an_error(tmp_path, file):
    file()
    file("name: broken\nscenarios: [\n", "broken.yaml")
    with pytest.raises(EvalFileError, match=r"broken.yaml:\d+: no YAML"):
        load(tmp_path)
    (tmp_path / "broken.yaml").unlink()
    (tmp_path / "desk.yaml").unlink()
    file("name: other\n", "other.yaml")
    with pytest.raises(EvalFileError, match=r"no eval file in this folder .*: none of .*other"):
        load(tmp_path)
