"""The session callback contract: which fields ``create_session`` takes, and metadata's forms."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from piopiy_lab.errors import ArgumentTypeError

#: The fields that a callback may take, by name.
FIELDS = ("agent_id", "call_id", "from_number", "to_number", "metadata")

SessionCallback = Callable[..., Awaitable[Any]]


def check_callback(create_session: object) -> None:
    """Check that this is an async callback whose parameters can be filled.

    Raises:
        ArgumentTypeError: Not callable, not async, or it asks for a field that doesn't exist.
    """
    if not callable(create_session):
        raise ArgumentTypeError(
            f"create_session must be an async function, got {create_session!r}: "
            "write 'async def create_session(call_id): ...' and pass it without calling it"
        )
    if not (
        inspect.iscoroutinefunction(create_session)
        or inspect.iscoroutinefunction(getattr(create_session, "__call__", None))  # noqa: B004 - an object with an async __call__
        or inspect.iscoroutinefunction(getattr(create_session, "func", None))  # a partial
    ):
        raise ArgumentTypeError(
            f"{_name(create_session)} is not async: write 'async def {_name(create_session)}(...)'"
        )
    for parameter in _parameters(create_session):
        required = parameter.default is parameter.empty
        plain = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if required and (
            (plain and parameter.name not in FIELDS) or parameter.kind is parameter.POSITIONAL_ONLY
        ):
            raise ArgumentTypeError(
                f"{_name(create_session)} asks for {parameter.name!r}, which no call has; "
                f"a session callback may take: {', '.join(FIELDS)}"
            )


def supported_fields(
    create_session: SessionCallback, fields: Mapping[str, object]
) -> dict[str, object]:
    """Return those of ``fields`` that the callback's signature has.

    A callback with ``**kwargs`` gets every field that the call has, so ``kwargs.get("metadata",
    {})`` works. (The reference SDK passes it none.) A field that the call doesn't have (None)
    leaves a parameter's own default alone; a parameter without one gets the None.
    """
    parameters = _parameters(create_session)
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    required = {
        parameter.name: parameter.default is parameter.empty
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    return {
        name: value
        for name, value in fields.items()
        if (required.get(name, False) if value is None else takes_all or name in required)
    }


def parse_metadata(metadata: object) -> object:
    r"""Turn metadata into a JSON value when it is one.

    Seen on the platform: a JSON string, a JSON string of a JSON string, one whose braces are
    escaped as ``\{ \}``, plain text (stays a string), a dict or list (as it is), and nothing.
    """
    if not isinstance(metadata, str):
        return metadata
    text = metadata.strip()
    if not text:
        return None
    for candidate in (text, _unescape_braces(text)):
        try:
            value = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(value, str):  # encoded twice
            inner = parse_metadata(value)
            return inner if isinstance(inner, dict | list) else metadata
        return value if isinstance(value, dict | list) else metadata
    return metadata


def _unescape_braces(text: str) -> str:
    r"""Take the backslash from ``\{ \}`` outside of JSON strings' own escapes (``\\}`` stays)."""
    out: list[str] = []
    index = 0
    while index < len(text):
        pair = text[index : index + 2]
        if pair == "\\\\":
            out.append(pair)
            index += 2
        elif pair in ("\\{", "\\}", "\\[", "\\]"):
            out.append(pair[1])
            index += 2
        else:
            out.append(text[index])
            index += 1
    return "".join(out)


def _parameters(function: Callable[..., object]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _name(function: object) -> str:
    return getattr(function, "__name__", type(function).__name__)
