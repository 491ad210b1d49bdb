"""Values as Python writes them. Pure."""

from __future__ import annotations

from piopiy_lab.redaction import redact_text


def literal(text: str) -> str:
    """Return a text as Python writes it, in double quotes; what can't be seen is escaped."""
    return '"' + "".join(_escaped(one) for one in text) + '"'


def _escaped(one: str) -> str:
    if one in '\\"':
        return "\\" + one
    return one if one.isprintable() else repr(one)[1:-1]


def value(given: object) -> str:
    """Return a value as Python writes it, without secrets."""
    return literal(redact_text(given)) if isinstance(given, str) else repr(given)
