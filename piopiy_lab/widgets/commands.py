"""What a page may ask of a call: each message is checked, and becomes one of the Call's commands.

A page is not trusted: a message of the wrong shape is answered with a refusal, and so is a command
that the call refuses (it is over, a setting is out of range). Nothing raises. Runs on whichever
thread the widget's messages come on; the Call's commands return at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from piopiy_lab.call.call import Call
from piopiy_lab.checks.arguments import is_number
from piopiy_lab.errors import PiopiyLabError

#: The longest text that a page may send, in characters.
MOST_TEXT = 20_000


def obey(call: Call, message: Any) -> dict[str, object] | None:
    """Do what a page asks for.

    Args:
        call: The call that the page shows.
        message: ``{"kind": ..., ...}``; see :data:`_COMMANDS`.

    Returns:
        A refusal, ``{"kind": "refused", "what": ..., "why": ...}``, or None.
    """
    kind = message.get("kind") if isinstance(message, Mapping) else None
    command = _COMMANDS.get(kind) if isinstance(kind, str) else None
    if command is None:
        return _refused(str(kind)[:40], "the page asked for something that is not known here")
    try:
        command(call, message)
    except _ShapeError as error:
        return _refused(str(kind), f"the page sent {error}")
    except PiopiyLabError as error:
        return _refused(str(kind), str(error))
    return None


def _refused(what: str, why: str) -> dict[str, object]:
    return {"kind": "refused", "what": what, "why": why}


class _ShapeError(Exception):
    """A message's field is not what it should be."""


def _text(message: Mapping[str, object], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > MOST_TEXT:
        raise _ShapeError(f"no usable text as {name!r}")
    return value


def _flag(message: Mapping[str, object], name: str) -> bool:
    value = message.get(name)
    if not isinstance(value, bool):
        raise _ShapeError(f"neither true nor false as {name!r}")
    return value


def _settings(message: Mapping[str, object]) -> dict[str, float]:
    values = message.get("settings")
    if not isinstance(values, Mapping) or not 0 < len(values) <= 16:
        raise _ShapeError("no usable settings")
    settings: dict[str, float] = {}
    for name, value in values.items():
        if not isinstance(name, str) or not is_number(value) or not math.isfinite(value):
            raise _ShapeError(f"no number as {name!r}")
        settings[name] = value
    return settings


def _instruct(call: Call, message: Mapping[str, object]) -> None:
    text = _text(message, "text")
    if call.agent is None:
        raise PiopiyLabError("no agent is there yet, or any more: its instructions can't be set")
    call.agent.instructions = text


_COMMANDS: dict[str, Callable[[Call, Mapping[str, object]], None]] = {
    "hang_up": lambda call, _: call.hang_up(),
    "interrupt": lambda call, _: call.interrupt(),
    "say": lambda call, m: call.say(_text(m, "text")),
    "user_says": lambda call, m: call.user_says(_text(m, "text")),
    "press": lambda call, m: call.press(_text(m, "digits")),
    "mute": lambda call, m: call.mute(_flag(m, "muted")),
    "tune": lambda call, m: call.tune(**_settings(m)),
    "switch_service": lambda call, m: call.switch_service(_text(m, "service")),
    "instructions": _instruct,
}
