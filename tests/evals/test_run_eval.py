"""pipecat's eval files on a bot and on a session, in virtual time."""

from __future__ import annotations

import asyncio
import socket
import sys
import textwrap

import eval_bots
import pytest
import soundfile
from pipecat.classifiers.base_classifier import BaseClassifier, ChoiceResult
from pipecat.evals.judge import EvalJudge
from pipecat.frames.frames import LLMContextFrame
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.runner.utils import create_transport

from piopiy_lab import events, run_eval
from piopiy_lab.errors import (
    ArgumentError,
    ArgumentTypeError,
    BotError,
    EvalFailedError,
    EvalFileError,
)
from piopiy_lab.evals import RuleClassifier
from piopiy_lab.sound.speech import synthesize

OFFLINE = """
name: desk
user: {modality: audio, speech: {factory: piopiy_lab.evals.espeak}}
judge: {modality: audio, transcription: {factory: piopiy_lab.evals.spoken_words}}
"""
BOTS = [eval_bots.bot, eval_bots.create_session]


@pytest.fixture
def run(tmp_path):
    def run(text, bot=eval_bots.bot, **options):
        path = tmp_path / "desk.yaml"
        path.write_text(textwrap.dedent(text))
        return asyncio.run(run_eval(path, bot, **options))

    return run


def turns(text, head="name: desk\n"):
    """A file with one scenario of these turns."""
    told = textwrap.indent(textwrap.dedent(text).strip(), "      ")
    return f"{head}scenarios:\n  - name: it\n    turns:\n{told}\n"


BOOKED = turns("""
    - user: "a table for two tomorrow at eight"
      expect: [{event: response, text_contains: "What name"}]
    - user: "my name is oliver"
      expect: [{event: response, text_contains: "Is that right", within_ms: 3000}]
    - user: "yes that is right"
      expect:
        - {event: function_call, calls: [{name: book_table, args: {name: Oliver}}]}
        - {event: function_call_stopped, name: book_table, args: {cancelled: false}}
        - {event: response, text_contains: "booked", text_excludes: "Sorry"}
""")


@pytest.mark.parametrize("bot", BOTS)
def test_text_turns_and_function_calls(run, bot):
    report = run(BOOKED, bot)
    (one,) = report
    assert report.passed, one.reasons
    assert one.name == "desk/it"
    assert [turn.status for turn in one.result.turns] == ["passed"] * 3
    assert one.call.tool_calls[0].arguments["party_size"] == 2
    assert one.wall_secs > 0
    assert "1 of 1 passed" in str(report)


def test_what_was_not_as_expected_is_told_as_pipecat_tells_it(run):
    report = run(BOOKED.replace("name: Oliver", "name: Anna"))
    (one,) = report.failures
    failure, *_ = one.result.failures
    assert failure.kind == "function_args_mismatch"
    assert "'Oliver'" in one.reasons[0]
    with pytest.raises(EvalFailedError, match="Oliver"):
        report.raise_for_failure()


def test_a_later_turn_is_not_run_after_a_failure_unless_the_file_says_so(run):
    wrong = BOOKED.replace("What name", "What day")
    first = run(wrong)[0].result.turns
    assert [turn.status for turn in first] == ["failed", "not_run", "not_run"]
    going_on = run(wrong.replace("turns:", "stop_on_failure: false\n    turns:"))[0]
    assert [turn.status for turn in going_on.result.turns] == ["failed", "passed", "passed"]
    assert going_on.secs >= 60  # the wait for what never came: virtual seconds
    assert going_on.wall_secs < 30


# --- what a turn can be ----------------------------------------------------------------------


def test_keys_and_a_context_that_the_conversation_begins_from(run):
    keys = turns("""
        - dtmf: "12#"
          expect: [{event: user_transcription, text_contains: "12#", within_ms: 4000}]
    """)
    assert run(keys).passed
    begun = (
        OFFLINE.splitlines()[1]
        + """
context:
  - {role: user, content: "a table for two tomorrow at eight"}
  - {role: assistant, content: "A table for two tomorrow at eight. What name is it under?"}
"""
    )
    said = """
        - user: "my name is oliver"
          expect: [{event: response, text_contains: "for Oliver. Is that right"}]
    """
    assert run(turns(said, begun)).passed


