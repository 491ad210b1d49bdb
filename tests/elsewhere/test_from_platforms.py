"""What LiveKit, Retell and Vapi write of a call: files of their form, of a call that is known.

The forms are those of ``livekit/agents`` (``voice/report.py``, ``llm/chat_context.py``), of
``retell-python-sdk`` (``types/phone_call_response.py``) and of Vapi's ``server-sdk-python``
(``types/artifact.py`` and the messages' types). No file of a real call was at hand.
"""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import soundfile

from piopiy_lab import Call, events
from piopiy_lab.errors import ForeignCallError

#: Seconds by which what is heard may be off.
CLOSE = 0.03
#: The wall clock when the recording began.
BEGAN = 1_700_000_000.0
WHO = {"user": "user", "assistant": "agent"}


def told_of(call):
    return [(entry.role, entry.text, entry.interrupted) for entry in call.transcript]


def same_call(call, truth):
    """What must be right of every platform's call: words, turns, tools, ends."""
    assert told_of(call) == told_of(truth)
    for turn, was in zip(call.turns, truth.turns, strict=True):
        assert (turn.user, turn.assistant) == (was.user, was.assistant)
        assert turn.total == pytest.approx(was.total, abs=CLOSE)
        assert turn.start == pytest.approx(was.start, abs=CLOSE)
    (tool,), (was,) = call.tool_calls, truth.tool_calls
    assert (tool.name, tool.arguments, tool.result) == (was.name, was.arguments, was.result)
    assert tool.status == "returned"
    assert call.end_reason == "caller_hung_up"
    assert np.array_equal(call.recording, truth.recording)
    assert call.heard.sample_rate == 16000


# --- LiveKit --------------------------------------------------------------------------------


@pytest.fixture
def report(truth, booking):
    spoke = truth.events.of(events.CallerSpoke)
    items = [{"id": "item_0", "type": "message", "role": "system", "content": ["You take"],
              "created_at": BEGAN}]  # fmt: skip
    for number, entry in enumerate(truth.transcript):
        end = entry.end
        metrics = {"started_speaking_at": BEGAN + entry.start}
        if entry.role == "user":
            end = next(e.end for e in spoke if e.text == entry.text)
            metrics |= {"transcription_delay": 0.11, "end_of_turn_delay": 0.13}
        elif number:
            metrics |= {"llm_node_ttft": 0.02, "tts_node_ttfb": 0.01, "e2e_latency": 0.2}
        metrics["stopped_speaking_at"] = BEGAN + end
        item = {"id": f"item_{number + 1}", "type": "message", "content": [entry.text]}
        item |= {"role": entry.role, "interrupted": entry.interrupted, "metrics": metrics}
        items.append({**item, "created_at": BEGAN + end})
    (tool,) = truth.tool_calls
    call = {"type": "function_call", "call_id": "c1", "name": tool.name,
            "arguments": json.dumps(tool.arguments), "created_at": BEGAN + tool.start}  # fmt: skip
    done = {"type": "function_call_output", "call_id": "c1", "name": tool.name, "is_error": False,
            "output": json.dumps(tool.result), "created_at": BEGAN + tool.end}  # fmt: skip
    return {
        "job_id": "AJ_1", "room_id": "RM_1", "room": "desk",
        "audio_recording_path": str(booking / "call.wav"),
        "audio_recording_started_at": BEGAN,
        "options": {"min_endpointing_delay": 0.5, "allow_interruptions": True},
        "chat_history": {"items": [*items[:-1], call, done, items[-1]]},
        "events": [
            {"type": "eot_prediction", "probability": 0.8, "threshold": 0.3,
             "created_at": BEGAN + 6.0},
            {"type": "close", "reason": "participant_disconnected", "created_at": BEGAN + 22.7},
        ],
        "timestamp": BEGAN + 23, "usage": None,
    }  # fmt: skip


