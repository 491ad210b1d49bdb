"""Which names say that their value is a secret. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

# Matched against a name in lower case without separators, so "API-Key" is "apikey".
_SECRET_NAME = re.compile(
    r"key$|apikey|accesskey|token\d*$|secret(?!ary)|passw|passphrase|passcode|passkey|^pass$|pwd$"
    r"|credential|authoriz|auth$|authheader|authtoken|cookie|bearer|signature|^dsn$|^jwt$|^keys$"
    r"|apikeys$|privatekey"
)
# Names that end like a secret's and hold none.
_HARMLESS_NAME = re.compile(
    r"^(hotkey|monkey|turkey|donkey|whiskey|jockey|hockey)$"
    r"|^(public|primary|foreign|sort|partition|cache|idempotency)key$"
)
# Names that other things have, too: in a text their value must look like a secret's.
_EVERYDAY_NAME = re.compile(r"^(the)?(key|keys|auth|signature|credentials?|pass|cookies?|bearer)$")
# Counts, unless they hold texts.
_PLURAL_NAME = re.compile(r"tokens$")
# What a JSON schema says of a value, without being one.
_SCHEMA_WORDS = {"type", "description", "title", "format", "nullable", "writeOnly", "deprecated"}
_SCHEMA_WORDS |= {"minLength", "maxLength", "pattern", "minimum", "maximum"}

#: What one of the above needs to be in a text at all, in lower case.
WORDS: tuple[str, ...] = (
    "key", "token", "secret", "pass", "pwd", "credential", "auth",
    "cookie", "bearer", "signature", "dsn", "jwt",
)  # fmt: skip
_LONGEST = 64  # characters of a name that are looked at: the last ones, which tell what it is


def kind_of(name: str) -> str:
    """Return "secret", "everyday" (a secret's name, and one of other things), "count" or ""."""
    return _kind_of(name[-_LONGEST:])


@lru_cache(maxsize=2048)
def _kind_of(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if _PLURAL_NAME.search(plain):
        return "count"
    if not _SECRET_NAME.search(plain) or _HARMLESS_NAME.search(plain):
        return ""
    return "everyday" if _EVERYDAY_NAME.search(plain) else "secret"


def is_schema(value: object) -> bool:
    """Return whether a value describes another one (of a tool's parameter), and holds none."""
    return isinstance(value, Mapping) and "type" in value and _SCHEMA_WORDS.issuperset(value)


def may_hold_a_name(text: str) -> bool:
    """Return whether a secret's name could be in a text; quick, and never wrongly False."""
    lower = text.lower()
    for word in WORDS:  # noqa: SIM110 - any() takes three times as long, and every text is asked
        if word in lower:
            return True
    return False
