"""``Call.from_livekit``: LiveKit Agents' session report, and its recording.

The report is ``JobContext.make_session_report().to_dict()``; its fields are livekit-agents 1.8's
(``voice/report.py``, ``llm/chat_context.py``). Its times are seconds of the wall clock.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from piopiy_lab import events as ev
from piopiy_lab.checks.json_values import Record
from piopiy_lab.elsewhere.building import build
from piopiy_lab.elsewhere.draft import Draft, Said, ToolUse
from piopiy_lab.elsewhere.json_files import (
    check_began,
    from_json_text,
    need,
    need_number,
    need_objects,
    need_text,
    number_or_none,
    objects_in,
    read_object,
    wall_clock,
)
from piopiy_lab.elsewhere.sounds import Given, read_sides
from piopiy_lab.errors import ForeignCallError
from piopiy_lab.events.values import EndReason, Role
from piopiy_lab.redaction import JsonObject

if TYPE_CHECKING:
    from piopiy_lab.call.call import Call

C = TypeVar("C", bound="Call")

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant"}
_ENDED: dict[str, EndReason] = {
    "participant_disconnected": "caller_hung_up",
    "task_completed": "agent_ended",
    "user_initiated": "agent_ended",
    "job_shutdown": "hung_up",
    "error": "error",
}
#: What a message's ``metrics`` may have, all in seconds.
_METRICS = ("e2e_latency", "end_of_turn_delay", "transcription_delay", "llm_node_ttft",
            "tts_node_ttfb", "playback_latency")  # fmt: skip


def from_livekit(
    make: type[C],
    report: str | PathLike[str] | JsonObject,
    recording: Given | None = None,
    *,
    recording_started: float | None = None,
    recogniser: Any = None,
    caller_channel: str | int = "left",
) -> C:
    """Make a call of a session report and a recording; see ``Call.from_livekit``."""
    told = read_object(report, "session report")
    history = need(told, "chat_history", "the session report")
    if not isinstance(history, dict):
        raise ForeignCallError("chat_history of the session report is no object with items")
    items = need_objects(history, "items", "chat_history of the session report")
    zero = check_began(recording_started)
    if zero is None:
        zero = number_or_none(told, "audio_recording_started_at")
    if zero is None:
        raise ForeignCallError(
            "the session report has no audio_recording_started_at, so its times have no place in "
            "the recording: give recording_started=, the time.time() of its beginning"
        )
    sides = read_sides(_recording_of(told, recording), caller_channel)
    draft = Draft("livekit", meta=_meta(told, zero))
    reader = _Reader(draft, zero)
    for number, item in enumerate(items, start=1):
        reader.take(item, f"item {number} of chat_history")
    reader.events(objects_in(told.get("events")))
    _end(draft, told)
    return build(make, draft, sides, recogniser)


def _recording_of(told: JsonObject, recording: Given | None) -> Given:
    if recording is not None:
        return recording
    path = told.get("audio_recording_path")
    if isinstance(path, str) and Path(path).is_file():
        return path
    raise ForeignCallError(
        f"the report's audio_recording_path is {path!r}, which is not here: give the recording, "
        "from_livekit(report, recording)"
    )


def _meta(told: JsonObject, zero: float) -> Record:
    meta = {
        "call_id": told.get("room_id") or told.get("job_id") or "livekit",
        "room_name": told.get("room"),
        "started_at": wall_clock(zero),
        "settings": told.get("options"),
        "usage": told.get("usage"),
    }
    return {name: value for name, value in meta.items() if value is not None}


def _end(draft: Draft, told: JsonObject) -> None:
    closed = [e for e in objects_in(told.get("events")) if e.get("type") == "close"]
    reason = closed[-1].get("reason") if closed else told.get("close_reason")
    if reason is None:
        draft.notices.append("why the call ended is not in the report: taken to be the caller")
        return
    draft.end_reason = _ENDED.get(str(reason), "hung_up")
    if draft.end_reason == "error":
        draft.error = str((closed[-1].get("error") if closed else None) or reason)


class _Reader:
    """Reads items and events into a draft."""

    def __init__(self, draft: Draft, zero: float) -> None:
        self._draft, self._zero = draft, zero
        self._decided: float | None = None  # when the caller's last turn was over
        self._tools: dict[str, ToolUse] = {}

    def _secs(self, epoch: float) -> float:
        return round(epoch - self._zero, 6)

    def take(self, item: JsonObject, where: str) -> None:
        """Take an item of the chat history."""
        kind = item.get("type", "message")
        if kind == "message":
            self._message(item, where)
        elif kind == "function_call":
            at = self._at(item, where)
            arguments = from_json_text(item.get("arguments"))
            tool = ToolUse(need_text(item, "name", where), arguments, at)
            self._tools[need_text(item, "call_id", where)] = tool
            self._draft.tools.append(tool)
        elif kind == "function_call_output":
            tool = self._tools.get(need_text(item, "call_id", where))
            if tool is not None:
                tool.end = max(tool.at, self._at(item, where))
                result = from_json_text(item.get("output"))
                tool.result, tool.error = (
                    (None, str(result)) if item.get("is_error") else (result, None)
                )
        elif kind == "agent_handoff":
            to = item.get("new_agent_id")
            at = self._at(item, where)
            self._draft.events.append(ev.NoticeGiven(at=at, message=f"handed on to agent {to}"))

    def _at(self, item: JsonObject, where: str) -> float:
        return max(0.0, self._secs(need_number(item, "created_at", where)))

    def _message(self, item: JsonObject, where: str) -> None:
        role = _ROLES.get(str(item.get("role")))
        text = _text_of(need(item, "content", where))
        if role is None or not text:
            return
        metrics = item.get("metrics")
        metrics = metrics if isinstance(metrics, dict) else {}
        start, end = (
            None if value is None else self._secs(value)
            for value in (
                number_or_none(metrics, "started_speaking_at"),
                number_or_none(metrics, "stopped_speaking_at"),
            )
        )
        one = Said(role, text, start, end)
        if one.role == "user":
            self._decided = None
            if end is not None:
                delay = number_or_none(metrics, "transcription_delay")
                one.final_at = None if delay is None else end + max(0.0, delay)
                delay = number_or_none(metrics, "end_of_turn_delay")
                one.decided_at = None if delay is None else end + max(0.0, delay)
                later = number_or_none(metrics, "on_user_turn_completed_delay") or 0.0
                self._decided = None if one.decided_at is None else one.decided_at + later
        else:
            one.interrupted = bool(item.get("interrupted"))
            ttft = number_or_none(metrics, "llm_node_ttft")
            if self._decided is not None and ttft is not None:
                one.llm_at = self._decided + ttft
                ttfb = number_or_none(metrics, "tts_node_ttfb")
                one.tts_at = None if ttfb is None else one.llm_at + ttfb
            self._decided = None
        self._draft.said.append(one)
        at = max(0.0, start if one.role == "assistant" and start is not None else end or 0.0)
        for name in _METRICS:
            value = number_or_none(metrics, name)
            if value is not None:
                self._draft.events.append(
                    ev.MetricsReported(at=at, service="livekit", name=name, value=value, unit="s")
                )

    def events(self, told: list[JsonObject]) -> None:
        """Take the report's events."""
        for event in told:
            at = number_or_none(event, "created_at")
            if at is None:
                continue
            secs = max(0.0, self._secs(at))
            if event.get("type") == "eot_prediction":
                probability = number_or_none(event, "probability")
                threshold = number_or_none(event, "threshold")
                if probability is not None:
                    complete = probability >= (0.5 if threshold is None else threshold)
                    self._draft.events.append(
                        ev.TurnPredicted(at=secs, complete=complete, probability=probability)
                    )
            elif event.get("type") == "error":
                message = str(event.get("error"))
                self._draft.events.append(
                    ev.ErrorOccurred(at=secs, message=message, source="livekit")
                )


def _text_of(content: Any) -> str:
    parts: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, dict) and isinstance(part.get("transcript"), str):
            parts.append(part["transcript"])
    return "\n".join(parts).strip()