SPOKEN = turns(
    """
    - expect: [{event: response, text_contains: "booking desk"}]
    - user: "a table for two tomorrow at eight"
      expect:
        - {event: user_transcription, text_contains: "two tomorrow"}
        - {event: response, text_contains: "What name", within_ms: 9000}
        - {event: bot_interrupted, absent: true, within_ms: 9500}
    - user: ["my name is", {pause_ms: 600}, "oliver"]
      expect: [{event: bot_started_speaking}]
    - user: "no wait"
      send_after: {event: bot_started_speaking, delay_ms: 700}
      expect: [{event: bot_interrupted, within_ms: 4000}]
    """,
    OFFLINE,
)


@pytest.mark.parametrize("bot", BOTS)
def test_speech_pauses_and_an_interruption_the_same_twice(run, bot):
    first, again = (run(SPOKEN, bot)[0] for _ in range(2))
    assert first.passed, first.reasons
    assert first.result.debug_log == again.result.debug_log
    assert [e.to_json() for e in first.call.events] == [e.to_json() for e in again.call.events]
    said = [event.text for event in first.call.events.of(events.CallerSpoke)]
    assert said == ["a table for two tomorrow at eight", "my name is", "oliver", "no wait"]
    assert "booking desk" in first.call.transcript[0].text


def test_a_recording_is_played_and_its_words_are_known(run, tmp_path):
    clip = synthesize("a table for two tomorrow at eight", "caller", sample_rate=44100)
    soundfile.write(tmp_path / "table.wav", clip.samples, 44100)
    file = turns(
        """
        - user: "a table for six on monday at noon"
          audio: table.wav
          expect: [{event: response, text_contains: "What name"}]
        """,
        "name: desk\nuser: {modality: audio}\n",
    )
    heard = run(file)[0]
    assert heard.call.transcript[-1].text == "a table for two tomorrow at eight"
    told = run(file, replace={"stt": "screenplay"})[0]  # what the file says that it says
    assert "table for six" in "\n".join(told.result.debug_log)


def test_backchannels(run):
    file = turns(
        """
        - user: "mm hmm"
          send_after: {event: bot_started_speaking, delay_ms: 800}
          expect:
            - {event: user_backchannel, text_contains: "hmm", within_ms: 3000}
            - {event: llm_started, absent: true, within_ms: 3500}
        """,
        OFFLINE,
    )
    bot = eval_bots.bot_with_backchannels
    one = run(file, bot, replace={"stt": "screenplay"})[0]
    assert one.passed, one.reasons


class Slow(FrameProcessor):
    """Has the model asked three seconds later."""

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame):
            await asyncio.sleep(3)
        await self.push_frame(frame, direction)


@pytest.mark.parametrize(("within_ms", "in_time"), [(2000, False), (2999, False), (3500, True)])
def test_a_late_reply_is_measured_by_the_virtual_clock(run, within_ms, in_time):
    async def bot(runner_args):
        transport = await create_transport(runner_args, eval_bots.TRANSPORT_PARAMS)
        await eval_bots.run_desk(transport, runner_args, after_user=[Slow()])

    expected = f'{{event: response, text_contains: "What name", within_ms: {within_ms}}}'
    file = turns(f"""
        - user: "a table for two tomorrow at eight"
          expect: [{expected}]
    """)
    one = run(file, bot)[0]
    assert one.passed is in_time, one.reasons
    if not in_time:
        assert f"within {within_ms}ms" in one.reasons[0]
    (turn,) = one.result.turns
    assert turn.duration_ms == pytest.approx(min(within_ms, 3000), abs=120)


# --- who judges, speaks and hears ------------------------------------------------------------


ASKED = turns("""
    - user: "a table for two tomorrow at eight"
      expect: [{event: response, eval: "asks for the name"}]
""")


class Sure(BaseClassifier):
    """Chooses the same for every question."""

    def __init__(self, choice):
        super().__init__()
        self.answer = choice

    async def _ask(self, state, questions, images=()):
        one = {self.answer: 1.0}
        result = ChoiceResult(choice=self.answer, probabilities=one, confidence=1.0)
        return dict.fromkeys(questions, result), None


@pytest.mark.parametrize("given", [Sure("no"), lambda: Sure("no"), lambda: EvalJudge(Sure("no"))])
def test_any_classifier_judges(run, given):
    one = run(ASKED, judge=given)[0]
    assert one.result.failures[0].kind == "judge_no"
    assert not one.notices


