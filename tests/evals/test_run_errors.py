"""Who plays along raises, or can't be made: that run's error, and the others keep their results."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import eval_bots
import pytest

from piopiy_lab import run_eval
from piopiy_lab.cli import main
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, EvalFileError, ServiceError
from piopiy_lab.evals import RuleClassifier, RuleJudge, espeak, spoken_words

#: The first is judged, spoken or heard by somebody, the second is not.
TWO = """
name: desk
{head}
scenarios:
  - name: first
    {keys}
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{{event: response, eval: "asks for the name", within_ms: 15000}}]
  - name: second
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{{event: response, text_contains: "What name"}}]
"""
SPOKEN = "user: {modality: audio, speech: {factory: piopiy_lab.evals.espeak}}"
HEARD = (
    "judge: {modality: audio, eval: {factory: piopiy_lab.evals.rules}, "
    "transcription: {factory: piopiy_lab.evals.spoken_words}}"
)


def broken(*_):
    raise ValueError("no key")


def leaves(*_):
    raise SystemExit(3)


def wants_nothing():
    """A factory that does not take the file's block."""


def run(tmp_path, head="", keys="", **options):
    path = tmp_path / "desk.yaml"
    path.write_text(TWO.format(head=head, keys=keys))
    return asyncio.run(run_eval(path, eval_bots.bot, **options))


FACTORIES = {
    "judge: {eval: {factory: test_run_errors.broken}}": "ValueError: no key",
    "judge: {eval: {factory: test_run_errors.leaves}}": "SystemExit: 3",
    "judge: {eval: {factory: test_run_errors.wants_nothing}}": "TypeError: ",
    "judge: {eval: {factory: test_run_errors.nobody}}": "AttributeError: ",
    "judge: {eval: {factory: no_module.judge}}": "ModuleNotFoundError: ",
    "judge: {eval: {service: oracle}}": "ValueError: ",
    "user: {modality: audio, speech: {factory: test_run_errors.broken}}": "the user's voice can't",
    "user: {modality: audio, speech: {service: cartesia, voice: x}}": "API key",
    HEARD.replace("piopiy_lab.evals.spoken_words", "test_run_errors.broken"): "recogniser can't",
}


@pytest.mark.parametrize("keys", FACTORIES)
def test_what_a_files_factory_raises_is_that_runs_error(tmp_path, keys, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    first, second = run(tmp_path, keys=keys)
    assert first.status == "error"
    assert isinstance(first.error, ServiceError)
    assert FACTORIES[keys] in first.reasons[0]
    assert first.call is None  # none was begun
    assert second.passed, second.reasons


@pytest.mark.parametrize(
    "options",
    [{"judge": broken}, {"judge": leaves}, {"voice": broken}, {"transcription": broken}],
    ids=["judge", "judge that exits", "voice", "recogniser"],
)
def test_what_a_users_function_raises_is_that_runs_error(tmp_path, options):
    keys = SPOKEN if "voice" in options else HEARD
    first, second = run(tmp_path, keys=keys, **options)
    assert first.status == "error"
    assert "can't be made" in first.reasons[0]
    assert "test_run_errors.py, line " in first.reasons[0]
    assert second.passed, second.reasons


def test_what_a_function_makes_is_looked_at(tmp_path):
    for options in ({"judge": lambda: 3}, {"transcription": lambda: 3}):
        first, second = run(tmp_path, keys=HEARD, **options)
        assert isinstance(first.error, ArgumentTypeError)
        assert "made " in first.reasons[0]
        assert second.passed


class Raises(RuleJudge):
    """A judge whose own code is broken."""

    async def evaluate(self, criterion):
        raise KeyError("the book of rules")


class Leaves(RuleJudge):
    async def evaluate(self, criterion):
        raise SystemExit(3)


@pytest.mark.parametrize("judge", [Raises, Leaves])
def test_a_judge_that_raises_in_the_run_is_its_error_and_no_failure_of_the_bot(tmp_path, judge):
    first, second = run(tmp_path, judge=judge)
    assert first.status == "error"
    told = {Raises: "the book of rules", Leaves: "SystemExit: 3"}[judge]
    assert told in "\n".join(first.reasons)
    assert first.call is not None
    assert len(first.call.events)  # what happened till then
    assert second.passed, second.reasons


def test_a_voice_and_a_recogniser_that_raise_in_the_run_cost_no_other_run(tmp_path):
    def voice():
        made = espeak({})
        made.run_tts = broken
        return made

    def ears():
        made = spoken_words({})
        made.run_stt = broken
        return made

    for options in ({"voice": voice}, {"transcription": ears}):
        keys = SPOKEN if "voice" in options else HEARD
        first, second = run(tmp_path, keys=keys, **options)
        assert not first.passed
        assert second.passed, second.reasons


WRONG = [
    ({"judge": "rulez"}, ArgumentError, "judge='rulez': there is none of that name"),
    ({"judge": 3}, ArgumentTypeError, "judge=3: give 'rules', a classifier"),
    ({"voice": "nobody"}, ArgumentError, "No voice 'nobody'"),
    ({"voice": espeak({})}, ArgumentTypeError, "a function that makes a TTS service"),
    ({"transcription": "moonshin"}, ArgumentError, "'moonshin': there is none of that name"),
    ({"persona": "an LLM"}, ArgumentError, "persona='an LLM'"),
    ({"record": "yes"}, ArgumentTypeError, "record='yes'"),
    ({"only": 3}, ArgumentTypeError, "only=3"),
    ({"on_run": 3}, ArgumentTypeError, "on_run=3"),
    ({"timeout_secs": "soon"}, ArgumentTypeError, "timeout_secs='soon'"),
]


@pytest.mark.parametrize(("options", "error", "told"), WRONG)
def test_wrong_arguments_are_refused_before_any_run(tmp_path, options, error, told):
    begun = []

    async def bot(runner_args):
        begun.append(1)
        await eval_bots.bot(runner_args)

    path = tmp_path / "desk.yaml"
    path.write_text(TWO.format(head="", keys=""))
    with pytest.raises(error, match=told):
        asyncio.run(run_eval(path, bot, **options))
    with pytest.raises(EvalFileError, match="there is no file"):
        asyncio.run(run_eval([path, tmp_path / "none.yaml"], bot))

    async def judge():
        return RuleClassifier()

    with pytest.raises(ArgumentTypeError, match="no coroutine function"):
        asyncio.run(run_eval(path, bot, judge=judge))
    assert not begun


def test_the_command_ends_with_2_and_prints_the_other_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    shutil.copy(eval_bots.__file__, "my_bots.py")
    Path("mine.py").write_text("def judge():\n    raise ValueError('no key')\n")
    Path("desk.yaml").write_text(TWO.format(head="", keys=""))
    command = ["eval", "desk.yaml", "my_bots.py:bot", "--judge", "mine:judge", "--junit", "j.xml"]
    assert main(command) == 2
    out = capsys.readouterr().out
    assert "error   desk/first" in out
    assert "no key" in out
    assert "passed  desk/second" in out
    assert Path("j.xml").is_file()
    assert main(["eval", "desk.yaml", "my_bots.py:bot", "--judge", "rulez"]) == 2
    assert "passed" not in (told := capsys.readouterr()).out
    assert "rulez" in told.err
    for name in ("my_bots", "mine"):
        sys.modules.pop(name, None)
