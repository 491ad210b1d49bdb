"""Spans out of OTLP's JSON: one object, or one a line, as collectors write files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

from piopiy_lab.checks.json_values import Record
from piopiy_lab.checks.texts import shown
from piopiy_lab.elsewhere.json_files import number_or_none, objects_in, read_text
from piopiy_lab.elsewhere.otlp_values import plain_attributes, time_of
from piopiy_lab.errors import ForeignCallError
from piopiy_lab.redaction import JsonObject

_WANTED = (
    "OTLP's JSON is wanted, {\"resourceSpans\": [...]}, as an OTLP/JSON exporter or a collector's "
    "file exporter writes it"
)


@dataclass
class SpanRead:
    """A span.

    Attributes:
        name: Its name.
        own_id: Its id.
        parent: The id of the one that it is in; "" of a root.
        trace: The id of its trace.
        start: Nanoseconds of the wall clock.
        end: Nanoseconds of the wall clock.
        attributes: Names to values.
        events: Name, nanoseconds and attributes of each.
        error: What its status says that failed.
    """

    name: str
    own_id: str
    parent: str
    trace: str
    start: int
    end: int
    attributes: Record = field(default_factory=Record)
    events: list[tuple[str, int, Record]] = field(default_factory=list[tuple[str, int, Record]])
    error: str | None = None

    def text(self, name: str) -> str:
        """Return an attribute that is a text; "" without it."""
        value = self.attributes.get(name)
        return value.strip() if isinstance(value, str) else ""

    def number(self, name: str) -> float | None:
        """Return an attribute that is a number; None without it."""
        return number_or_none(self.attributes, name)


def read_spans(path: str | PathLike[str]) -> list[SpanRead]:
    """Return a file's spans by the time of their beginning; of one time, in the file's order.

    Raises:
        ForeignCallError: It can't be read, or is something else.
    """
    found = [
        _span(span, number)
        for document in _documents(path)
        for number, span in enumerate(_spans_in(document, path), start=1)
    ]
    if not found:
        raise ForeignCallError(f"{str(path)!r} has no spans: {_WANTED}")
    return sorted(found, key=lambda span: span.start)


def _documents(path: str | PathLike[str]) -> list[JsonObject]:
    text = read_text(path, "file of spans")
    try:
        whole = json.loads(text, parse_constant=str)
        documents = whole if isinstance(whole, list) else [whole]
    except (ValueError, RecursionError) as error:
        documents = []
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                if line.strip():
                    documents.append(json.loads(line, parse_constant=str))
            except (ValueError, RecursionError):
                raise ForeignCallError(
                    f"line {number} of {str(path)!r} is no JSON ({error}): {_WANTED}"
                ) from error
    for document in documents:
        if not isinstance(document, Mapping) or "resourceSpans" not in document:
            keys = ", ".join(map(str, document)) if isinstance(document, Mapping) else ""
            what = f"an object with {shown(keys)}" if keys else shown(document)
            raise ForeignCallError(f"{str(path)!r} holds {what}: {_WANTED}")
    return documents


def _spans_in(document: JsonObject, path: str | PathLike[str]) -> list[JsonObject]:
    try:
        return [
            span
            for resource in document["resourceSpans"]
            for scope in resource.get("scopeSpans") or []
            for span in scope.get("spans") or []
        ]
    except (AttributeError, TypeError) as error:
        raise ForeignCallError(f"the spans of {str(path)!r} can't be read: {_WANTED}") from error


def _span(span: Any, number: int) -> SpanRead:
    where = f"span {number}"
    if not isinstance(span, Mapping) or not isinstance(span.get("name"), str):
        raise ForeignCallError(f"{where} is {shown(span)}, which has no name: {_WANTED}")
    where = f"{where} ({span['name'][:40]!r})"
    start = time_of(span, "startTimeUnixNano", where)
    end = time_of(span, "endTimeUnixNano", where)
    if end < start:
        raise ForeignCallError(f"{where} ends {(start - end) / 1e9:.3f} s before it begins")
    events = [
        (
            str(event.get("name", "")),
            time_of(event, "timeUnixNano", f"an event of {where}"),
            plain_attributes(event.get("attributes")),
        )
        for event in objects_in(span.get("events"))
    ]
    status = span.get("status")
    error = None
    if isinstance(status, Mapping) and status.get("code") in (2, "STATUS_CODE_ERROR"):
        error = str(status.get("message") or "error")
    return SpanRead(
        span["name"], str(span.get("spanId", "")), str(span.get("parentSpanId") or ""),
        str(span.get("traceId", "")), start, end, plain_attributes(span.get("attributes")),
        events, error,
    )  # fmt: skip
