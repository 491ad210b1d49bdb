"""What an eval leaves has no secrets, loses nothing, and tells files of one name apart."""

from __future__ import annotations

import asyncio
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import eval_bots
import pytest
from test_persona import FILE, Lines

from piopiy_lab import run_eval
from piopiy_lab.errors import EvalFailedError, SavedCallError
from piopiy_lab.evals import EvalReport

SECRET = "sk-proj-Ab3dEf6hIj9kLmNoPqRsTuVwXyZ012345"
ONE = """
name: {name}
scenarios:
  - name: it
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{{event: response, text_contains: "{wanted}", within_ms: 900}}]
"""


def run(path, text, bot=eval_bots.bot, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return asyncio.run(run_eval(path, bot, **options))


def test_no_secret_is_written_or_told(tmp_path):
    report = run(tmp_path / "desk.yaml", ONE.format(name="desk", wanted=f"api_key={SECRET}"))
    report = EvalReport(list(report), f"bot {SECRET}")
    (one,) = report
    assert one.status == "failed"
    with pytest.raises(EvalFailedError) as raised:
        report.raise_for_failure()
    told = [str(raised.value), str(report), repr(report), str(one), repr(one), *one.reasons]
    report.save_results(tmp_path / "runs")
    report.save_html(tmp_path / "report.html")
    report.save_junit(tmp_path / "junit.xml")
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".yaml"]
    assert len(files) == 4  # results, trace, page, XML
    told += [path.read_text() + path.name for path in files]
    assert not [text for text in told if SECRET in text]
    assert "[removed]" in one.reasons[0]
    assert "[removed]" in (tmp_path / "runs" / "results.jsonl").read_text()


def test_no_secret_of_a_simulated_caller_or_of_an_error_is_written(tmp_path):
    def bot():
        raise ConnectionError(f"refused: token={SECRET}")

    async def create_session():
        bot()

    lines = (f"my key is {SECRET}",)
    text = FILE.replace("runs: 2", "runs: 1")
    report = run(tmp_path / "a.yaml", text, eval_bots.create_session, persona=lambda: Lines(lines))
    report.save_results(tmp_path / "runs")
    broken = run(
        tmp_path / "b.yaml", ONE.format(name="b", wanted="x"), create_session, timeout_secs=1
    )
    assert "refused: token=" in str(broken)
    broken.save_results(tmp_path / "runs")
    folder = tmp_path / "runs"
    texts = [path.read_text() for path in folder.rglob("*") if path.is_file()]
    assert len(texts) == 4  # results, two traces, a conversation
    assert not [text for text in [*texts, str(broken), str(report)] if SECRET in text]


def test_the_address_of_a_judge_is_told_without_its_password(tmp_path):
    text = ONE.format(name="desk", wanted="x").replace('text_contains: "x"', 'eval: "asks"')
    judge = "judge: {eval: {endpoint: 'http://me:pass1234word@127.0.0.1:9/v1'}}\n"
    report = run(tmp_path / "desk.yaml", judge + text)
    assert "127.0.0.1:9" in report.summary
    assert "pass1234word" not in report.summary


def test_results_that_can_not_be_written_are_an_error_and_what_was_there_is_kept(tmp_path):
    report = run(tmp_path / "desk.yaml", ONE.format(name="desk", wanted="What name"))
    runs = tmp_path / "runs"
    (runs / "results.jsonl").mkdir(parents=True)  # nobody writes that, not even root
    with pytest.raises(SavedCallError, match=r"results.jsonl can't be written: .*give another"):
        report.save_results(runs)
    assert len(list((runs / "logs").glob("*.eval.log"))) == 1  # what could be written was
    other = tmp_path / "other"
    other.mkdir()
    (other / "logs").write_text("in the way")
    with pytest.raises(SavedCallError, match="eval.log can't be written"):
        report.save_results(other)
    (line,) = (other / "results.jsonl").read_text().splitlines()
    assert json.loads(line)["passed"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
def test_a_full_disk_is_said(tmp_path):
    report = run(tmp_path / "desk.yaml", ONE.format(name="desk", wanted="What name"))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "results.jsonl").symlink_to("/dev/full")
    with pytest.raises(SavedCallError, match=r"results.jsonl can't be written: No space left"):
        report.save_results(tmp_path / "runs")


def test_files_of_one_name_are_told_apart(tmp_path):
    for folder, wanted in (("a", "What name"), ("b", "What day")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.yaml").write_text(ONE.format(name="x", wanted=wanted))
    (tmp_path / "y.yaml").write_text(ONE.format(name="y", wanted="What name"))
    files = [tmp_path, tmp_path / "y.yaml"]
    report = asyncio.run(run_eval(files, eval_bots.bot))
    assert [one.name for one in report] == ["a/x/it", "b/x/it", "y/it", "y/it (2)"]
    assert report["a/x/it"].passed
    assert not report["b/x/it"].passed
    with pytest.raises(KeyError, match="'x/it' may be any of a/x/it, b/x/it: say which"):
        report["x/it"]
    report.save_results(tmp_path / "runs")
    lines = (tmp_path / "runs" / "results.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert len({record["scenario"] for record in records}) == 4
    traces = [Path(record["artifacts"]["eval_log"]) for record in records]
    assert len(set(traces)) == 4
    assert [
        f"done: {'PASS' if one.passed else 'FAIL'}" in t.read_text()
        for one, t in zip(report, traces, strict=True)
    ] == [True] * 4
    suite = ET.parse(report.save_junit(tmp_path / "j.xml")).getroot()[0]
    assert len({(case.get("classname"), case.get("name")) for case in suite}) == 4
