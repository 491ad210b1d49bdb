"""``Call.from_pipecat`` on spans that pipecat 1.14's own tracing wrote.

``pipecat_spans.json`` is of a live call of a plain pipecat bot with pipecat's Deepgram, OpenAI and
Cartesia services against ``fake_providers``, exported by opentelemetry-sdk 1.45.2 (the instructions
and settings taken out). When both sides were heard in it is known, so its sound is made anew.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from piopiy_lab import Call, events
from piopiy_lab.errors import ArgumentTypeError
from piopiy_lab.sound.speech import AGENT_VOICE, CALLER_VOICE, synthesize

SPANS = Path(__file__).parent / "pipecat_spans.json"
RATE = 24000
#: Who said what from when on, in seconds of the recording; the first answer was cut off.
HEARD = (
    ("agent", 1.279, "Hello, how can I help you today?", None),
    ("caller", 4.294, "a table for two tomorrow at seven", None),
    ("agent", 6.857, "A table for two tomorrow at seven. What name is it under?", 8.429),
    ("caller", 8.060, "no make it friday", None),
    ("agent", 9.676, "On Friday. What name is it under?", None),
    ("caller", 12.578, "my name is anna", None),
    ("agent", 14.037, "A table for two on Friday at seven for Anna. Is that right?", None),
    ("caller", 18.342, "yes please", None),
    ("agent", 19.618, "Your table is booked. The reference is three five eight. "
     "Is there anything else?", None),
)  # fmt: skip
#: From the end of the caller's voice to the first sound of the answer, in seconds.
TOTALS = [0.858, 0.636, 0.749, 0.632]
SAID = [(who, text) for who, _, text, _ in HEARD]
CLOSE = 0.03


def record(path, early=0.0):
    """The call's recording; ``early``: by how much the agent's side is, as pipecat's own was."""
    sound = np.zeros((round(25 * RATE), 2), np.int16)
    for who, at, text, until in HEARD:
        clip = synthesize(text, CALLER_VOICE if who == "caller" else AGENT_VOICE, sample_rate=RATE)
        samples = clip.samples if until is None else clip.samples[: round((until - at) * RATE)]
        begin = round((at - (early if who == "agent" else 0.0)) * RATE)
        sound[begin : begin + len(samples), 0 if who == "caller" else 1] = samples
    soundfile.write(path, sound, RATE)
    return path


def told(call):
    who = {"user": "caller", "assistant": "agent"}
    return [(who[entry.role], entry.text) for entry in call.transcript]


def as_heard():
    """What was heard: of the answer that was cut off, what pipecat put into the next context."""
    said = list(SAID)
    said[2] = ("agent", "A table for two tomorrow at seven.")
    return said


def test_a_live_calls_own_spans_are_read(tmp_path, notices):
    call = Call.from_pipecat(record(tmp_path / "a.wav"), SPANS)
    assert told(call) == as_heard()
    assert [entry.interrupted for entry in call.transcript] == [i == 2 for i in range(9)]
    starts = [e.at for e in call.events.of(events.CallerSpoke)]
    assert starts == pytest.approx([at for who, at, *_ in HEARD if who == "caller"], abs=CLOSE)
    assert [turn.total for turn in call.turns] == pytest.approx(TOTALS, abs=CLOSE)
    for turn in call.turns:
        assert turn.parts["turn"] > 0.4  # stop_secs, the turn model and the transcript
        assert 0.0 < turn.parts["llm"] < 0.2
        assert 0.05 < turn.parts["tts"] < 0.35
        assert turn.parts["output"] < 0.05
    (tool,) = call.tool_calls
    assert (tool.name, tool.result["reference"]) == ("book_table", "358")
    assert tool.arguments == {"party_size": 2, "day": "friday", "time": "19:00", "name": "Anna"}
    assert 19.4 < tool.start <= tool.end < 19.62
    assert len(call.context) == 5
    assert call.meta["services"]["stt"]["class"] == "deepgram"
    measured = {(e.service, e.name) for e in call.events.of(events.MetricsReported)}
    assert {("pipecat", "user_bot_latency"), ("openai", "prompt_tokens")} <= measured
    text = notices(call)
    assert "9 of 9 stt and tts spans begin where they are heard" in text
    assert "no times of the 1 tools" in text
    assert "from pipecat's own" not in text


def test_a_recording_whose_sides_do_not_begin_together_is_told_of(tmp_path, notices):
    call = Call.from_pipecat(record(tmp_path / "a.wav", early=0.2), SPANS)
    assert told(call) == as_heard()
    assert [turn.total for turn in call.turns] == pytest.approx(
        [total - 0.2 for total in TOTALS], abs=CLOSE
    )
    assert "ms from pipecat's own user_bot_latency (the median)" in notices(call)


def test_when_it_began_can_be_wrong_by_that_and_no_turn_is_lost(tmp_path):
    fitted = Call.from_pipecat(record(tmp_path / "a.wav"), SPANS)
    began = datetime.fromisoformat(fitted.meta["started_at"]).timestamp() - 0.2
    call = Call.from_pipecat(tmp_path / "a.wav", SPANS, recording_started=began)
    assert len(call.turns) == 4
    assert [turn.total for turn in call.turns] == pytest.approx(TOTALS, abs=CLOSE)
    assert all(part >= 0 for turn in call.turns for part in turn.parts.values())


def test_the_spans_alone_tell_most_of_it(notices):
    call = Call.from_pipecat(None, SPANS)
    assert told(call) == as_heard()
    measured = [e for e in call.events.of(events.MetricsReported) if e.name == "user_bot_latency"]
    assert [turn.total for turn in call.turns] == pytest.approx(
        [e.value for e in measured], abs=0.001
    )
    assert "no sound" in notices(call)


@pytest.mark.parametrize("began", ["noon", float("nan"), -1, True])
def test_a_beginning_that_is_no_time_is_refused(began):
    with pytest.raises(ArgumentTypeError, match="as time.time"):
        Call.from_pipecat(None, SPANS, recording_started=began)