def test_rules_judge_where_nobody_else_answers_and_it_is_said(run):
    with socket.socket() as sock:  # nobody listens there
        sock.bind(("127.0.0.1", 0))
        where = f"http://127.0.0.1:{sock.getsockname()[1]}/v1"
        one = run(f"judge: {{eval: {{endpoint: '{where}'}}}}\n{ASKED}")[0]
    assert one.passed
    (notice,) = one.notices
    assert where in notice
    assert "rules judge" in notice
    assert "by rules, no LLM" in "\n".join(one.result.debug_log)
    assert not run(ASKED, judge="rules")[0].notices
    assert not run(f"judge: {{eval: {{factory: piopiy_lab.evals.rules}}}}\n{ASKED}")[0].notices


def test_what_is_not_installed_has_a_stand_in_and_it_is_said(run, monkeypatch):
    for package in ("kokoro_onnx", "moonshine_voice"):  # there or not on this machine
        monkeypatch.setitem(sys.modules, package, None)
    for module in ("pipecat.services.kokoro.tts", "pipecat.services.moonshine.stt"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    named = OFFLINE.replace("factory: piopiy_lab.evals.espeak", "service: kokoro, voice: af_heart")
    named = named.replace("factory: piopiy_lab.evals.spoken_words", "service: moonshine")
    one = run(turns('- expect: [{event: response, text_contains: "booking"}]', named))[0]
    assert one.passed, one.reasons
    voice, ears = one.notices
    assert "kokoro is not installed" in voice
    assert "moonshine is not installed" in ears


def test_a_simulated_caller_wants_somebody_to_think(run):
    file = """
        name: desk
        scenarios:
          - name: diner
            simulator: {endpoint: "http://127.0.0.1:9/v1"}
            persona: "Jamie."
            goal: "Book a table."
            success: "a table is booked"
    """
    with pytest.raises(EvalFileError, match="diner has a simulated caller, who needs an LLM"):
        run(file)


# --- what can go wrong -----------------------------------------------------------------------


def test_a_bot_that_raises_fails_and_its_error_is_told(run):
    one = run(BOOKED, eval_bots.bot_that_fails)[0]
    assert one.status == "failed"
    assert one.result.failures[0].kind == "closed_before_ready"
    assert one.reasons[-1] == "the bot: ConnectionError: the desk is on fire"


def test_a_bot_that_can_not_be_run_here_is_an_error(run):
    one = run(BOOKED, eval_bots.bot_without_a_transport)[0]
    assert one.status == "error"
    assert isinstance(one.error, BotError)
    assert "made no transport" in one.reasons[0]


def test_a_bot_that_tells_nothing_is_told_what_it_lacks(run):
    one = run(BOOKED, eval_bots.bot_without_rtvi)[0]
    assert one.result.failures[0].kind == "handshake_timeout"
    assert "has no RTVIProcessor" in one.reasons[-1]


def test_a_bot_for_evals_only_gets_what_it_wants(run):
    assert run(BOOKED, eval_bots.bot_for_evals_only).passed


def test_a_vendors_bot_is_evaluated_too(run):
    async def vendors(transport, call):
        arguments = type("Arguments", (), {"handle_sigint": False})
        arguments.pipeline_idle_timeout_secs = None
        await eval_bots.run_desk(transport, arguments)

    assert run(BOOKED, vendors).passed


def test_wrong_arguments_are_refused(run):
    for options, error, told in (
        ({"only": "nothing"}, ArgumentError, "no scenario has that in its name: desk/it"),
        ({"replace": {"ear": object()}}, ArgumentError, "replace has no part 'ear'"),
        ({"timeout_secs": 0}, ArgumentError, "timeout_secs=0"),
        ({"judge": 3}, ArgumentTypeError, "judge=3: give 'rules', a classifier"),
    ):
        with pytest.raises(error, match=told):
            run(ASKED, **options).raise_for_failure()
    with pytest.raises(ArgumentTypeError, match="takes an eval file's path"):
        asyncio.run(run_eval(3, eval_bots.bot))


def test_a_run_is_found_by_its_name(run):
    report = run(BOOKED)
    assert report["it"] is report["desk/it"] is report[0]
    with pytest.raises(KeyError, match="no run of 'that': there are desk/it"):
        report["that"]
    assert repr(report) == "<EvalReport bot: 1 of 1 passed>"
    assert isinstance(RuleClassifier().model, str)
