"""What a file names and is not there, or broken, or asked for in vain: it is said."""

from __future__ import annotations

import asyncio
import importlib.machinery
import socket
import sys
import types

import eval_bots
import pytest
from pipecat.classifiers.base_classifier import BaseClassifier, ChoiceResult
from pipecat.frames.frames import LLMMessagesAppendFrame, UserImageRequestFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.utils import create_transport
from test_persona import Lines

from piopiy_lab import run_eval
from piopiy_lab.evals import RuleClassifier, there

ASKED = """
name: desk
{head}
scenarios:
  - name: it
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{{event: response, eval: "asks for the name"}}]
  - name: again
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{{event: response, eval: "asks for the day"}}]
"""


class Sure(BaseClassifier):
    """Says yes to everything."""

    async def _ask(self, state, questions, images=()):
        one = ChoiceResult(choice="yes", probabilities={"yes": 1.0}, confidence=1.0)
        return dict.fromkeys(questions, one), None


def sure(config):
    return Sure()


def lines(config):
    return Lines()


def own_rules(config):
    return RuleClassifier()


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(head, bot=eval_bots.bot, **options):
        path = tmp_path / "desk.yaml"
        path.write_text(ASKED.format(head=head))
        return asyncio.run(run_eval(path, bot, **options))

    return run


@pytest.fixture
def nowhere():
    """An address at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}/v1"


# --- a package that is installed and broken ----------------------------------------------------


def test_a_broken_package_is_not_called_missing(monkeypatch):
    assert there.lacks("kokoro") == "is not installed"
    broken = types.ModuleType("kokoro_onnx")
    broken.__spec__ = importlib.machinery.ModuleSpec("kokoro_onnx", None)
    monkeypatch.setitem(sys.modules, "kokoro_onnx", broken)  # it has no Kokoro in it
    monkeypatch.delitem(sys.modules, "pipecat.services.kokoro.tts", raising=False)
    told = there.lacks("Kokoro")
    assert told.startswith("is installed but broken (ImportError: cannot import name 'Kokoro'")
    monkeypatch.setitem(sys.modules, "requests", None)  # what it needs is missing
    assert "installed but broken (ModuleNotFoundError: " in there.lacks("kokoro")
    assert there.lacks("nobody") is None


def test_a_broken_voice_is_said_in_the_report(run, monkeypatch):
    broken = types.ModuleType("kokoro_onnx")
    broken.__spec__ = importlib.machinery.ModuleSpec("kokoro_onnx", None)
    monkeypatch.setitem(sys.modules, "kokoro_onnx", broken)
    report = run(
        "user: {modality: audio, speech: {service: kokoro, voice: af_heart}}", judge="rules"
    )
    (notice,) = report.notices
    assert "kokoro is installed but broken (ImportError: " in notice
    assert "an offline one speaks" in notice


# --- model servers, and the explainer ----------------------------------------------------------


def test_an_address_is_dialled_once_for_all_scenarios(run, nowhere, monkeypatch):
    dialled = []
    real = there._answers
    monkeypatch.setattr(there, "_answers", lambda address: dialled.append(address) or real(address))
    report = run(f"judge: {{eval: {{endpoint: '{nowhere}'}}}}")
    assert dialled == [nowhere]
    assert len(report.notices) == 1


def test_an_explainer_that_is_lost_is_said(run, nowhere, monkeypatch):
    monkeypatch.setattr(there, "OLLAMA", nowhere)
    mine = f"factory: {__name__}.sure"
    report = run(f"judge: {{eval: {{{mine}}}}}")
    assert report.passed, report.failures
    (notice,) = report.notices
    assert f"nobody answers at {nowhere}, where its explainer should be" in notice
    assert run(f"judge: {{eval: {{{mine}, explainer: {{endpoint: '{nowhere}'}}}}}}").notices
    assert not run(f"judge: {{eval: {{{mine}, explainer: false}}}}").notices
    asked = f"judge: {{eval: {{{mine}, explainer: {{service: ollama}}}}}}"
    assert "judge= is another judge" in run(asked, judge=Sure()).notices[0]
    assert "rules give their reasons" in run(asked, judge="rules").notices[0]


def test_an_llm_of_a_factory_explains_itself(run, nowhere, monkeypatch):
    monkeypatch.setattr(there, "OLLAMA", nowhere)
    assert not run(f"judge: {{eval: {{factory: {__name__}.lines}}}}").notices


@pytest.mark.parametrize("judge", [RuleClassifier(), RuleClassifier, None])
def test_a_classifier_by_rules_says_so_in_its_reasons(run, judge):
    report = run(f"judge: {{eval: {{factory: {__name__}.own_rules}}}}", judge=judge)
    assert report["it"].passed
    (reason,) = report["again"].reasons
    assert "by rules, no LLM: " in reason


# --- an image that nobody shows ----------------------------------------------------------------


class Looks(FrameProcessor):
    """Asks for an image of the user, as a tool does, whenever the user writes."""

    def __init__(self, told):
        super().__init__()
        self._told = told

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMMessagesAppendFrame):
            asked = UserImageRequestFrame(user_id="user", result_callback=self._answered)
            await self.push_frame(asked, FrameDirection.UPSTREAM)
        await self.push_frame(frame, direction)

    async def _answered(self, result, **_):
        self._told.append(result)


def test_a_bot_that_asks_for_an_image_is_told_that_there_is_none(run):
    told = []

    async def bot(runner_args):
        transport = await create_transport(runner_args, eval_bots.TRANSPORT_PARAMS)
        await eval_bots.run_desk(transport, runner_args, [Looks(told)])

    run("judge: {eval: {factory: piopiy_lab.evals.rules}}", bot, only="it")
    assert told == [{"error": "No user image is registered."}]
