"""Providers on loopback, for tests: they speak the real ones' protocols, and need no account.

Fakes, and named so: what they recognise, answer and say comes from scripts, rules, the offline
recogniser and espeak-ng. But pipecat's own services talk to them as to the real providers, over
real sockets, and they can be as slow, late, limited or broken as a real one on a bad day. See
``docs/fake_providers.md``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from piopiy_lab.fake_providers.scenario import Scenario

if TYPE_CHECKING:
    from piopiy_lab.fake_providers.cartesia import FakeCartesia
    from piopiy_lab.fake_providers.deepgram import FakeDeepgram
    from piopiy_lab.fake_providers.gemini_live import FakeGeminiLive
    from piopiy_lab.fake_providers.openai_chat import FakeOpenAI
    from piopiy_lab.fake_providers.openai_realtime import FakeOpenAIRealtime
    from piopiy_lab.fake_providers.server import FakeProvider, Received

__all__ = [
    "FakeCartesia",
    "FakeDeepgram",
    "FakeGeminiLive",
    "FakeOpenAI",
    "FakeOpenAIRealtime",
    "FakeProvider",
    "Received",
    "Scenario",
]

_HOME = {
    "FakeCartesia": "cartesia",
    "FakeDeepgram": "deepgram",
    "FakeGeminiLive": "gemini_live",
    "FakeOpenAI": "openai_chat",
    "FakeOpenAIRealtime": "openai_realtime",
    "FakeProvider": "server",
    "Received": "server",
}


def __getattr__(name: str) -> object:
    """Import a provider when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
