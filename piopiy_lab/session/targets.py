"""Where a caller can be transferred to: telephone numbers, extensions and SIP addresses."""

from __future__ import annotations

import re

from piopiy_lab.errors import ArgumentError, ArgumentTypeError

_NUMBER = re.compile(r"\+?\d{2,15}")
_SEPARATORS = re.compile(r"[\s().\-/]+")
_SIP = re.compile(r"sips?:[^\s@]+@[^\s@]+")


def check_target(to: object) -> str:
    """Return where to transfer a call to, without spaces and brackets.

    Args:
        to: A telephone number ("+91 80 1234 5678"), an extension ("204"), or a SIP address
            ("sip:desk@example.com").

    Raises:
        ArgumentTypeError: It is no text.
        ArgumentError: It is none of these.
    """
    if not isinstance(to, str):
        raise ArgumentTypeError(
            f"transfer to {to!r}: give the number as a text, '+918012345678' say"
        )
    text = to.strip()
    number = _SEPARATORS.sub("", text)
    if _NUMBER.fullmatch(number):
        return number
    if _SIP.fullmatch(text):
        return text
    raise ArgumentError(
        f"transfer to {to!r}: that is no number; give one like '+918012345678', an extension like "
        "'204', or a SIP address like 'sip:desk@example.com'"
    )
