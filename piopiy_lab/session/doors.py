"""What a session needs of rooms above its own: one table, looked up when it is used.

As in ``call.doors``: the ladder of rooms forbids this room to import what stands on it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

#: What is wanted, and the function that gives it: "module:function".
DOORS = {"bot": "piopiy_lab.bots.start:as_session"}


def behind(name: str) -> Callable[..., Any]:
    """Import and return the function behind a door.

    Args:
        name: What is wanted.
    """
    module, _, function = DOORS[name].partition(":")
    return getattr(importlib.import_module(module), function)
