"""Placeholder keys: what was written for cloud services can be built in CI without any key.

Providers' clients refuse to be made without a key, even when ``replace=`` puts another service in
their place before they are ever used. While such a simulation or eval runs, or a bot's call of any
kind, a live one too, the variables that services need (keys, regions, addresses) and that are not
set hold a placeholder, so that ``os.environ["OPENAI_API_KEY"]`` and the clients' own look-up find
something. One that is set is never touched, and nor are those whose client has a file of
credentials.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from piopiy_lab.service_catalog.entries import catalog
from piopiy_lab.service_catalog.environment import PLACEHOLDER, PLACEHOLDER_URL, is_placeholder

#: The variables of services and clients that are not in the catalog, or are named otherwise there.
PROVIDER_KEYS = (
    "AZURE_API_KEY AZURE_OPENAI_API_KEY AZURE_OPENAI_ENDPOINT AZURE_OPENAI_REALTIME_URL "
    "AZURE_REGION AZURE_SPEECH_KEY FAL_KEY GEMINI_API_KEY LMNT_API_KEY PLAYHT_API_KEY "
    "PLAYHT_USER_ID "
    "TWILIO_ACCOUNT_SID TWILIO_AUTH_TOKEN TELNYX_API_KEY PLIVO_AUTH_ID PLIVO_AUTH_TOKEN "
    "DAILY_API_KEY DAILY_ROOM_URL LIVEKIT_URL LIVEKIT_API_KEY LIVEKIT_API_SECRET"
).split()
#: Variables that would hide a client's own file of credentials: the file, by their beginning.
_FILES = {
    "AWS_": "~/.aws/credentials",
    "GOOGLE_APPLICATION_CREDENTIALS": "~/.config/gcloud/application_default_credentials.json",
}

_lock = threading.Lock()
_users = 0  # calls that need placeholders now; under _lock
_placed: list[str] = []  # the variables that hold one; under _lock


@contextmanager
def placeholder_keys() -> Iterator[None]:
    """Let provider variables that are not set hold a placeholder inside of the block.

    Safe to nest and to use from several threads: the last one out takes them away.
    """
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            _placed[:] = [name for name in _names() if not os.environ.get(name)]
            os.environ.update({name: _placeholder(name) for name in _placed})
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                for name in _placed:
                    if is_placeholder(os.environ.get(name)):
                        del os.environ[name]
                _placed.clear()


def _names() -> list[str]:
    """Return the variables of services: ours, and those of every service that has a name."""
    named = {variable for entry in catalog().entries.values() for variable in entry.env.values()}
    return sorted(name for name in {*PROVIDER_KEYS, *named} if not _has_file(name))


def _has_file(name: str) -> bool:
    """Whether a variable that isn't set leaves its client a file of credentials."""
    if name.startswith("AWS_") and os.environ.get("AWS_PROFILE"):
        return True
    files = (file for start, file in _FILES.items() if name.startswith(start))
    return any(Path(file).expanduser().exists() for file in files)


def _placeholder(name: str) -> str:
    """Return what a variable holds: an address where one is wanted, that no client can reach."""
    return PLACEHOLDER_URL if name.endswith(("_URL", "_ENDPOINT")) else PLACEHOLDER
