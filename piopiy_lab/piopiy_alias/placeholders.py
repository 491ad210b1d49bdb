"""Services that the SDK has and pipecat has not: their names, so that a session can be simulated.

A session for ``piopiy.services.opensource.chatterbox.tts.ChatterboxTTSService`` imports and makes
it; ``simulate(..., replace={"tts": ...})`` puts another service in its place. One that is left in
its place is refused by ``Action(...)``, which says what it is (``placeholder_for``).
"""

from __future__ import annotations

import re
import types
from collections.abc import AsyncGenerator
from functools import cache
from typing import Any, ClassVar

from pipecat.frames.frames import Frame
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService


class _Anything(types.SimpleNamespace):
    """Parameters of any name."""


class _Placeholder:
    """What all placeholders have: they take any argument, and do nothing."""

    placeholder_for: ClassVar[str] = ""  # the name that it stands for, with its module
    InputParams: ClassVar[Any] = _Anything

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__()


class _STT(_Placeholder, STTService):
    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Hear nothing: it is never asked to."""
        yield None


class _TTS(_Placeholder, TTSService):
    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Say nothing: it is never asked to."""
        yield None


class _LLM(_Placeholder, LLMService[Any]):
    pass


_KINDS: dict[str, type] = {"STT": _STT, "TTS": _TTS, "LLM": _LLM}
_KIND = re.compile(r"(STT|TTS|LLM)(?=Service$|$)")  # "OrpheusTTS" has an STT in it, too


@cache
def placeholder(module: str, name: str) -> type:
    """Return the placeholder of that name.

    What it is for is in the name ("...STTService", "...TTS"), or else in the module's.

    Raises:
        AttributeError: It is no class's name.
    """
    if not name[:1].isupper():
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    told = _KIND.search(name)
    kind = _KINDS.get(told[1] if told else module.rsplit(".", 1)[-1].upper(), _LLM)
    return type(name, (kind,), {"placeholder_for": f"{module}.{name}", "__module__": module})
