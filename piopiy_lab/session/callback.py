"""The session callback contract: which fields ``create_session`` takes, and metadata's forms."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.events.values import Direction
from piopiy_lab.session.doors import behind
from piopiy_lab.session.signatures import FIELDS, bot_kind, parameters_of

SessionCallback = Callable[..., Awaitable[Any]]


def as_callback(agent: Any) -> SessionCallback:
    """Return the session callback of an agent: the callback itself, or one that runs the bot.

    Args:
        agent: A session callback, ``async def bot(runner_args)`` as pipecat's runner calls it, or
            ``async def bot(transport, call)`` as the vendor's does.

    Raises:
        ArgumentTypeError: Not callable, not async, or it asks for what no call has.
    """
    _check_async(agent)
    if (kind := bot_kind(agent)) is not None:
        return behind("bot")(agent, kind)
    for parameter in parameters_of(agent):
        required = parameter.default is parameter.empty
        plain = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if required and (
            (plain and parameter.name not in FIELDS) or parameter.kind is parameter.POSITIONAL_ONLY
        ):
            raise ArgumentTypeError(
                f"{_name(agent)} asks for {parameter.name!r}, which no call has; "
                f"a session callback may take: {', '.join(FIELDS)}; a bot of pipecat's is "
                "bot(runner_args), the vendor's is bot(transport, call)"
            )
    return agent


def _check_async(agent: object) -> None:
    """Refuse what is no async function, nor an object or a partial that calls one."""
    if not callable(agent):
        raise ArgumentTypeError(
            f"create_session must be an async function, got {agent!r}: "
            "write 'async def create_session(call_id): ...' and pass it without calling it"
        )
    if not (
        inspect.iscoroutinefunction(agent)
        or inspect.iscoroutinefunction(getattr(agent, "__call__", None))  # noqa: B004 - an object with an async __call__
        or inspect.iscoroutinefunction(getattr(agent, "func", None))  # a partial
    ):
        raise ArgumentTypeError(
            f"{_name(agent)} is not async: write 'async def {_name(agent)}(...)'"
        )


def is_bot(create_session: SessionCallback) -> bool:
    """Whether a callback that :func:`as_callback` gave runs a bot."""
    return getattr(create_session, "runs_a_bot", False)


def supported_fields(
    create_session: SessionCallback, fields: Mapping[str, object]
) -> dict[str, object]:
    """Return those of ``fields`` that the callback's signature has.

    A callback with ``**kwargs`` gets every field that the call has, so ``kwargs.get("metadata",
    {})`` works. (The reference SDK passes it none.) A field that the call doesn't have (None)
    leaves a parameter's own default alone; a parameter without one gets the None.
    """
    parameters = parameters_of(create_session)
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


def check_call_details(
    direction: Direction | None,
    variables: Mapping[str, str] | None,
    sip_headers: Mapping[str, str] | None,
) -> None:
    """Check what a callback may be told of its call besides the numbers.

    Raises:
        ArgumentTypeError: Something is no mapping of texts to texts.
        ArgumentError: The direction is neither of the two.
    """
    if direction not in (None, "inbound", "outbound"):
        raise ArgumentError(f"direction={direction!r}: give 'inbound' or 'outbound'")
    for name, given in {"variables": variables, "sip_headers": sip_headers}.items():
        if given is not None and not (
            isinstance(given, Mapping)
            and all(isinstance(text, str) for pair in given.items() for text in pair)
        ):
            raise ArgumentTypeError(f"{name}={given!r}: give a dict of texts to texts")


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


def _name(function: object) -> str:
    return getattr(function, "__name__", type(function).__name__)
