"""Takes keys and tokens out of what is written to disk: a pure function over JSON values.

Two rules. A value whose *name* says that it is a secret (``api_key``, ``agentToken``,
``Authorization``) is removed whatever it looks like; token *counts* (``prompt_tokens: 12``) stay.
And a text that *looks* like a secret (``sk-...``, ``Bearer ...``, a JWT) is removed wherever it
stands, in an error message say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

#: A JSON object of somebody else's, read field by field: its shape is known to its reader alone.
JsonObject = Mapping[str, Any]

REMOVED = "[removed]"

# Matched against a name in lower case without separators, so "API-Key" is "apikey".
_SECRET_NAME = re.compile(
    r"key$|apikey|token$|secret(?!ary)|passw|passphrase|^pwd$|credential|authoriz|^auth$|authheader"
    r"|cookie|bearer|signature|^dsn$|^jwt$|^keys$|apikeys$|privatekey"
)
# Names that end like a secret's and hold none.
_HARMLESS_NAME = re.compile(r"^(hotkey|monkey|turkey|donkey|whiskey|jockey|hockey)$")
# Counts, unless they hold texts.
_PLURAL_NAME = re.compile(r"tokens$")

_SECRET_TEXT = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|pplx|hf|ghp|gho|ghs|github_pat|glpat|xox[abposr]|AIza|AKIA|SG|r8|sk_live)"
    r"[-_.]?(?=[\w-]*\d)[A-Za-z0-9_-]{16,}"
    r"|\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?"
    r"|\b(?:Bearer|Basic|Token)\s+(?=[\w.~+/=-]*\d)[A-Za-z0-9._~+/=-]{12,}",
)
_URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@:\"\\]+:[^\s/@\"\\]+@")
_URL_SECRET = re.compile(
    r"([?&](?:[\w-]*(?:key|token|secret(?!ary)|password|signature))=)[^&\s\"'\\#]+", re.IGNORECASE
)


def redact_text(text: str) -> str:
    """Return the text with everything in it that looks like a secret replaced.

    Safe on a line of JSON: it stays JSON.
    """
    text = _SECRET_TEXT.sub(REMOVED, text)
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1{REMOVED}@", text)
    if "=" in text:
        text = _URL_SECRET.sub(rf"\1{REMOVED}", text)
    return text


def redact(value: object) -> Any:
    """Return a copy of a value with secrets removed, made of what JSON can hold.

    Mappings and sequences are walked; paths become text, and anything else that JSON can't hold
    becomes its ``repr``, redacted too.
    """
    if isinstance(value, Mapping):
        return {str(name): _redact_named(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [redact(inner) for inner in items]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact_text(value if isinstance(value, str) else _as_text(value))


def _redact_named(name: str, value: object) -> object:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if _PLURAL_NAME.search(plain):
        return redact(value) if _is_count(value) else REMOVED
    if _SECRET_NAME.search(plain) and not _HARMLESS_NAME.search(plain):
        return value if value is None or isinstance(value, bool) else REMOVED
    return redact(value)


def _is_count(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(_is_count(inner) for inner in value.values())
    return value is None or isinstance(value, bool | int | float)


def _as_text(value: object) -> str:
    return str(value) if isinstance(value, Path) else repr(value)


def shown_url(url: str) -> str:
    """Return an address as it may be shown: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(unreadable)"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
