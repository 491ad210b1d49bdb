"""What ``meta.json`` says of how a call was made. Any thread."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib import metadata

from piopiy_lab._version import __version__


def wall_time() -> str:
    """Return now in UTC, to the second, as ISO 8601 has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def model_of(service: object) -> dict[str, str]:
    """Return a service's model and voice, where it tells them."""
    settings = getattr(service, "settings", None)
    told = {name: getattr(settings, name, None) for name in ("model", "voice")}
    return {name: value for name, value in told.items() if isinstance(value, str)}


def versions() -> dict[str, str]:
    """Return what makes a call here."""
    return {
        "piopiy_lab": __version__,
        "pipecat": metadata.version("pipecat-ai"),
        "python": platform.python_version(),
    }
