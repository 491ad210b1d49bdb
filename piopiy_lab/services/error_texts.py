"""What a service's error says to its user: readable words, and what to do.

Providers' errors come as they are: with request headers, random ids, sometimes a key. What is kept
in the log has none of these, so that it is the same in two runs of a simulation and safe to save.
Pure: no pipecat, no I/O; any thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from piopiy_lab.redaction import REMOVED, redact_text

_HEADERS = re.compile(r"headers: \{[^{}]*\},? ?")
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b ?")
# pipecat counts the instances of a class in the whole process: "CartesiaTTSService#3".
_INSTANCE = re.compile(r"\b([A-Za-z]\w*)#\d+")
_STATUS = re.compile(
    r"(?:HTTP|status(?:_code)?:?|Error code:)\s*(\d{3})\b|\bcode['\"]?: ?(\d{3})\b", re.IGNORECASE
)
_CATEGORY_OF = {401: "authentication", 402: "quota", 403: "authorization", 404: "invalid_request"}
_CATEGORY_OF |= {400: "invalid_request", 422: "invalid_request", 429: "rate_limit"}
_BAD_KEY = ("api key not valid", "incorrect api key", "invalid api key", "invalid credentials")
_BROKEN = (
    "provider lost",
    "no close frame",
    "connection error",
    "not connected",
    "connection closed",
    "reconnect",
)
_GARBLED = ("expecting value", "unterminated string", "expecting property", "extra data")

# Providers whose keys have another name than their folder in pipecat.services.
_KEYS = {
    "aws": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "azure": "AZURE_API_KEY or AZURE_SPEECH_API_KEY",
    "google": "GOOGLE_API_KEY or GEMINI_API_KEY",
    "grok": "XAI_API_KEY",
    "qwen": "DASHSCOPE_API_KEY",
}
_NO_KEY = {"kokoro", "moonshine", "ollama", "piper", "pocket_tts", "whisper", "xtts"}

#: Characters of a message that are looked at and kept.
LONGEST = 8000
#: The least characters of a key that is looked for in messages.
_KEY_LENGTH = 6


def explained(frame: Any) -> tuple[str, str | None]:
    """Return the message of pipecat's ErrorFrame, safe to keep, and what to do about it."""
    part = frame.processor
    message = readable(str(frame.error), secrets=secrets_of(part))
    category = None if frame.category is None else frame.category.value
    cls = None if part is None else type(part)
    known = remedy(message, category=category, part=cls)
    return message, known or (None if category == "application" else _lost_in(cls))


def _lost_in(part: type | None) -> str | None:
    """Return where a turn is lost by a service's error of which nothing else is known."""
    bases = [] if part is None else [base.__name__ for base in part.__mro__]
    for base, stage in _STAGES.items():
        if part is not None and base in bases:
            return (
                f"the turn is lost in {stage}: check what {part.__name__} was given, and look at "
                "its own log with piopiy_lab.log('DEBUG')"
            )
    return None


#: pipecat's classes of services, and what each is in a turn.
_STAGES = {"STTService": "the recogniser", "LLMService": "the LLM", "TTSService": "the voice"}


def readable(message: str, *, secrets: Iterable[str] = ()) -> str:
    """Return an error's message without keys, request headers and ids.

    Args:
        message: The message.
        secrets: Texts that must not be in it, such as the service's own key.
    """
    message = message[:LONGEST]
    for secret in secrets:
        if len(secret) >= _KEY_LENGTH:
            message = message.replace(secret, REMOVED)
    message = _HEADERS.sub("", message)
    message = _UUID.sub("", message)
    message = _INSTANCE.sub(r"\1", message)
    return redact_text(message).strip()


def secrets_of(part: object) -> list[str]:
    """Return the keys and tokens that a service holds, as far as its attributes tell.

    Args:
        part: A service, or None.
    """
    held = getattr(part, "__dict__", {})
    return [
        value
        for name, value in held.items()
        if isinstance(value, str) and re.search(r"key|token|secret", name)
    ]


def key_variable(module: str) -> str | None:
    """Return the environment variable that usually holds the key of a pipecat service.

    Args:
        module: The service's module, ``pipecat.services.deepgram.stt`` say.
    """
    match = re.match(r"pipecat\.services\.(\w+)", module)
    if match is None or match[1] in _NO_KEY:
        return None
    return _KEYS.get(match[1], f"{match[1].upper()}_API_KEY")


def remedy(message: str, *, category: str | None, part: type | None) -> str | None:
    """Return what the user can do about a service's error, or None where nothing is known.

    Args:
        message: The error's message.
        category: pipecat's category ("authentication", "rate_limit", ...), if it knows one.
        part: The class that reported it.
    """
    name = "the service" if part is None else part.__name__
    kind = category if category not in (None, "unknown") else _category_in(message)
    if kind == "authentication":
        variable = key_variable("" if part is None else part.__module__)
        where = f" (usually from {variable})" if variable else ""
        return f"the provider refuses the key: check the api_key that {name} was given{where}"
    return _REMEDIES.get(kind or "", "").format(name=name) or None


_REMEDIES = {
    "authorization": "the key is valid, but its account may not use this: look at its plan, and at "
    "the model and voice that {name} asks for",
    "invalid_request": "the provider can't use the request: check the model, voice, language and "
    "settings of {name}",
    "rate_limit": "the provider's limit is reached: make fewer calls at once, wait, or ask the "
    "provider for a higher limit",
    "quota": "the account's credit or quota is used up: look at its billing page",
    "connectivity": "the connection to the provider is broken, and what is said until it is mended "
    "is lost: if it stays so, check the network, a proxy, and base_url or url of {name}",
    "server": "the provider itself fails: wait, or give a second service for it in a "
    "ServiceSwitcher",
    "silent": "the provider took the text and sent no sound: check the voice and the model of "
    "{name}",
    "garbled": "the provider sent what is not its protocol: check that base_url or url of {name} "
    "leads to the provider, and that pipecat-ai is up to date",
}


def _category_in(message: str) -> str | None:
    """Find a category in a message's words."""
    lower = message.lower()
    if any(words in lower for words in _BAD_KEY):
        return "authentication"
    if "exceeded your current quota" in lower:
        return "quota"
    if found := _STATUS.search(message):
        status = int(found[1] or found[2])
        return _CATEGORY_OF.get(status, "server" if status >= 500 else None)
    if "no audio" in lower:
        return "silent"
    if any(words in lower for words in _GARBLED):
        return "garbled"
    if any(words in lower for words in _BROKEN):
        return "connectivity"
    return None
