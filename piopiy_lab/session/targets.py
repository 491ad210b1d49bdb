"""Where a caller can be transferred to: telephone numbers and SIP addresses."""

from __future__ import annotations

import re

from piopiy_lab.errors import ArgumentError, ArgumentTypeError

_DIGITS = re.compile(r"\+?[0-9]+")
_SEPARATORS = re.compile(r"[\s().\-/]+")
_SIP = re.compile(r"sips?:[^\s@]+@[^\s@]+")
#: Digits of a number with its country code: E.164 allows 15, and no country has fewer than 7.
LEAST_DIGITS, MOST_DIGITS = 7, 15
_WANTED = "give one like '+918012345678', or a SIP address like 'sip:desk@example.com'"


def check_target(to: object) -> str:
    """Return where to transfer a call to, without spaces and brackets.

    Args:
        to: A telephone number with its country code ("+91 80 1234 5678"), or a SIP address
            ("sip:desk@example.com").

    Raises:
        ArgumentTypeError: It is no text.
        ArgumentError: It is neither; an extension ("204") is none.
    """
    if not isinstance(to, str):
        raise ArgumentTypeError(
            f"transfer to {to!r}: give the number as a text, '+918012345678' say"
        )
    text = to.strip()
    if _SIP.fullmatch(text):
        return text
    number = _number(text)
    if number is None:
        raise ArgumentError(f"transfer to {to!r}: that is no number; {_WANTED}")
    digits = number.removeprefix("+")
    if len(digits) < LEAST_DIGITS:
        raise ArgumentError(
            f"transfer to {to!r}: that is an extension, and the platform dials whole numbers, "
            f"country code included; give the number, or the extension's SIP address like "
            f"'sip:{digits}@pbx.example.com'"
        )
    return number


def check_caller_id(caller_id: object) -> str:
    """Return the number that is to be shown, without spaces and brackets.

    Raises:
        ArgumentTypeError: It is no text.
        ArgumentError: It is no number.
    """
    if not isinstance(caller_id, str):
        raise ArgumentTypeError(f"caller_id={caller_id!r}: give the number as a text")
    number = _number(caller_id.strip())
    if number is None:
        raise ArgumentError(
            f"caller_id={caller_id!r} is no number: give one of your account's, '+918012345678' say"
        )
    return number


def is_sip(target: str) -> bool:
    """Whether a checked target is a SIP address."""
    return _SIP.fullmatch(target) is not None


def _number(text: str) -> str | None:
    number = _SEPARATORS.sub("", text)
    many = len(number) > MOST_DIGITS + 1 or len(number.removeprefix("+")) > MOST_DIGITS
    return None if many or not _DIGITS.fullmatch(number) or len(number) < 2 else number
