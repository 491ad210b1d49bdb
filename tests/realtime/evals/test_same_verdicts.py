"""The same files on the same bot: pipecat's own harness on the wall clock, and ours."""

from __future__ import annotations

import asyncio
import time

import eval_bots
import pytest
from pipecat_harness import by_pipecat, verdict_of

from piopiy_lab import run_eval

#: What each scenario must come to, so that two empty verdicts are not taken for the same.
TEXT = {"books": True, "wrong": False, "late": False, "keys": True, "context": True}
TEXT_FILE = """
name: text
judge: {eval: {factory: piopiy_lab.evals.rules, explainer: false}}
scenarios:
  - name: books
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{event: llm_started}, {event: response, eval: "asks for the name"}]
      - user: "my name is oliver"
        expect: [{event: response, eval: "a table for two at eight for Oliver"}]
      - user: "yes that is right"
        expect:
          - {event: function_call, calls: [{name: book_table, args: {party_size: 2}}]}
          - {event: function_call_stopped, calls: [{name: book_table, args: {cancelled: false}}]}
          - {event: response, text_contains: "booked", text_excludes: "Sorry"}
          - {event: function_call, absent: true, within_ms: 1500}
  - name: wrong
    stop_on_failure: false
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{event: response, text_contains: "what day", within_ms: 6000}]
      - user: "my name is oliver"
        expect: [{event: response, eval: "a table for three", within_ms: 6000}]
      - user: "yes that is right"
        expect:
          - {event: response, text_contains: "booked", text_excludes: "reference", within_ms: 15000}
      - user: "thank you"
        expect: [{event: function_call, name: cancel_table, within_ms: 1000}]
  - name: late
    turns:
      - user: "a table for two tomorrow at eight"
        expect: [{event: bot_backchannel, within_ms: 800}]
      - user: "never said"
  - name: keys
    turns:
      - dtmf: "12#"
        expect:
          - {event: user_transcription, text_contains: "12#", within_ms: 15000}
          - {event: response, within_ms: 15000}
  - name: context
    context:
      - {role: system, content: "You take bookings."}
      - {role: user, content: "a table for two tomorrow at eight"}
      - {role: assistant, content: "A table for two tomorrow at eight. What name is it under?"}
    turns:
      - user: "my name is oliver"
        expect: [{event: response, text_contains: "for Oliver. Is that right"}]
"""

#: On a busy machine pipecat's side hears a gap within a sentence, and takes it for the end of one:
#: each expectation asks for a reply's last words, so that all of the reply is what it matched. The
#: times are for what never comes, and leave room.
AUDIO_FILE = """
name: audio
user: {modality: audio, speech: {factory: piopiy_lab.evals.espeak}}
judge:
  modality: audio
  eval: {factory: piopiy_lab.evals.rules, explainer: false}
  transcription: {factory: piopiy_lab.evals.spoken_words}
scenarios:
  - name: spoken
    turns:
      - expect: [{event: response, text_contains: "How can I help"}]
      - user: "a table for two tomorrow at eight"
        expect:
          - {event: vad_user_stopped_speaking}
          - {event: user_transcription, text_contains: "tomorrow at eight"}
          - {event: response, eval: "asks 'What name is it under'"}
      - user: "my name is oliver"
        expect: [{event: response, text_contains: "Is that right"}]
      - user: "yes that is right"
        expect: [{event: bot_started_speaking}]
      - user: "no wait"
        send_after: {event: bot_started_speaking, delay_ms: 700}
        expect:
          - {event: bot_interrupted}
          - {event: bot_stopped_speaking}
"""


def both(tmp_path, text):
    """The two verdicts by scenario, and the seconds that each took."""
    path = tmp_path / "desk.yaml"
    path.write_text(text)
    ours = asyncio.run(run_eval(path, eval_bots.bot, timeout_secs=20))
    began = time.monotonic()
    theirs = asyncio.run(by_pipecat(path, eval_bots.bot, timeout_secs=20))
    took = time.monotonic() - began
    return {run.scenario.name: run.result for run in ours}, theirs, took


@pytest.mark.timeout(120)
def test_text_files_come_to_the_same_verdicts(tmp_path):
    ours, theirs, _ = both(tmp_path, TEXT_FILE)
    assert {name.partition("/")[2]: result.passed for name, result in theirs.items()} == TEXT
    for name, result in theirs.items():
        assert verdict_of(ours[name]) == verdict_of(result), name


@pytest.mark.timeout(120)
def test_an_audio_file_comes_to_the_same_verdict(tmp_path):
    ours, theirs, _ = both(tmp_path, AUDIO_FILE)
    (result,) = theirs.values()
    assert result.passed, result.failures
    replies = [turn.expectations[-1].matched for turn in result.turns[:3]]
    assert (
        replies[0] == "Hello, this is the booking desk. How can I help?"
    )  # whole, however it came
    assert replies[1].endswith("What name is it under?")
    assert verdict_of(ours["audio/spoken"]) == verdict_of(result)
