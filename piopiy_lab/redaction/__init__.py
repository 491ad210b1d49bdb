"""Keeping secrets and other people's control characters out of what is written and shown.

Three rules. A value whose *name* says that it is a secret (``api_key``, ``Authorization``) is
removed whatever it looks like, in a mapping and in a text (``--token=...``, ``"password": ...``);
token *counts* (``prompt_tokens: 12``) stay. A text that *looks* like a secret (``sk-...``,
``Bearer ...``, a JWT, the user of an address) is removed wherever it stands. And a *value* that is
known to be one (the agent's own token) is removed from every text.

What peers say is cut before it is looked at, and shown on one line of visible characters. All of
it is pure but for the known values, takes time in proportion to the text, and runs on any thread.
"""

from __future__ import annotations

from piopiy_lab.redaction.addresses import goes_in_the_clear as goes_in_the_clear
from piopiy_lab.redaction.addresses import shown_url as shown_url
from piopiy_lab.redaction.known import keep_secret as keep_secret
from piopiy_lab.redaction.texts import REMOVED as REMOVED
from piopiy_lab.redaction.texts import redact_text as redact_text
from piopiy_lab.redaction.values import JsonObject as JsonObject
from piopiy_lab.redaction.values import redact as redact
from piopiy_lab.redaction.values import redact_line as redact_line
from piopiy_lab.redaction.visible import made_valid as made_valid
from piopiy_lab.redaction.visible import shown as shown
from piopiy_lab.redaction.visible import told as told
from piopiy_lab.redaction.visible import visible as visible
from piopiy_lab.redaction.visible import visible_lines as visible_lines

__all__ = [
    "REMOVED",
    "JsonObject",
    "goes_in_the_clear",
    "keep_secret",
    "made_valid",
    "redact",
    "redact_line",
    "redact_text",
    "shown",
    "shown_url",
    "told",
    "visible",
    "visible_lines",
]
