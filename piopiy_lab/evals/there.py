"""What is there of what an eval file names: packages that can be imported, servers that answer.

Looked at on the calling thread, in real time, before any run.
"""

from __future__ import annotations

import importlib
import importlib.util
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from piopiy_lab.checks.texts import described
from piopiy_lab.redaction import shown_url

Config = Mapping[str, Any]

#: Real seconds that a local model server gets to say that it is there.
REACHED_SECS = 0.5
#: Where pipecat looks for ollama.
OLLAMA = "http://localhost:11434/v1"
#: The services that a file can name: pipecat's module, and the package that it is for.
_SERVICES = {
    "kokoro": ("pipecat.services.kokoro.tts", "kokoro_onnx"),
    "cartesia": ("pipecat.services.cartesia.tts", "aiohttp"),
    "moonshine": ("pipecat.services.moonshine.stt", "moonshine_voice"),
    "whisper": ("pipecat.services.whisper.stt", "faster_whisper"),
}


def lacks(service: object) -> str | None:
    """Return what keeps a service from being used, as in "kokoro <is not installed>".

    None where nothing does, or where it is none of pipecat's: its own error names what there is.
    """
    module, package = _SERVICES.get(str(service).lower(), (None, ""))
    if module is None:
        return None
    try:
        importlib.import_module(module)
    except Exception as error:  # pipecat's modules raise what they like where a package is missing
        broken = f"is installed but broken ({described(_root(error))})"
        return broken if _is_there(package) else "is not installed"
    return None


class Servers:
    """The local model servers that files name, each asked once whether it is there."""

    def __init__(self) -> None:
        """Know of none yet."""
        self._answers: dict[str, bool] = {}  # by address; written by lacks()

    def lacks(self, config: Config) -> str | None:
        """Return where a file's LLM should answer and doesn't; None where it does, or who knows."""
        if config.get("factory") or str(config.get("service", "ollama")).lower() != "ollama":
            return None
        address = str(config.get("endpoint") or OLLAMA)
        if address not in self._answers:
            self._answers[address] = _answers(address)
        return None if self._answers[address] else shown_url(address)


def _answers(address: str) -> bool:
    parts = urlsplit(address)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "localhost", port), REACHED_SECS).close()
    except (OSError, ValueError):
        return False
    return True


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # it was put into sys.modules by hand
        return True


def _root(error: BaseException) -> BaseException:
    """Return what an error began with: pipecat wraps it."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return error
