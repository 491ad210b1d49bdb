"""``Call.from_vapi``: Vapi's call JSON, or its end-of-call report, and a recording.

Fields: ``types/artifact.py``, ``user_message.py``, ``tool_call_message.py`` and the like of Vapi's
server-sdk-python. Units are not stated for ``time`` and the latencies, so they are judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

from piopiy_lab.checks.json_values import Record
from piopiy_lab.elsewhere.building import build
from piopiy_lab.elsewhere.draft import Draft, Said, ToolUse
from piopiy_lab.elsewhere.json_files import (
    from_json_text,
    need,
    need_number,
    need_objects,
    need_text,
    number_or_none,
    objects_in,
    read_object,
)
from piopiy_lab.elsewhere.measured import measure
from piopiy_lab.elsewhere.sounds import Given, read_sides
from piopiy_lab.errors import ForeignCallError
from piopiy_lab.events.values import EndReason
from piopiy_lab.redaction import JsonObject

if TYPE_CHECKING:
    from piopiy_lab.call.call import Call

C = TypeVar("C", bound="Call")

_ENDED: dict[str, EndReason] = {
    "customer-ended-call": "caller_hung_up",
    "assistant-ended-call": "agent_ended",
    "assistant-said-end-call-phrase": "agent_ended",
    "assistant-forwarded-call": "agent_ended",
    "silence-timed-out": "idle_timeout",
    "exceeded-max-duration": "hung_up",
    "manually-canceled": "cancelled",
}
_LATENCIES = (
    "turnLatency",
    "endpointingLatency",
    "transcriberLatency",
    "modelLatency",
    "voiceLatency",
)
#: A time of the wall clock above this is in milliseconds: in seconds it would be in the year 5138.
MILLIS_FROM = 1e11
#: Two lengths of a message that differ by less are the same, in seconds.
SAME_SECS = 0.5
#: A turn's latency above this is in milliseconds.
LONGEST_LATENCY_SECS = 20.0


def from_vapi(
    make: type[C],
    call: str | PathLike[str] | JsonObject,
    recording: Given,
    *,
    recogniser: Any = None,
    caller_channel: str | int | None = None,
) -> C:
    """Make a call of Vapi's call JSON and a recording; see ``Call.from_vapi``."""
    told = read_object(call, "Vapi call")
    message = told.get("message")
    told = message if isinstance(message, Mapping) else told
    artifact = need(told, "artifact", "the Vapi call")
    if not isinstance(artifact, Mapping):
        raise ForeignCallError("artifact of the Vapi call is no object")
    messages = need_objects(artifact, "messages", "artifact of the Vapi call")
    sides = read_sides(recording, "left" if caller_channel is None else caller_channel)
    draft = Draft("vapi", meta=_meta(told), either_side=caller_channel is None)
    _read(draft, messages)
    _measured(draft, artifact)
    _end(draft, told)
    return build(make, draft, sides, recogniser)


def _meta(told: JsonObject) -> Record:
    inner = told.get("call")
    call = inner if isinstance(inner, Mapping) else told
    customer = call.get("customer")
    meta = {
        "call_id": call.get("id") or "vapi",
        "agent_id": call.get("assistantId"),
        "from_number": customer.get("number") if isinstance(customer, Mapping) else None,
        "started_at": call.get("startedAt") or told.get("startedAt"),
        "metadata": call.get("metadata"),
    }
    return {name: value for name, value in meta.items() if value is not None}


def _read(draft: Draft, messages: list[JsonObject]) -> None:
    tools: dict[str, ToolUse] = {}
    lengthless = 0
    for number, message in enumerate(messages, start=1):
        where = f"message {number} of artifact.messages"
        match need_text(message, "role", where):
            case "user" | "bot" | "assistant" as role:
                at = need_number(message, "secondsFromStart", where)
                text = need_text(message, "message", where).strip()
                length = _length_of(message, where)
                lengthless += length is None
                end = at + (0.065 * len(text) if length is None else length)
                if text:
                    draft.said.append(
                        Said("user" if role == "user" else "assistant", text, at, end)
                    )
            case "tool_calls":
                at = max(0.0, need_number(message, "secondsFromStart", where))
                for call in need_objects(message, "toolCalls", where):
                    function = call.get("function")
                    function = function if isinstance(function, Mapping) else call
                    name = need_text(function, "name", f"a tool call of {where}")
                    tool = ToolUse(name, from_json_text(function.get("arguments")), at)
                    tools[str(call.get("id"))] = tool
                    draft.tools.append(tool)
            case "tool_call_result":
                tool = tools.get(need_text(message, "toolCallId", where))
                if tool is not None:
                    tool.end = max(tool.at, need_number(message, "secondsFromStart", where))
                    tool.result = from_json_text(message.get("result"))
            case _:
                pass  # "system": the instructions
    if lengthless:
        draft.notices.append(f"{lengthless} messages say nothing of their length: it is guessed")
    draft.said.sort(key=lambda one: one.start or 0.0)


def _length_of(message: JsonObject, where: str) -> float | None:
    """Return a message's seconds: by its two times, which ``duration`` is compared with."""
    began, ended = number_or_none(message, "time"), number_or_none(message, "endTime")
    length = number_or_none(message, "duration")
    if began is None or ended is None:
        return length
    if ended < began:
        raise ForeignCallError(f"{where} ends at {ended:.0f}, before it begins at {began:.0f}")
    secs = (ended - began) / (1000 if began > MILLIS_FROM else 1)
    if length is not None and abs(length - secs) <= SAME_SECS:
        return length
    return secs  # "duration" may be milliseconds


def _measured(draft: Draft, artifact: JsonObject) -> None:
    metrics = artifact.get("performanceMetrics")
    turns = objects_in(metrics.get("turnLatencies")) if isinstance(metrics, Mapping) else []
    for name in _LATENCIES:
        values = [value for turn in turns if (value := number_or_none(turn, name)) is not None]
        if values:
            factor = 1.0 if max(values) > LONGEST_LATENCY_SECS else 1000.0
            measure(draft, "vapi", name, [value * factor for value in values])


def _end(draft: Draft, told: JsonObject) -> None:
    reason = told.get("endedReason")
    if not isinstance(reason, str):
        draft.notices.append("why the call ended is not in the JSON: taken to be the caller")
        return
    known = [_ENDED[name] for name in _ENDED if reason.startswith(name)]
    draft.end_reason = known[0] if known else "error"
    if draft.end_reason == "error":
        draft.error = f"Vapi: {reason}"
