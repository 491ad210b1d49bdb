"""``call.save_otlp`` and back, and an outside reader: opentelemetry's own protobuf messages."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import os

import numpy as np
import pytest
from booking_truth import desk_session
from hand_made_call import booking_call, empty_call

from piopiy_lab import Call, events
from piopiy_lab.elsewhere.sounds import KeptSamples, Sides
from piopiy_lab.errors import ForeignCallError, SavedCallError
from piopiy_lab.events.log import EventLog

needs_proto = pytest.mark.skipif(
    importlib.util.find_spec("opentelemetry.proto") is None
    and os.environ.get("PIOPIY_LAB_REQUIRE") != "all",
    reason="opentelemetry-proto not installed: pip install opentelemetry-proto",
)
#: Seconds by which what is heard in a recording may be off.
CLOSE = 0.03


@pytest.fixture
def otlp(truth, tmp_path):
    return truth.save_otlp(tmp_path / "trace.json")


def spans_in(path):
    (resource,) = json.loads(path.read_text())["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    return scope["spans"]


def attributes_of(span):
    return {a["key"]: next(iter(a["value"].values()), None) for a in span["attributes"]}


def rewritten(path, spans):
    document = json.loads(path.read_text())
    document["resourceSpans"][0]["scopeSpans"][0]["spans"] = spans
    path.write_text(json.dumps(document))
    return path


def as_pipecat_writes(path, tools=True):
    """The file with what pipecat's own tracing has of it, and nothing of ours."""
    kept = []
    for span in spans_in(path):
        if span["name"] in ("caller_audio_active", "agent_audio_active"):
            continue
        if span["name"] == "tool_call" and not tools:
            continue
        span["attributes"] = [
            a
            for a in span["attributes"]
            if "recording" not in a["key"] and not a["key"].startswith("piopiy_lab")
        ]
        kept.append({**span, "events": []})
    return rewritten(path, kept)


def test_what_was_written_is_read_back_whole(booking, truth, otlp):
    call = Call.from_pipecat(booking / "call.wav", otlp)
    assert call.turns == truth.turns
    assert call.transcript == truth.transcript
    assert [e.words for e in call.transcript] == [e.words for e in truth.transcript]
    assert call.tool_calls == truth.tool_calls
    assert call.context == truth.context
    assert call.end_reason == truth.end_reason
    assert call.call_id == truth.call_id
    assert call.services == truth.services
    assert np.array_equal(call.recording, truth.recording)
    left_out = (events.VADSampled, events.LevelMeasured, events.NoticeGiven)
    steps = (events.CallerStepStarted, events.CallerStepFinished)
    assert [e for e in call.events if not isinstance(e, left_out)] == [
        e for e in truth.events if not isinstance(e, (*left_out, *steps))
    ]
    again = Call.from_pipecat(None, call.save_otlp(otlp.with_name("again.json")))
    assert again.transcript == truth.transcript


@needs_proto
def test_an_outside_reader_reads_it(truth, otlp):
    from google.protobuf.json_format import Parse
    from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

    document = json.loads(otlp.read_text())
    for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name in ("traceId", "spanId", "parentSpanId"):  # OTLP's hex; protobuf's JSON has base64
            if name in span:
                span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    data = Parse(json.dumps(document), TracesData())
    (scope,) = data.resource_spans[0].scope_spans
    spans = {span.span_id: span for span in scope.spans}
    root = next(span for span in scope.spans if span.name == "conversation")
    assert len({span.trace_id for span in scope.spans}) == 1
    assert len(root.trace_id) == 16
    assert root.kind == Span.SpanKind.SPAN_KIND_INTERNAL
    assert (root.end_time_unix_nano - root.start_time_unix_nano) / 1e9 == truth.duration
    for span in scope.spans:
        assert span is root or spans[span.parent_span_id].name in ("conversation", "turn")
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    (tool,) = [span for span in scope.spans if span.name == "tool_call"]
    told = {a.key: a.value.string_value for a in tool.attributes}
    assert told["gen_ai.tool.name"] == "book_table"
    assert json.loads(told["gen_ai.tool.call.arguments"])["day"] == "friday"
    assert json.loads(told["gen_ai.tool.call.result"])["status"] == "booked"