def test_livekits_report_becomes_the_call(report, truth, tmp_path):
    path = tmp_path / "session_report.json"
    path.write_text(json.dumps(report))
    call = Call.from_livekit(path)
    same_call(call, truth)
    assert call.call_id == "RM_1"
    for turn in call.turns:
        assert turn.parts["transcript"] + turn.parts["turn"] == pytest.approx(0.13, abs=CLOSE)
        assert turn.parts["llm"] == pytest.approx(0.02, abs=CLOSE)
        assert turn.parts["tts"] == pytest.approx(0.01, abs=CLOSE)
        assert sum(turn.parts.values()) == pytest.approx(turn.total)
    measured = [e for e in call.events.of(events.MetricsReported) if e.name == "e2e_latency"]
    assert [e.value for e in measured] == [0.2] * 4
    (predicted,) = call.events.of(events.TurnPredicted)
    assert (predicted.at, predicted.complete, predicted.probability) == (6.0, True, 0.8)
    assert call.meta["settings"]["min_endpointing_delay"] == 0.5
    again = Call.load(call.save(tmp_path / "saved"))
    assert again.turns == call.turns


def test_a_failed_tool_and_a_handoff_of_livekits(report, booking, notices):
    items = report["chat_history"]["items"]
    items[-2] |= {"is_error": True, "output": "no table"}
    items.append({"type": "agent_handoff", "new_agent_id": "billing", "created_at": BEGAN + 21})
    report["events"][-1] |= {"reason": "error", "error": "the LLM broke"}
    call = Call.from_livekit(report, booking / "call.wav")
    (tool,) = call.tool_calls
    assert (tool.status, tool.error) == ("failed", "no table")
    assert "handed on to agent billing" in notices(call)
    assert (call.end_reason, str(call.error)) == ("error", "the LLM broke")


def test_a_report_without_speaking_times_goes_by_the_order(report, booking, truth):
    for item in report["chat_history"]["items"]:
        item.pop("metrics", None)
    call = Call.from_livekit(report, booking / "call.wav")
    assert told_of(call) == told_of(truth)


# --- Retell ---------------------------------------------------------------------------------


@pytest.fixture
def retell(truth):
    listed = []
    for entry in truth.transcript:
        words = [{"word": w, "start": round(a, 1), "end": round(b, 1)} for w, a, b in entry.words]
        listed.append({"role": WHO[entry.role], "content": entry.text, "words": words})
    (tool,) = truth.tool_calls
    call = {"role": "tool_call_invocation", "tool_call_id": "t1", "name": tool.name,
            "arguments": json.dumps(tool.arguments)}  # fmt: skip
    result = {"role": "tool_call_result", "tool_call_id": "t1", "successful": True,
              "content": json.dumps(tool.result)}  # fmt: skip
    listed[-1:-1] = [call, result]
    return {
        "event": "call_ended",
        "call": {
            "call_id": "call_1", "agent_id": "agent_1", "from_number": "+4912345",
            "start_timestamp": int(BEGAN * 1000), "disconnection_reason": "user_hangup",
            "transcript_with_tool_calls": listed,
            "latency": {"e2e": {"values": [275, 200, 190, 236], "p50": 218}},
        },
    }  # fmt: skip


def test_retells_webhook_becomes_the_call(retell, booking, truth, tmp_path, notices):
    path = tmp_path / "retell.json"
    path.write_text(json.dumps(retell))
    call = Call.from_retell(path, booking / "call.wav")
    same_call(call, truth)
    assert (call.call_id, call.from_number) == ("call_1", "+4912345")
    assert call.meta["started_at"] == "2023-11-14T22:13:20+00:00"
    assert [w[0] for w in call.transcript[1].words] == truth.transcript[1].text.split()
    measured = call.events.of(events.MetricsReported)
    assert [e.value for e in measured] == [0.275, 0.2, 0.19, 0.236]
    assert [round(e.at, 1) for e in measured] == [6.1, 8.5, 12.3, 17.5]
    assert "no times of tools, keys and transitions" in notices(call)
    (tool,) = call.tool_calls
    assert 17.3 <= tool.start <= tool.end <= 17.54


