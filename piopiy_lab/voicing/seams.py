"""What is needed of the insides of pipecat's voices to know when each word is spoken.

Missing: the times as the service gave them; the frames that carry them have the pipeline's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pipecat.services.tts_service import TTSService

from piopiy_lab.services.fitting import expect, method

RELIED_ON = (
    method(
        TTSService,
        "add_word_timestamps",
        "word_times",
        "context_id",
        needed_by="word times of a caller's voice",
    ),
)
expect(RELIED_ON)


def watch_words(service: TTSService, tell: Callable[[Iterable[tuple[str, float]]], None]) -> None:
    """Be told of the words' times that a service gives, ``(word, seconds)``, for its life."""
    add = service.add_word_timestamps

    async def telling(word_times: list[tuple[str, float]], *args: Any, **kwargs: Any) -> None:
        tell(word_times)
        await add(word_times, *args, **kwargs)

    service.add_word_timestamps = telling  # type: ignore[method-assign]  # on this object alone