def test_the_spans_are_pipecats(otlp):
    """The names of pipecat/utils/tracing: service_attributes.py and turn_trace_observer.py."""
    spans = spans_in(otlp)
    root = attributes_of(spans[0])
    assert (root["conversation.type"], root["ls_audio_recording_start_offset_ms"]) == ("voice", 0.0)
    began = int(spans[0]["startTimeUnixNano"]) / 1e9
    assert root["audio_recording_started_at"] == began
    turns = [attributes_of(span) for span in spans if span["name"] == "turn"]
    assert [turn["turn.number"] for turn in turns] == ["1", "2", "3", "4", "5"]
    assert [turn["turn.was_interrupted"] for turn in turns] == [False, True, False, False, False]
    assert turns[1]["turn.user_bot_latency_seconds"] == pytest.approx(0.275, abs=0.001)
    of = {name: [attributes_of(s) for s in spans if s["name"] == name] for name in
          ("stt", "llm", "tts")}  # fmt: skip
    assert of["stt"][1]["transcript"] == "no make it friday"
    assert of["stt"][1]["gen_ai.operation.name"] == "stt"
    assert of["stt"][1]["gen_ai.provider.name"] == "phrase"
    assert of["llm"][0]["output"] == "A table for two tomorrow at seven. What name is it under?"
    assert json.loads(of["llm"][1]["input"])[-1]["content"] == "no make it friday"
    assert of["llm"][1]["gen_ai.usage.input_tokens"] == "28"
    assert of["tts"][1]["text"] == "A table for two tomorrow at seven."
    assert (of["tts"][1]["tts.interrupted"], of["tts"][1]["voice_id"]) == (True, "agent")
    assert of["tts"][1]["gen_ai.speech.voice"] == "agent"


@pytest.mark.parametrize("tools", [True, False])
def test_what_pipecat_writes_becomes_the_call(booking, truth, otlp, notices, tools):
    call = Call.from_pipecat(booking / "call.wav", as_pipecat_writes(otlp, tools))
    assert [(e.role, e.text, e.interrupted) for e in call.transcript] == [
        (e.role, e.text, e.interrupted) for e in truth.transcript
    ]
    assert call.context == truth.context
    (tool,), (true,) = call.tool_calls, truth.tool_calls
    assert (tool.name, tool.arguments, tool.result) == (true.name, true.arguments, true.result)
    assert tool.start == pytest.approx(true.start, abs=CLOSE)
    for turn, was in zip(call.turns, truth.turns, strict=True):
        assert (turn.user, turn.assistant) == (was.user, was.assistant)
        assert turn.total == pytest.approx(was.total, abs=CLOSE)
    told = notices(call)
    assert "when the recording began is fitted: 9 of 9 stt and tts spans" in told
    assert ("no times of the 1 tools" in told) is not tools


def test_its_replay_on_the_same_agent_takes_the_same_course(booking, otlp):
    """Of a stereo recording at 24 kHz and spans; the caller's side is fed at 16 kHz again."""
    call = Call.from_pipecat(booking / "call.wav", as_pipecat_writes(otlp))
    replay = asyncio.run(call.replay(desk_session))
    assert replay.divergence is None
    assert [e.text for e in replay.call.transcript] == [e.text for e in call.transcript]


def test_a_recording_that_began_later_finds_its_place(booking, truth, otlp, tmp_path):
    import soundfile

    later = tmp_path / "later.wav"
    soundfile.write(later, np.asarray(truth.recording)[3 * 24000 :], 24000)
    call = Call.from_pipecat(later, as_pipecat_writes(otlp))
    (spoke, *_) = truth.events.of(events.CallerSpoke)
    assert call.events.of(events.CallerSpoke)[0].at == pytest.approx(spoke.at - 3, abs=CLOSE)
    assert call.transcript[1].text == spoke.text
    began = int(spans_in(otlp)[0]["startTimeUnixNano"]) / 1e9
    told = Call.from_pipecat(later, otlp, recording_started=began + 3)
    assert told.transcript == call.transcript
    with pytest.raises(ForeignCallError, match=r"recording_started=3.0 is \d+ s from"):
        Call.from_pipecat(later, otlp, recording_started=3.0)


def test_without_a_recording_the_spans_say_what_they_can(truth, otlp, notices):
    call = Call.from_pipecat(None, as_pipecat_writes(otlp))
    assert [(e.role, e.text) for e in call.transcript] == [
        (e.role, e.text) for e in truth.transcript
    ]
    assert [turn.total for turn in call.turns] == pytest.approx(
        [turn.total for turn in truth.turns], abs=0.001
    )
    assert "no sound: when each side was heard is guessed" in notices(call)


