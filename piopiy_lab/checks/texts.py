"""The texts of things that belong to somebody else: an exception's, a value's. They never fail.

A user's ``__str__`` or ``__repr__`` may raise, go on for megabytes, or differ from run to run; what
is said of it in a message or a log has to be there all the same. Pure; any thread.
"""

from __future__ import annotations

import re
import reprlib

#: The most characters that a message shows of a value.
SHOWN_LENGTH = 100

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # another one in every run
_short = reprlib.Repr()
_short.maxstring = _short.maxother = SHOWN_LENGTH
_short.maxlevel = 3


def text_of(error: BaseException) -> str:
    """Return an exception's message, whatever its ``__str__`` does."""
    try:
        return str(error)
    except Exception as raised:
        return f"(its __str__ raised {type(raised).__name__})"


def described(error: BaseException) -> str:
    """Return an exception's type and message; the type alone if it has no message."""
    text, kind = text_of(error), type(error).__name__
    return f"{kind}: {text}" if text else kind


def shown(value: object, limit: int = SHOWN_LENGTH) -> str:
    """Return a value's ``repr``, short, and the same in every run.

    Args:
        value: The value.
        limit: The most characters.
    """
    try:
        text = _short.repr(value)
    except Exception:  # its own, or Python's of a number with too many digits
        text = f"<{type(value).__name__}>"
    text = _ADDRESS.sub("", text)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
