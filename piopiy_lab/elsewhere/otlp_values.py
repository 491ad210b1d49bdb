"""OTLP's JSON: values, times and ids, both ways. Pure.

Ids are hex, names lowerCamelCase, 64-bit numbers decimal texts (opentelemetry-proto, docs and
issue 500).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from piopiy_lab.checks.json_values import Record
from piopiy_lab.checks.texts import shown
from piopiy_lab.errors import ForeignCallError
from piopiy_lab.redaction import JsonObject

#: The name of the scope that our spans are in, and of what only we write.
OURS = "piopiy_lab"
#: How deep a value may be nested.
DEEPEST = 60


def any_value(value: object) -> Record:
    """Return a value of JSON as an ``AnyValue``; an empty one is None."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if abs(value) < 2**63 else {"doubleValue": float(value)}
    if isinstance(value, float):
        return {"doubleValue": value if math.isfinite(value) else str(value)}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": attributes(value)}}
    if isinstance(value, list | tuple):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    return {"stringValue": str(value)}


def attributes(values: Mapping[Any, object]) -> list[Record]:
    """Return a mapping as a list of keys and values."""
    return [{"key": str(name), "value": any_value(value)} for name, value in values.items()]


def plain(value: Any, depth: int = 0) -> Any:
    """Return what an ``AnyValue`` holds.

    Raises:
        ForeignCallError: It is none.
    """
    if not isinstance(value, Mapping) or depth > DEEPEST:
        raise ForeignCallError(f"the attribute value {shown(value)} is no OTLP value")
    for kind, inner in value.items():
        match kind:
            case "stringValue" | "boolValue" | "bytesValue":
                return inner
            case "intValue":
                return _whole(inner, "intValue")
            case "doubleValue":
                return _real(inner)
            case "arrayValue":
                return [plain(item, depth + 1) for item in _values_of(inner)]
            case "kvlistValue":
                return plain_attributes(_values_of(inner), depth + 1)
            case _:
                continue
    return None


def plain_attributes(listed: Any, depth: int = 0) -> Record:
    """Return a list of keys and values as a dict.

    Raises:
        ForeignCallError: It is none.
    """
    found: Record = {}
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, Mapping) or "key" not in item:
            raise ForeignCallError(f"the attribute {shown(item)} has no key")
        found[str(item["key"])] = plain(item.get("value") or {}, depth)
    return found


def nanos(secs: float, zero: int) -> str:
    """Return seconds of the call's clock as nanoseconds of the wall clock.

    Args:
        secs: Seconds.
        zero: The wall clock's nanoseconds at second 0.
    """
    return str(max(0, zero + round(secs * 1e6) * 1000))


def time_of(holder: JsonObject, name: str, where: str) -> int:
    """Return a time in nanoseconds.

    Raises:
        ForeignCallError: It isn't there, or is no time.
    """
    if holder.get(name) is None:
        raise ForeignCallError(f"{where} has no {name}: is it OTLP's JSON (resourceSpans)?")
    return _whole(holder[name], f"{name} of {where}")


def trace_id(seed: str) -> str:
    """Return a trace's id: the same for the same call."""
    return hashlib.sha256(seed.encode()).hexdigest()[:32]


def span_id(trace: str, number: int) -> str:
    """Return the id of a trace's n-th span."""
    return hashlib.sha256(f"{trace}/{number}".encode()).hexdigest()[:16]


def _values_of(inner: Any) -> list[Any]:
    values = inner.get("values") if isinstance(inner, Mapping) else None
    return values if isinstance(values, list) else []


def _real(value: object) -> float | str:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        return float(value)
    except (ValueError, OverflowError):
        raise ForeignCallError(f"doubleValue is {shown(value)}, and not a number") from None


def _whole(value: object, what: str) -> int:
    try:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError
        found = int(value)
        if abs(found) >= 2**63:
            raise ValueError
    except ValueError:
        raise ForeignCallError(f"{what} is {shown(value)}, and not a whole number") from None
    return found
