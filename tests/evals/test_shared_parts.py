"""One judge, persona, voice or recogniser for several runs: no run knows of the one before."""

from __future__ import annotations

import asyncio

import eval_bots
import pytest
from pipecat.evals.judge import EvalJudge
from test_persona import FILE, Lines

from piopiy_lab import run_eval
from piopiy_lab.errors import ArgumentError, ServiceError
from piopiy_lab.evals import RuleClassifier, espeak, spoken_words

TWO = """
name: desk
scenarios:
  - name: first
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{event: response, eval: "asks for the name"}]
  - name: second
    turns:
      - user: "hello"
        expect: [{event: response, eval: "asks"}]
"""
SPOKEN = """
user: {modality: audio, speech: {factory: piopiy_lab.evals.espeak}}
judge: {modality: audio, eval: {factory: piopiy_lab.evals.rules},
  transcription: {factory: piopiy_lab.evals.spoken_words}}
"""


def run(tmp_path, text, **options):
    path = tmp_path / "desk.yaml"
    path.write_text(text)
    bot = eval_bots.create_session if "persona" in text else eval_bots.bot
    return asyncio.run(run_eval(path, bot, **options))


class Listens(RuleClassifier):
    """Keeps what it is asked about."""

    def __init__(self):
        super().__init__()
        self.states = []

    async def _ask(self, state, questions, images=()):
        self.states.append(str(state))
        return await super()._ask(state, questions, images)


@pytest.mark.parametrize("shared", [lambda judge: judge, lambda judge: lambda: judge])
def test_a_judge_hears_of_each_run_alone(tmp_path, shared):
    classifier = Listens()
    judge = EvalJudge(classifier)
    judge.add_user_message("given before")
    run(tmp_path, TWO, judge=shared(judge))
    first, last = classifier.states[0], classifier.states[-1]
    assert "a table for two tomorrow" in first
    assert "given before" in first
    assert "a table for two" not in last
    assert "given before" in last
    asked = len(classifier.states)
    run(tmp_path, TWO, judge=shared(judge))  # no answer is kept from the run before either
    assert len(classifier.states) == 2 * asked


def test_one_persona_for_several_runs_is_refused_before_any(tmp_path):
    with pytest.raises(ArgumentError, match="is one for 2 runs.* give a function that makes one"):
        run(tmp_path, FILE, persona=Lines())
    lines = Lines()
    once = FILE.replace("runs: 2", "runs: 1")
    assert run(tmp_path, once, persona=lines).passed
    with pytest.raises(ArgumentError, match="was in a run before"):
        run(tmp_path, once, persona=lines)


def test_a_function_that_makes_the_same_one_again_is_that_runs_error(tmp_path):
    lines, ears, voice = Lines(), spoken_words({}), espeak({})
    first, second = run(tmp_path, FILE, persona=lambda: lines)
    assert first.passed
    assert second.status == "error"
    assert isinstance(second.error, ServiceError)
    text = TWO.replace("name: desk", f"name: desk{SPOKEN}")
    for options in ({"transcription": lambda: ears}, {"voice": lambda: voice}):
        first, second = run(tmp_path, text, **options)
        assert first.error is None
        assert "was in an earlier run" in second.reasons[0]
