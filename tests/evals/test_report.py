"""What an eval leaves: pipecat's results, JUnit XML, a page; and the command that makes them."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import eval_bots
import pytest

from piopiy_lab import run_eval
from piopiy_lab.cli import main
from piopiy_lab.errors import SavedCallError
from piopiy_lab.evals.files import load

TWO = """
name: desk
scenarios:
  - name: good
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{event: response, text_contains: "What name"}]
  - name: bad
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{event: response, text_contains: "<What> day\\x01", within_ms: 900}]
      - user: "never said"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "desk.yaml"
    path.write_text(TWO)
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("evals") / "desk.yaml"
    path.write_text(TWO)
    return asyncio.run(run_eval(path, eval_bots.bot))


def test_results_are_in_pipecats_form(report, tmp_path):
    report.save_results(tmp_path / "runs")
    report.save_results(tmp_path / "runs")  # appended to, as pipecat's suite does
    lines = (tmp_path / "runs" / "results.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["passed"] for record in records] == [True, False] * 2
    good, bad, *_ = records
    assert (good["bot"], good["scenario"], good["kind"]) == ("bot", "desk/good", "script")
    assert bad["failures"][0]["kind"] == "text_mismatch"
    assert [turn["status"] for turn in bad["turns"]] == ["failed", "not_run"]
    assert bad["events_seen"]
    trace = Path(bad["artifacts"]["eval_log"]).read_text()
    assert "done: FAIL" in trace


def test_junit_says_what_failed(report, tmp_path):
    path = report.save_junit(tmp_path / "out" / "junit.xml")
    suite = ET.parse(path).getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    good, bad = suite
    assert (good.get("classname"), good.get("name")) == ("desk", "good")
    assert good.find("failure") is None
    assert "<What> day" in bad.find("failure").get("message")
    assert "done: FAIL" in bad.find("system-out").text


def test_the_page_has_every_turn_and_nothing_from_outside(report, tmp_path):
    page = report.save_html(tmp_path / "report.html").read_text()
    assert "1 of 2 passed" in page
    assert "passed: desk/good" in page
    assert "failed: desk/bad" in page
    assert "&lt;What&gt; day" in page
    assert "not_run" in page
    assert page.count('class="piopiy-call"') == 1  # the call that did not pass, to be heard
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_a_file_that_can_not_be_written_is_said(report, tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(SavedCallError, match="can't be written"):
        report.save_html(tmp_path / "a" / "report.html")


# --- the command -----------------------------------------------------------------------------


@pytest.fixture
def bots(tmp_path, monkeypatch):
    """A copy, as a user's file is one: importing it by its path leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    shutil.copy(eval_bots.__file__, tmp_path / "my_bots.py")
    yield "my_bots.py"
    sys.modules.pop("my_bots", None)


def test_the_command_passes_fails_and_writes(file, bots, capsys):
    assert main(["eval", str(file), f"{bots}:bot", "--only", "good"]) == 0
    assert "passed  desk/good" in capsys.readouterr().out
    written = ["--html", "r.html", "--junit", "j.xml", "--results", "runs"]
    assert main(["eval", "desk.yaml", "my_bots:create_session", *written]) == 1
    out = capsys.readouterr().out
    assert "failed  desk/bad" in out
    assert "text_mismatch" in out
    assert "1 of 2 passed" in out
    for path in ("r.html", "j.xml", "runs/results.jsonl"):
        assert Path(path).is_file()


def test_the_command_says_what_can_not_be_run(file, bots, capsys):
    assert main(["eval", "none.yaml", f"{bots}:bot"]) == 2
    assert "there is no file none.yaml" in capsys.readouterr().err
    assert main(["eval", str(file), f"{bots}:nobody"]) == 2
    Path("broken.py").write_text("raise ValueError('broken')\n")
    assert main(["eval", str(file), "broken.py:bot"]) == 2
    told = capsys.readouterr()
    assert told.err.count("ValueError: broken") == 1
    assert not told.out
    assert main(["eval", str(file), f"{bots}:bot_without_a_transport"]) == 2
    assert "made no transport" in capsys.readouterr().out
    file.write_text(TWO.replace("text_contains", "text_contain"))
    assert main(["eval", str(file), f"{bots}:bot"]) == 2
    assert "did you mean 'text_contains'?" in capsys.readouterr().err
    assert main(["eval", str(file), f"{bots}:bot", "--replace", "stt"]) == 2


ZEBRAS = """
name: desk
user: {modality: audio, speech: {factory: piopiy_lab.evals.espeak}}
scenarios:
  - name: good
    turns:
      - user: "zebras in pyjamas"
        expect: [{event: user_transcription, text_contains: "zebras", within_ms: 9000}]
"""


def test_the_command_replaces_services_and_takes_a_judge(file, bots, capsys):
    Path("fakes.py").write_text(
        "from pipecat.classifiers.base_classifier import BaseClassifier, ChoiceResult\n"
        "from test_persona import Lines\n\n\n"
        "def llm():\n    return Lines(['We sell zebras.'])\n\n\n"
        "class Never(BaseClassifier):\n"
        "    async def _ask(self, state, questions, images=()):\n"
        "        no = ChoiceResult(choice='no', probabilities={'no': 1.0}, confidence=1.0)\n"
        "        return dict.fromkeys(questions, no), None\n\n\n"
        "def judge():\n    return Never()\n"
    )
    command = ["eval", str(file), f"{bots}:bot", "--only", "good"]
    file.write_text(TWO.replace('text_contains: "What name"', 'eval: "asks for the name"'))
    assert main([*command, "--judge", "rules"]) == 0
    assert main([*command, "--judge", "fakes:judge"]) == 1
    assert "judge_no" in capsys.readouterr().out
    file.write_text(TWO.replace("What name", "zebras"))
    assert main(command) == 1
    assert main([*command, "--replace", "llm=fakes:llm"]) == 0
    file.write_text(ZEBRAS)
    assert main(command) == 1  # the offline recogniser knows no zebras
    assert main([*command, "--replace", "stt=screenplay"]) == 0


def test_the_command_writes_what_it_can_and_looks_first(file, bots, capsys):
    command = ["eval", str(file), f"{bots}:bot", "--only", "good"]
    Path("folder").mkdir()
    Path("a").write_text("")
    for wrong in (["--html", "folder"], ["--junit", "folder"], ["--results", "a"]):
        assert main([*command, *wrong]) == 2
        told = capsys.readouterr()
        assert wrong[0] in told.err
        assert "passed" not in told.out  # nothing ran
    assert main([*command, "--html", "a/r.html", "--junit", "j.xml"]) == 2
    told = capsys.readouterr()
    assert "passed  desk/good" in told.out
    assert "r.html can't be written" in told.err
    assert Path("j.xml").is_file()


# --- runs that did not run -------------------------------------------------------------------

THREE = """
name: desk
scenarios:
  - name: good
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{event: response, text_contains: "What name"}]
  - name: judged
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{event: response, eval: "asks for the name"}]
  - name: heard
    judge: {modality: audio, transcription: {factory: piopiy_lab.evals.spoken_words}}
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{event: response, text_contains: "What name"}]
"""


def test_what_could_not_run_and_what_was_skipped_are_told_apart(tmp_path):
    def judge():
        raise ValueError("no <key>")

    path = tmp_path / "desk.yaml"
    path.write_text(THREE)
    good, judged, heard = load(path)
    heard = replace(heard, bot_audio=False)  # pipecat's loader refuses it, and its session skips it
    report = asyncio.run(run_eval([good, judged, heard], eval_bots.bot, judge=judge))
    assert [run.status for run in report] == ["passed", "error", "skipped"]
    suite = ET.parse(report.save_junit(tmp_path / "junit.xml")).getroot()[0]
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "3", "failures": "0", "errors": "1", "skipped": "1"}
    good, judged, heard = suite
    assert [child.tag for child in good] == ["system-out"]
    assert "ValueError: no <key>" in judged.find("error").get("message")
    assert heard.find("skipped").get("message")
    page = report.save_html(tmp_path / "report.html").read_text()
    assert "<h2>error: desk/judged</h2>" in page
    assert "ValueError: no &lt;key&gt;" in page
    assert "skipped: desk/heard" in page
    assert "1 of 3 passed" in report.summary
    assert report.summary in str(report)