def test_a_collectors_lines_are_read_and_a_conversation_is_chosen(booking, truth, otlp):
    document = json.loads(otlp.read_text())
    other = json.loads(otlp.read_text().replace("sim-1", "sim-2"))
    for span in other["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        span["traceId"] = "ab" * 16
    otlp.write_text(f"{json.dumps(document)}\n{json.dumps(other)}\n")
    with pytest.raises(ForeignCallError, match="2 conversations: name one, conversation_id='sim-1"):
        Call.from_pipecat(None, otlp)
    with pytest.raises(ForeignCallError, match="no conversation 'x' in the spans"):
        Call.from_pipecat(None, otlp, conversation_id="x")
    call = Call.from_pipecat(booking / "call.wav", otlp, conversation_id="sim-2")
    assert (call.call_id, call.turns) == ("sim-2", truth.turns)


def test_no_secret_is_written(truth, tmp_path):
    secret = "sk-proj-abcdefghijklmnopqrstuvwx0123456789"
    log = EventLog()
    for event in truth.events:
        if isinstance(event, events.LLMResponseStopped):
            for piece in ("it is ", secret[:12], secret[12:]):
                log.append(events.LLMTextGenerated(at=event.at, text=piece))
        log.append(event)
    called = truth.events.of(events.ToolCalled)[0]
    login = {"api_key": "hunter2hunter2", "note": f"Bearer {secret}"}
    log.append(events.ToolCalled(at=called.at, name="login", arguments=login, number=2))
    meta = {**truth.meta, "services": {"llm": {"class": "X", "api_key": "hunter2hunter2"}}}
    call = Call(log, truth.sample_source, None, meta)
    text = call.save_otlp(tmp_path / "t.json").read_text()
    assert secret not in text
    assert secret[12:] not in text
    assert "hunter2hunter2" not in text
    assert "it is " in text


def test_keys_switches_errors_and_tools_come_back_too(tmp_path):
    made = booking_call()
    rate, sound = made.sample_source.sample_rate, made.sample_source.samples()
    sides = Sides(sound[:, 0].copy(), rate, sound[:, 1].copy(), rate)
    call = Call(made.events, KeptSamples(sides), None, {"call_id": "made"})
    back = Call.from_pipecat(None, call.save_otlp(tmp_path / "t.json"))
    kinds = (events.DTMFReceived, events.ServiceSwitched, events.ErrorOccurred)
    assert back.events.of(*kinds, events.SettingsChanged) == call.events.of(
        *kinds, events.SettingsChanged
    )
    assert (back.transcript, back.turns) == (call.transcript, call.turns)
    assert back.tool_calls == call.tool_calls
    assert back.tool_calls


def test_a_file_that_is_there_is_kept(otlp, truth, tmp_path):
    with pytest.raises(SavedCallError, match="is there already; give another name"):
        truth.save_otlp(otlp)
    assert truth.save_otlp(otlp, overwrite=True) == otlp
    (tmp_path / "file").write_text("")
    with pytest.raises(SavedCallError, match="can't be written"):
        truth.save_otlp(tmp_path / "file" / "t.json")


def test_a_call_of_nothing_is_written_too(tmp_path):
    nothing = KeptSamples(Sides(np.zeros(0, np.int16), 16000, np.zeros(0, np.int16), 16000))
    path = Call(empty_call().events, nothing, None, {}).save_otlp(tmp_path / "t.json")
    assert [span["name"] for span in spans_in(path)] == ["conversation", "turn"]
    assert Call.from_pipecat(None, path).end_reason == "cancelled"


# --- bad input ------------------------------------------------------------------------------


def broken(path, **fields):
    spans = spans_in(path)
    spans[3] = {k: v for k, v in {**spans[3], **fields}.items() if v is not None}
    return rewritten(path, spans)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"startTimeUnixNano": None}, "span 4 .* has no startTimeUnixNano"),
        ({"startTimeUnixNano": "soon"}, "is 'soon', and not a whole number"),
        ({"endTimeUnixNano": "5"}, "ends .* s before it begins"),
        ({"name": None}, "which has no name"),
        ({"attributes": [{"value": {}}]}, "has no key"),
    ],
)
def test_a_span_that_cannot_be_read_is_named(otlp, fields, match):
    with pytest.raises(ForeignCallError, match=match):
        Call.from_pipecat(None, broken(otlp, **fields))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("RIFF....WAVE", "line 1 of .* is no JSON"),
        ("[1, 2]", "holds 1: OTLP's JSON is wanted"),
        ('{"data": []}', "holds an object with 'data'"),
        ('{"resourceSpans": []}', "has no spans"),
        ('{"resourceSpans": [7]}', "can't be read"),
        (
            '{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "GET", '
            '"startTimeUnixNano": "1", "endTimeUnixNano": 2}]}]}]}',
            "none of the spans is pipecat's .* there are GET",
        ),
    ],
)
def test_another_file_is_refused(tmp_path, text, match):
    path = tmp_path / "spans.json"
    path.write_text(text)
    with pytest.raises(ForeignCallError, match=match):
        Call.from_pipecat(None, path)


def test_the_files_in_the_other_order_are_refused(booking, otlp):
    with pytest.raises(ForeignCallError, match="are the files in the other order"):
        Call.from_pipecat(otlp, booking / "call.wav")
