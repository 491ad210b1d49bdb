"""``Call.from_retell``: Retell's call JSON, or its webhook, and the multi-channel recording.

Fields: ``types/phone_call_response.py`` of retell-python-sdk. Words have times in seconds of the
sound, "more like an approximation"; tools, keys and transfers have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

from piopiy_lab import events as ev
from piopiy_lab.checks.json_values import Record
from piopiy_lab.elsewhere.building import build
from piopiy_lab.elsewhere.draft import Draft, Said, ToolUse, Word
from piopiy_lab.elsewhere.json_files import (
    from_json_text,
    need,
    need_objects,
    need_text,
    number_or_none,
    objects_in,
    read_object,
    wall_clock,
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
    "user_hangup": "caller_hung_up",
    "agent_hangup": "agent_ended",
    "call_transfer": "agent_ended",
    "transfer_bridged": "agent_ended",
    "inactivity": "idle_timeout",
    "max_duration_reached": "hung_up",
    "manual_stopped": "cancelled",
}
#: Where the transcript may be, the fullest first.
_TRANSCRIPTS = (
    "transcript_with_tool_calls",
    "scrubbed_transcript_with_tool_calls",
    "transcript_object",
)
_LATENCIES = ("e2e", "asr", "llm", "tts", "s2s")


def from_retell(
    make: type[C],
    call: str | PathLike[str] | JsonObject,
    recording: Given,
    *,
    recogniser: Any = None,
    caller_channel: str | int | None = None,
) -> C:
    """Make a call of Retell's call JSON and recording; see ``Call.from_retell``."""
    told = read_object(call, "Retell call")
    told = told["call"] if isinstance(told.get("call"), Mapping) else told
    name = next((name for name in _TRANSCRIPTS if told.get(name)), None)
    if name is None:
        need(told, _TRANSCRIPTS[0], "the Retell call")
        raise ForeignCallError("the Retell call's transcript is empty: it may not have ended yet")
    sides = read_sides(recording, "left" if caller_channel is None else caller_channel)
    draft = Draft("retell", meta=_meta(told), either_side=caller_channel is None)
    _Reader(draft).take(need_objects(told, name, "the Retell call"), name)
    latency = told.get("latency")
    latency = latency if isinstance(latency, Mapping) else {}
    for kind in _LATENCIES:
        about = latency.get(kind)
        values = about.get("values") if isinstance(about, Mapping) else None
        if isinstance(values, list):
            measure(draft, "retell", kind, values)
    _end(draft, told)
    return build(make, draft, sides, recogniser)


def _meta(told: JsonObject) -> Record:
    names = ("call_id", "agent_id", "from_number", "to_number", "metadata", "direction")
    meta = {name: told[name] for name in names if told.get(name) is not None}
    began = wall_clock((number_or_none(told, "start_timestamp") or -1.0) / 1000)
    if began is not None:
        meta["started_at"] = began
    return {"call_id": "retell", **meta}


def _end(draft: Draft, told: JsonObject) -> None:
    reason = told.get("disconnection_reason")
    if not isinstance(reason, str):
        draft.notices.append("why the call ended is not in the JSON: taken to be the caller")
        return
    draft.end_reason = _ENDED.get(reason, "error")
    if draft.end_reason == "error":
        draft.error = f"Retell: {reason}"
    to = told.get("transfer_destination")
    if isinstance(to, str) and to:
        last = max((one.end or 0.0 for one in draft.said), default=0.0)
        draft.events += [
            ev.TransferRequested(at=last, to=to, cause="agent"),
            ev.TransferFinished(at=last, to=to, status="transferred"),
        ]


class _Reader:
    """Reads utterances, and gives what has no time one between its neighbours."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._tools: dict[str, ToolUse] = {}
        self._others = 0  # utterances of somebody who is neither

    def take(self, listed: list[JsonObject], name: str) -> None:
        """Take the whole transcript."""
        wheres = [f"entry {number} of {name}" for number in range(1, len(listed) + 1)]
        said = [_said(item, where) for item, where in zip(listed, wheres, strict=True)]
        self._draft.said = [one for one in said if one is not None]
        timeless = 0
        for place, (item, where) in enumerate(zip(listed, wheres, strict=True)):
            if said[place] is None:
                timeless += self._take(item, _between(said, place), where)
        if timeless:
            self._draft.notices.append(
                "no times of tools, keys and transitions: each stands between its neighbours"
            )
        if self._others:
            self._draft.notices.append(
                f"{self._others} entries are neither the caller's nor the agent's, and left out"
            )

    def _take(self, item: JsonObject, at: float, where: str) -> bool:
        match item.get("role"):
            case "tool_call_invocation":
                arguments = from_json_text(item.get("arguments"))
                tool = ToolUse(need_text(item, "name", where), arguments, at)
                self._tools[need_text(item, "tool_call_id", where)] = tool
                self._draft.tools.append(tool)
            case "tool_call_result":
                tool = self._tools.get(need_text(item, "tool_call_id", where))
                if tool is not None:
                    result = from_json_text(item.get("content"))
                    tool.end = max(tool.at, at)
                    failed = item.get("successful") is False
                    tool.result, tool.error = (None, str(result)) if failed else (result, None)
            case "dtmf":
                digit = str(item.get("digit")).strip("\\")[:1]
                if digit and digit in "0123456789*#":
                    self._draft.events.append(ev.DTMFReceived(at=at, digit=digit))
            case "node_transition":
                to = item.get("new_node_name")
                message = f"Retell went to the node {to!r}"
                self._draft.events.append(ev.NoticeGiven(at=at, message=message))
            case "user" | "agent":
                return False  # with nothing said
            case _:
                self._others += 1
                return False
        return True


def _said(item: JsonObject, where: str) -> Said | None:
    role = item.get("role")
    if role not in ("user", "agent"):
        if role is None:
            need(item, "role", where)
        return None
    text = need_text(item, "content", where).strip()
    if not text:
        return None
    words = _words(item.get("words"))
    start = words[0][1] if words else None
    end = words[-1][2] if words else None
    return Said("user" if role == "user" else "assistant", text, start, end, words)


def _words(listed: Any) -> tuple[Word, ...]:
    found: list[Word] = []
    for word in objects_in(listed):
        start, end = number_or_none(word, "start"), number_or_none(word, "end")
        text = word.get("word")
        if start is None or end is None or not isinstance(text, str):
            return ()  # of some words only: of none
        found.append((text.strip(), start, end))
    return tuple(found)


def _between(said: list[Said | None], place: int) -> float:
    """Return a time between the neighbours, in proportion to what else stands there."""
    first = max((i for i in range(place) if said[i] is not None), default=-1)
    last = min((i for i in range(place, len(said)) if said[i] is not None), default=len(said))
    before = said[first] if first >= 0 else None
    after = said[last] if last < len(said) else None
    start = 0.0 if before is None else before.end or before.start or 0.0
    end = start if after is None or after.start is None else max(start, after.start)
    return max(0.0, round(start + (end - start) * (place - first) / (last - first), 6))
