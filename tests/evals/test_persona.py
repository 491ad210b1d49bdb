"""A simulated caller, given an LLM to think with: here one that knows its lines."""

from __future__ import annotations

import asyncio

import eval_bots
from pipecat.frames.frames import (
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)
from pipecat.services.llm_service import FunctionCallFromLLM, LLMService
from pipecat.services.settings import LLMSettings

from piopiy_lab import run_eval
from piopiy_lab.errors import ArgumentTypeError

LINES = ("a table for two tomorrow at eight", "my name is oliver", "yes that is right")


class Lines(LLMService):
    """Says one line after the other, then ends the call."""

    def __init__(self, lines=LINES):
        super().__init__(settings=LLMSettings(model="lines"))
        self._lines = list(lines)

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        if self._lines:
            await self.push_frame(LLMTextFrame(self._lines.pop(0)))
        else:
            arguments = {"success": True, "reason": "booked"}
            call = FunctionCallFromLLM(
                context=frame.context,
                tool_call_id="1",
                function_name="end_call",
                arguments=arguments,
            )
            await self.run_function_calls([call])
        await self.push_frame(LLMFullResponseEndFrame())


FILE = """
name: desk
judge: {eval: {factory: piopiy_lab.evals.rules}}
scenarios:
  - name: diner
    persona: "Oliver, to the point."
    goal: "Book a table for two tomorrow at eight, then end the call."
    success: "booked a table for Oliver"
    metrics:
      - {name: asks, criterion: "asks whether that is right"}
      - {measure: turns, max_value: 4}
      - {measure: function_calls, calls: [{name: book_table, args: {party_size: 2}}]}
    runs: 2
"""
SPOKEN = """
user: {modality: audio, speech: {factory: piopiy_lab.evals.espeak}}
judge:
  modality: audio
  eval: {factory: piopiy_lab.evals.rules}
  transcription: {factory: piopiy_lab.evals.spoken_words}
"""


def run(tmp_path, text, bot, persona):
    path = tmp_path / "desk.yaml"
    path.write_text(text)
    return asyncio.run(run_eval(path, bot, persona=persona))


def test_it_calls_as_often_as_the_file_says_and_the_whole_is_judged(tmp_path):
    report = run(tmp_path, FILE, eval_bots.create_session, Lines)
    assert [one.name for one in report] == ["desk/diner #1", "desk/diner #2"]
    one, _ = report
    assert one.result.succeeded, one.reasons
    assert one.passed, one.reasons
    assert (one.result.turns, one.result.ended_by) == (3, "end_call")
    assert one.result.reason.startswith("by rules, no LLM: there: ")
    assert {metric.name: metric.passed for metric in one.result.metrics} == {
        "asks": True,
        "turns": True,
        "function_calls": True,
    }
    report.save_results(tmp_path / "runs")
    assert len(list((tmp_path / "runs" / "logs").glob("*.conversation.json"))) == 2
    page = report.save_html(tmp_path / "report.html").read_text()
    assert "<td>caller</td>" in page
    assert "<td>agent</td>" in page


def test_it_speaks_to_a_bot_that_speaks(tmp_path):
    head, _, rest = FILE.partition("judge:")
    text = f"{head}{SPOKEN.strip()}\n{rest.partition(chr(10))[2]}".replace("runs: 2", "runs: 1")
    (one,) = run(tmp_path, text, eval_bots.bot, lambda: Lines())
    assert one.passed, one.reasons
    said = [entry.text for entry in one.call.transcript if entry.role == "user"]
    assert said == list(LINES)


def test_who_does_not_think_is_the_error_of_the_runs(tmp_path):
    report = run(tmp_path, FILE, eval_bots.create_session, lambda: "an LLM")
    assert [type(one.error) for one in report] == [ArgumentTypeError] * 2
    assert "persona made 'an LLM'" in report[0].reasons[0]
    assert [one.status for one in report] == ["error"] * 2
