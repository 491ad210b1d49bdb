"""JSON of somebody else's: read with a bound, and its fields asked for by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

from piopiy_lab.checks.arguments import is_number
from piopiy_lab.checks.regular_files import open_regular
from piopiy_lab.checks.texts import shown
from piopiy_lab.errors import ArgumentTypeError, ForeignCallError
from piopiy_lab.redaction import JsonObject

#: Bytes of a file that are read at the most.
LONGEST = 512 << 20
#: What is greater is no number of a call: no time in nanoseconds, even.
GREATEST = 1e20
#: Seconds since 1970: the year 9999 ends.
LATEST = 253_402_300_000.0


def read_text(path: str | PathLike[str], what: str) -> str:
    """Return a text file's text.

    Args:
        path: The file.
        what: How the error names it.

    Raises:
        ForeignCallError: It can't be read, or is no text.
    """
    place = Path(path).expanduser()
    try:
        with open_regular(place) as file:
            data = file.read(LONGEST + 1)
    except OSError as error:
        raise ForeignCallError(
            f"the {what} {str(place)!r} can't be read ({error.strerror or error}); "
            "give the name of a JSON file"
        ) from error
    if len(data) > LONGEST:
        raise ForeignCallError(f"the {what} {str(place)!r} is larger than {LONGEST >> 20} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ForeignCallError(
            f"the {what} {str(place)!r} is no JSON ({error}): are the files in the other order?"
        ) from error


def read_json(path: str | PathLike[str] | Mapping[str, Any], what: str) -> Any:
    """Return what a JSON file holds; a mapping is returned as it is.

    Raises:
        ForeignCallError: It can't be read, or is no JSON.
    """
    if isinstance(path, Mapping):
        return path
    text = read_text(path, what)
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise ForeignCallError(f"the {what} {str(path)!r} is no JSON: {error}") from error


def read_object(path: str | PathLike[str] | Mapping[str, Any], what: str) -> JsonObject:
    """Return the object that a JSON file holds.

    Raises:
        ForeignCallError: It can't be read, or holds something else.
    """
    found = read_json(path, what)
    if not isinstance(found, Mapping):
        raise ForeignCallError(f"the {what} holds {shown(found)}, and not a JSON object")
    return found


def need(holder: JsonObject, name: str, where: str) -> Any:
    """Return a field that has to be there.

    Raises:
        ForeignCallError: It isn't.
    """
    value = holder.get(name)
    if value is None:
        known = ", ".join(sorted(map(str, holder))[:12]) or "nothing"
        raise ForeignCallError(f"{where} has no field {name!r}; it has {known}")
    return value


def need_number(holder: JsonObject, name: str, where: str) -> float:
    """Return a field that has to be there and a number.

    Raises:
        ForeignCallError: It isn't.
    """
    value = number_or_none({name: need(holder, name, where)}, name)
    if value is None:
        raise ForeignCallError(f"{name} of {where} is {shown(holder[name])}, and not a number")
    return value


def need_text(holder: JsonObject, name: str, where: str) -> str:
    """Return a field that has to be there and a text.

    Raises:
        ForeignCallError: It isn't.
    """
    value = need(holder, name, where)
    if not isinstance(value, str):
        raise ForeignCallError(f"{name} of {where} is {shown(value)}, and not a text")
    return value


def need_objects(holder: JsonObject, name: str, where: str) -> list[JsonObject]:
    """Return a field that has to be there and a list of objects.

    Raises:
        ForeignCallError: It isn't.
    """
    value = need(holder, name, where)
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise ForeignCallError(f"{name} of {where} is {shown(value)}, and not a list of objects")
    return value


def number_or_none(holder: JsonObject, name: str) -> float | None:
    """Return a field if it is a number, and one that a time or a measurement can be."""
    value = holder.get(name)
    return float(value) if is_number(value) and abs(value) < GREATEST else None


def from_json_text(value: object) -> Any:
    """Return what a text holds that should be JSON; another text, or value, as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=str)
    except (ValueError, RecursionError):
        return value


def objects_in(values: object) -> list[JsonObject]:
    """Return those of a list that are objects; of something else none."""
    listed = values if isinstance(values, list) else []
    return [value for value in listed if isinstance(value, Mapping)]


def check_began(recording_started: object) -> float | None:
    """Return when a recording began, as it was given.

    Raises:
        ArgumentTypeError: It is no time of the wall clock.
    """
    if recording_started is None:
        return None
    value = number_or_none({"": recording_started}, "")
    if value is None or wall_clock(value) is None:
        raise ArgumentTypeError(
            f"recording_started={shown(recording_started)}: give seconds of the wall clock, as "
            "time.time() has them"
        )
    return value


def wall_clock(secs: float | None) -> str | None:
    """Return seconds since 1970 as ISO 8601; None of what is no time that anybody means."""
    if secs is None or not 0 <= secs < LATEST:
        return None
    return datetime.fromtimestamp(secs, UTC).isoformat()
