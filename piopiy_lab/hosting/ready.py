"""What a live call needs, loaded before its session begins, and not on the session's loop.

pipecat imports the adapter of every LLM service when the first one is made: 0.4 s, in which the
calls on the same loop would stand still.
"""

from __future__ import annotations

import asyncio
import importlib

#: What every call needs, and nothing imports before.
MODULES = ("pipecat.adapters.llm.services.open_ai_adapter",)

_done = False


async def load_imports() -> None:
    """Import what the first live call of a process would import on its loop."""
    global _done
    if not _done:
        await asyncio.to_thread(_load)
        _done = True


def _load() -> None:
    for module in MODULES:
        importlib.import_module(module)


async def load_models() -> None:
    """Load the detector and the turn model that calls share, and LiveKit's library."""
    await load_imports()
    await asyncio.to_thread(_load_models)
    from piopiy_lab.transports.room_client import load_library

    await load_library()


def _load_models() -> None:
    from piopiy_lab.listening import turn_taking

    turn_taking.load_models()
    importlib.import_module("piopiy_lab.transports.room")
