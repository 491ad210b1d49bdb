"""What a live call needs is loaded before its session begins, and not on its loop."""

from __future__ import annotations

import threading

from piopiy_lab.hosting import ready
from piopiy_lab.listening import turn_taking


async def test_models_are_loaded_by_the_rooms_own_function_off_the_loop(monkeypatch):
    threads = []
    monkeypatch.setattr(
        turn_taking, "load_models", lambda: threads.append(threading.current_thread())
    )
    await ready.load_models()
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()
