"""Placeholder keys: a session written for cloud services can be built in CI without any key.

Providers' clients refuse to be made without a key, even when ``replace=`` puts another service in
their place before they are ever used. While such a simulation runs, provider variables that are
not set hold a placeholder, so that ``os.environ["OPENAI_API_KEY"]`` and the clients' own look-up
find something. A key that is set is never touched.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from piopiy_lab.service_catalog.entries import catalog
from piopiy_lab.service_catalog.environment import PLACEHOLDER

#: The variables of services and clients that are not in the catalog, or are named otherwise there.
PROVIDER_KEYS = ("AZURE_API_KEY", "FAL_KEY", "GEMINI_API_KEY", "LMNT_API_KEY", "PLAYHT_API_KEY")

_lock = threading.Lock()
_users = 0  # simulations that need placeholders now; under _lock
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
            os.environ.update(dict.fromkeys(_placed, PLACEHOLDER))
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                for name in _placed:
                    if os.environ.get(name) == PLACEHOLDER:
                        del os.environ[name]
                _placed.clear()


def _names() -> list[str]:
    """Return the variables that hold keys: ours, and those of every service that has a name."""
    named = {
        variable
        for entry in catalog().entries.values()
        for variable in entry.env.values()
        if variable.endswith("_API_KEY")
    }
    return sorted({*PROVIDER_KEYS, *named})