def test_keys_transfers_and_strangers_of_retells(retell, booking, notices):
    listed = retell["call"]["transcript_with_tool_calls"]
    listed.insert(2, {"role": "dtmf", "digit": "4"})
    listed.append({"role": "transfer_target", "content": "hello", "words": []})
    listed[-2:-2] = [{"role": "node_transition", "new_node_name": "end"}]
    retell["call"] |= {"disconnection_reason": "call_transfer", "transfer_destination": "+4930"}
    call = Call.from_retell(retell, booking / "call.wav")
    assert [e.digit for e in call.events.of(events.DTMFReceived)] == ["4"]
    (done,) = call.events.of(events.TransferFinished)
    assert (done.to, done.status, call.end_reason) == ("+4930", "transferred", "agent_ended")
    assert "went to the node 'end'" in notices(call)
    assert "1 entries are neither the caller's nor the agent's" in notices(call)


def test_the_callers_channel_is_the_one_that_fits(retell, booking, truth, tmp_path, notices):
    other = tmp_path / "other.wav"
    soundfile.write(other, np.asarray(truth.recording)[:, ::-1], 24000)
    call = Call.from_retell(retell["call"], other)
    same_call(call, truth)
    assert "the caller is on the right channel" in notices(call)
    told = notices(Call.from_retell(retell, other, caller_channel="left"))
    assert "try another caller_channel=" in told


def test_retells_failure_is_the_calls_error(retell, booking):
    retell["call"]["disconnection_reason"] = "error_llm_websocket_open"
    call = Call.from_retell(retell, booking / "call.wav")
    assert (call.end_reason, str(call.error)) == ("error", "Retell: error_llm_websocket_open")


# --- Vapi -----------------------------------------------------------------------------------


@pytest.fixture
def vapi(truth):
    messages = [{"role": "system", "message": "You take bookings.", "time": BEGAN * 1000,
                 "secondsFromStart": 0}]  # fmt: skip
    for entry in truth.transcript:
        message = {"role": "user" if entry.role == "user" else "bot", "message": entry.text}
        message |= {"time": (BEGAN + entry.start) * 1000, "endTime": (BEGAN + entry.end) * 1000}
        message |= {"secondsFromStart": round(entry.start, 2)}
        messages.append({**message, "duration": (entry.end - entry.start) * 1000})
    (tool,) = truth.tool_calls
    asked = {"id": "t1", "type": "function"}
    asked["function"] = {"name": tool.name, "arguments": json.dumps(tool.arguments)}
    messages[-1:-1] = [
        {"role": "tool_calls", "toolCalls": [asked], "message": "", "time": 0,
         "secondsFromStart": tool.start},
        {"role": "tool_call_result", "toolCallId": "t1", "name": tool.name, "time": 0,
         "result": json.dumps(tool.result), "secondsFromStart": tool.end},
    ]  # fmt: skip
    latencies = [{"turnLatency": ms, "modelLatency": 1} for ms in (275, 200, 190, 236)]
    return {
        "message": {
            "type": "end-of-call-report", "endedReason": "customer-ended-call",
            "call": {"id": "v1", "customer": {"number": "+4912345"}},
            "artifact": {"messages": messages,
                         "performanceMetrics": {"turnLatencies": latencies}},
        }
    }  # fmt: skip


def test_vapis_report_becomes_the_call(vapi, booking, truth, tmp_path):
    path = tmp_path / "vapi.json"
    path.write_text(json.dumps(vapi))
    call = Call.from_vapi(path, booking / "call.wav")
    same_call(call, truth)
    assert (call.call_id, call.from_number) == ("v1", "+4912345")
    (tool,), (was,) = call.tool_calls, truth.tool_calls
    assert (tool.start, tool.end) == (was.start, was.end)
    turns = [e for e in call.events.of(events.MetricsReported) if e.name == "turnLatency"]
    assert [e.value for e in turns] == [0.275, 0.2, 0.19, 0.236]


