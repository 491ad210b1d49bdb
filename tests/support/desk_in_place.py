"""Offline services in the place of those that a bot makes."""

from __future__ import annotations

from collections.abc import Callable

from piopiy_lab import offline_stack


def in_place(kind: str) -> Callable[[], object]:
    """Return a function that makes the booking desk's service of a kind."""
    return lambda: offline_stack()[("stt", "llm", "tts").index(kind)]


REPLACE: dict[str, object] = {
    "stt": "screenplay",
    "llm": in_place("llm"),
    "tts": in_place("tts"),
}
