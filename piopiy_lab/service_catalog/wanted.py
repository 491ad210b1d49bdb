"""What was asked for: from ``"deepgram/nova-3+openai+cartesia"`` to names, parts and options.

Pure. A part of a stack is ``name``, ``name/part`` (the model of an stt or llm, the voice of a tts)
or ``name/part?option=value&...``; options are fields of the service's settings, or simple
arguments of its constructor. ``%2B`` stands for a plus sign within a part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.events.values import ServiceKind
from piopiy_lab.service_catalog.entries import KINDS, OFFLINE, OFFLINE_REALTIME, catalog

#: The name that stands for "the best of what is usable here".
AUTO = "auto"

_SECRET = re.compile(
    r"(^|[_-])(api)?(key|token|secret|password|credentials?)([_-]|$)", re.IGNORECASE
)


@dataclass(frozen=True)
class Wanted:
    """One service that was asked for."""

    kind: ServiceKind
    name: str
    part: str = ""
    options: Mapping[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        return f"{self.name}/{self.part}" if self.part else self.name


def parse_one(kind: ServiceKind, text: object) -> Wanted:
    """Read one service.

    Raises:
        ArgumentError: It is empty, or an option is no ``name=value`` or would be a key.
        ArgumentTypeError: It is no text.
    """
    if not isinstance(text, str):
        raise ArgumentTypeError(
            f"stack({kind}={type(text).__name__}): give a short name like 'deepgram', or one of "
            "pipecat's services"
        )
    main, _, query = text.strip().partition("?")
    name, _, part = main.partition("/")
    name = name.strip().lower()
    if not name:
        raise ArgumentError(
            f"stack({kind}={text!r}) names no service: give a short name, like 'deepgram' or "
            "'openai/gpt-4o-mini'"
        )
    options: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        option, equals, value = pair.partition("=")
        if not equals or not option.strip():
            raise ArgumentError(
                f"{name}: the option {_hidden(pair)!r} is no name=value; write "
                f"{name}/...?name=value&name=value"
            )
        option = option.strip()
        if _SECRET.search(option):
            raise ArgumentError(
                f"{name}: {option!r} doesn't belong in a stack's name, where it would be shown: "
                "put it into the environment or a .env file"
            )
        options[option] = unquote(value)
    return Wanted(kind, name, unquote(part.strip()), options)


def _hidden(pair: str) -> str:
    return pair if len(pair) <= 20 else f"{pair[:8]}…"  # it may be a key


def parse(text: str) -> list[Wanted]:
    """Read a whole stack: three services, an llm and a tts, or one name.

    Raises:
        ArgumentError: The wrong number of parts, or a name that can't stand alone.
        ArgumentTypeError: It is no text.
    """
    if not isinstance(text, str):
        raise ArgumentTypeError(f"stack({text!r}): give a text like 'deepgram+openai+cartesia'")
    parts = text.split("+")
    if len(parts) == 1:
        return _alone(text)
    if len(parts) == 2:
        return [parse_one("llm", parts[0]), parse_one("tts", parts[1])]
    if len(parts) == 3:
        return [parse_one(kind, part) for kind, part in zip(KINDS, parts, strict=True)]
    raise ArgumentError(
        f"stack({text!r}) has {len(parts)} parts: give three (stt+llm+tts), two (a realtime llm "
        "and a tts) or one; a plus sign within a part is %2B"
    )


def _alone(text: str) -> list[Wanted]:
    one = parse_one("llm", text)
    if one.name == OFFLINE:
        return [Wanted(kind, OFFLINE, one.part, one.options) for kind in KINDS]
    if one.name == AUTO:
        return [Wanted(kind, AUTO, one.part, one.options) for kind in KINDS]
    entry = catalog().entries.get(("llm", one.name))
    if one.name == OFFLINE_REALTIME or (entry is not None and entry.realtime):
        return [one]
    kinds = catalog().kinds_of(one.name)
    if kinds == list(KINDS):
        if one.part or one.options:
            raise ArgumentError(
                f"stack({text!r}): say what the model is of: "
                f"stack(stt={one.name!r}, llm={text.strip()!r}, tts={one.name!r})"
            )
        return [Wanted(kind, one.name) for kind in KINDS]
    if not kinds:
        raise ArgumentError(
            f"stack({text!r}): no service is called {one.name!r}{catalog().near(one.name)}"
        )
    raise ArgumentError(
        f"stack({text!r}): {one.name!r} is {' and '.join(kinds)} only, and a call needs all three: "
        "give stack('stt+llm+tts'), or a realtime llm alone"
    )