def test_vapis_two_files_and_its_call_json(vapi, truth, tmp_path):
    message = vapi["message"]
    told = {"id": "v1", "artifact": message["artifact"], "endedReason": "customer-ended-call"}
    sides = []
    for name, samples in (("caller", truth.recording.caller), ("agent", truth.recording.agent)):
        sides.append(tmp_path / f"{name}.wav")
        soundfile.write(sides[-1], samples, 24000)
    same_call(Call.from_vapi(told, sides), truth)
    told["endedReason"] = "pipeline-error-openai-llm-failed"
    assert str(Call.from_vapi(told, sides).error) == "Vapi: pipeline-error-openai-llm-failed"


def test_vapis_messages_without_lengths_are_said_so(vapi, booking, truth, notices):
    for message in vapi["message"]["artifact"]["messages"]:
        message.pop("endTime", None)
        message.pop("duration", None)
    call = Call.from_vapi(vapi, booking / "call.wav")
    assert told_of(call) == told_of(truth)
    assert "9 messages say nothing of their length" in notices(call)


# --- bad input ------------------------------------------------------------------------------

READERS = {"report": Call.from_livekit, "retell": Call.from_retell, "vapi": Call.from_vapi}


@pytest.mark.parametrize("name", sorted(READERS))
@pytest.mark.parametrize(
    ("text", "match"),
    [("{", "is no JSON"), ("[]", "not a JSON object"), ("{}", "has no field"), (None, "be read")],
)
def test_another_form_of_json_is_refused(name, text, match, booking, tmp_path):
    path = tmp_path / "call.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ForeignCallError, match=match):
        READERS[name](path, booking / "call.wav")


def changed(told, path, value):
    """The JSON with another value somewhere; None takes the field away."""
    told = copy.deepcopy(told)
    *way, last = path
    inner = told
    for step in way:
        inner = inner[step]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return told


ITEMS, LISTED = ("chat_history", "items"), ("call", "transcript_with_tool_calls")
MESSAGES = ("message", "artifact", "messages")


@pytest.mark.parametrize(
    ("name", "path", "value", "match"),
    [
        ("report", ("audio_recording_started_at",), None, "no audio_recording_started_at"),
        ("report", ("audio_recording_started_at",), BEGAN - 9000, "the recording is 22.74 s long"),
        ("report", (*ITEMS, 2, "content"), None, "item 3 of chat_history has no field 'content'"),
        ("report", (*ITEMS, -2, "call_id"), None, "has no field 'call_id'"),
        ("report", (*ITEMS, -2, "created_at"), "noon", "is 'noon', and not a number"),
        ("report", ITEMS, {"a": 1}, "not a list of objects"),
        ("retell", LISTED, [], "transcript is empty"),
        ("retell", (*LISTED, 1, "content"), None, "entry 2 of transcript_with_tool_calls has no"),
        ("retell", (*LISTED, 1, "role"), None, "has no field 'role'"),
        ("retell", (*LISTED, 3, "words"), [{"word": "no", "start": 0.1, "end": 0.2}], "backwards"),
        ("retell", (*LISTED, 3, "words"), [{"word": "no", "start": 99, "end": 99}], "22.74 s long"),
        ("vapi", (*MESSAGES, 1, "secondsFromStart"), None, "no field 'secondsFromStart'"),
        ("vapi", (*MESSAGES, 1, "secondsFromStart"), "0", "and not a number"),
        ("vapi", (*MESSAGES, 1, "endTime"), 5, "before it begins"),
        ("vapi", (*MESSAGES, -1, "secondsFromStart"), 40.0, "the recording is 22.74 s long"),
        ("vapi", (*MESSAGES, -2, "toolCallId"), None, "has no field 'toolCallId'"),
        ("vapi", ("message", "artifact"), "x", "artifact of the Vapi call is no object"),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_named(name, path, value, match, request, booking):
    told = changed(request.getfixturevalue(name), path, value)
    with pytest.raises(ForeignCallError, match=match):
        READERS[name](told, booking / "call.wav")


def test_a_report_whose_recording_is_not_here_is_refused(report):
    report["audio_recording_path"] = "/gone/audio.ogg"
    with pytest.raises(ForeignCallError, match="is '/gone/audio.ogg', which is not here"):
        Call.from_livekit(report)
