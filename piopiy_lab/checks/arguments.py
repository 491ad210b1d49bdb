"""Checks of arguments that a user gave: is it a number, seconds, a count, a text?

Pure. Each error shows the argument with its value, as in ``timeout=-1``, or
``Microphone(latency=9)`` where ``of`` names what was called; then what to give.
"""

from __future__ import annotations

import math
from typing import TypeGuard

from piopiy_lab.errors import ArgumentError, ArgumentTypeError


def is_number(value: object) -> TypeGuard[int | float]:
    """Say whether this is a number; a bool is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: object) -> TypeGuard[int]:
    """Say whether this is a whole number; a bool is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_flag(name: str, value: object, *, of: str = "") -> None:
    """Refuse what is neither True nor False.

    Raises:
        ArgumentTypeError: It isn't.
    """
    if not isinstance(value, bool):
        raise ArgumentTypeError(f"{_shown(name, value, of)}: give True or False")


def check_number(name: str, value: object, least: float, most: float, *, of: str = "") -> float:
    """Return a number from ``least`` to ``most``.

    Raises:
        ArgumentTypeError: It is no number.
        ArgumentError: It is out of range.
    """
    if not is_number(value):
        raise ArgumentTypeError(f"{_shown(name, value, of)}: give a number")
    if not least <= value <= most:
        raise ArgumentError(
            f"{_shown(name, value, of)} is out of range: give {least:g} to {most:g}"
        )
    return float(value)


def check_secs(
    name: str,
    value: object,
    *,
    zero: bool,
    endless: bool = False,
    wanted: str | None = None,
    of: str = "",
) -> float:
    """Return a number of seconds.

    Args:
        name: The argument.
        value: What was given.
        zero: Whether it may be 0.
        endless: Whether it may be infinite.
        wanted: What the message says to give.
        of: What was called.

    Raises:
        ArgumentTypeError: It is no number.
        ArgumentError: It is negative, not a number, or one of the two that it may not be.
    """
    if not is_number(value):
        raise ArgumentTypeError(f"{_shown(name, value, of)}: give a number of seconds")
    enough = value >= 0 if zero else value > 0
    if not enough or (math.isinf(value) and not endless):
        wanted = wanted or ("seconds, 0 or more" if zero else "seconds, more than 0")
        raise ArgumentError(f"{_shown(name, value, of)}: give {wanted}")
    return float(value)


def check_count(name: str, value: object, *, least: int, of: str = "") -> None:
    """Refuse what is no whole number from ``least`` on.

    Raises:
        ArgumentTypeError: It is no whole number.
        ArgumentError: It is less.
    """
    if not is_whole(value):
        raise ArgumentTypeError(f"{_shown(name, value, of)}: give a whole number")
    if value < least:
        raise ArgumentError(f"{_shown(name, value, of)}: give {least} or more")


def check_text(name: str, value: object) -> None:
    """Refuse what is no text, or says nothing.

    Raises:
        ArgumentTypeError: It is no text.
        ArgumentError: There is nothing in it.
    """
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{name}={value!r}: give a text")
    if not value.strip():
        raise ArgumentError(f"{name}={value!r} is empty: say something")


def _shown(name: str, value: object, of: str) -> str:
    return f"{of}({name}={value!r})" if of else f"{name}={value!r}"
