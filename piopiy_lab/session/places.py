"""Where a session callback stands, for whoever wants to call it another time. Pure."""

from __future__ import annotations

import sys
from pathlib import Path


def place_of(session: object) -> str | None:
    """Return a session callback's or bot's place, ``module:function``; None if it has none."""
    session = getattr(session, "bot", session)
    module, name = getattr(session, "__module__", None), getattr(session, "__qualname__", None)
    if module == "__main__":
        file = getattr(sys.modules["__main__"], "__file__", None)
        module = None if file is None else Path(file).stem
    return None if not module or not name or "<" in name else f"{module}:{name}"
