"""``call.save_otlp``: one OTLP-JSON file for any viewer of traces. No secrets are in it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from piopiy_lab import events as ev
from piopiy_lab._version import __version__
from piopiy_lab.call.event_file import EventFile
from piopiy_lab.checks.json_values import Record
from piopiy_lab.elsewhere.otlp_spans import LEFT_OUT, SpanDraft, Tree
from piopiy_lab.elsewhere.otlp_values import OURS, any_value, attributes, nanos, span_id, trace_id
from piopiy_lab.errors import SavedCallError
from piopiy_lab.redaction import redact, redact_text

if TYPE_CHECKING:
    from piopiy_lab.call.call import Call


def save_otlp(call: Call, path: str | PathLike[str], overwrite: bool = False) -> Path:
    """Write the file; see ``Call.save_otlp``."""
    target = Path(path).expanduser().resolve()
    if target.exists() and not overwrite:
        raise SavedCallError(f"{target} is there already; give another name, or overwrite=True")
    text = json.dumps(_document(call), ensure_ascii=False) + "\n"
    draft = target.with_name(f".{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8", errors="backslashreplace")
        draft.replace(target)
    except OSError as error:
        raise SavedCallError(
            f"{target} can't be written: {error.strerror or error}; give another place"
        ) from error
    return target


def _document(call: Call) -> Record:
    meta: Record = redact(call.meta)
    root = Tree(_clean(call), meta, call.duration).conversation()
    zero = _began(meta, call.duration)
    if call.sample_source.frames:  # the recording begins with the call's clock
        root.attributes["audio_recording_started_at"] = zero / 1e9
        root.attributes["ls_audio_recording_start_offset_ms"] = 0.0
    if call.end_reason is not None:
        root.attributes[f"{OURS}.end_reason"] = call.end_reason
    resource = {
        "service.name": str(meta.get("agent_id") or OURS),
        "telemetry.sdk.name": OURS,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": __version__,
    }
    trace = trace_id(f"{meta.get('call_id')}/{meta.get('started_at')}/{call.duration}")
    scope = {"name": OURS, "version": __version__}
    spans = _Numbered(trace, zero).flat(root, None)
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes(resource)},
                "scopeSpans": [{"scope": scope, "spans": spans}],
            }
        ]
    }


def _clean(call: Call) -> list[ev.Event]:
    """Return the events as a saved log would have them: no secret, split ones neither."""
    with TemporaryDirectory(prefix="piopiy_lab-") as folder:
        place = Path(folder) / "events.jsonl"
        file = EventFile(place)
        try:
            for event in call.events.snapshot():
                if not isinstance(event, LEFT_OUT):
                    file.append(event.to_json())
        finally:
            file.close()
        lines = place.read_bytes().decode("utf-8", "replace").split("\n")
        return [ev.from_json(line) for line in lines if line.strip()]


def _began(meta: Mapping[str, Any], secs: float) -> int:
    """Return the wall clock's nanoseconds when the call began."""
    try:
        return round(datetime.fromisoformat(str(meta.get("started_at"))).timestamp() * 1e6) * 1000
    except (ValueError, OverflowError, OSError):
        return time.time_ns() // 1000 * 1000 - round(secs * 1e6) * 1000


class _Numbered:
    """Gives spans their ids, in the order of the tree."""

    def __init__(self, trace: str, zero: int) -> None:
        self._trace, self._zero, self._count = trace, zero, 0

    def flat(self, span: SpanDraft, parent: str | None) -> list[Record]:
        self._count += 1
        own = span_id(self._trace, self._count)
        written: Record = {"traceId": self._trace, "spanId": own}
        if parent is not None:
            written["parentSpanId"] = parent
        written |= {
            "name": span.name,
            "kind": 1,
            "startTimeUnixNano": nanos(span.start, self._zero),
            "endTimeUnixNano": nanos(span.end, self._zero),
            "attributes": [
                {"key": key, "value": any_value(_unsecret(value))}
                for key, value in span.attributes.items()
            ],
            "events": [
                {
                    "name": name,
                    "timeUnixNano": nanos(at, self._zero),
                    "attributes": attributes(values),
                }
                for name, at, values in span.events
            ],
            "status": {} if span.error is None else {"code": 2, "message": redact_text(span.error)},
        }
        inner = [one for child in span.inner for one in self.flat(child, own)]
        return [written, *inner]


def _unsecret(value: object) -> object:
    """Return a text without secrets: its parts may have been clean, and their sum not."""
    return redact(value) if isinstance(value, str) else value
