"""Modelled latencies: what a call would feel like if a service took longer.

Only simulations use this. A latency is added at the service itself, where a provider's would be:
the language model starts later, each sentence's speech comes later, transcripts come later.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipecat.frames.frames import (
    Frame,
    InterimTranscriptionFrame,
    LLMContextFrame,
    TranscriptionFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from piopiy_lab.checks.arguments import is_number
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.services import seams

#: What can be given a latency: the three services, and the end-of-turn model.
PARTS = ("stt", "llm", "tts", "turn")
#: The longest latency that makes sense, in seconds.
MOST_SECS = 60.0

Latency = float | Sequence[float]


def check_latency(latency: Mapping[str, Any] | None) -> dict[str, tuple[float, ...]]:
    """Check the ``latency=`` argument.

    Args:
        latency: Part to seconds: a number, or a sequence of measured ones.

    Raises:
        ArgumentError: An unknown part, or seconds out of range.
        ArgumentTypeError: Something that is no number of seconds.
    """
    checked: dict[str, tuple[float, ...]] = {}
    for part, given in (latency or {}).items():
        if part not in PARTS:
            raise ArgumentError(f"latency has no part {part!r}: the parts are {', '.join(PARTS)}")
        values = given if isinstance(given, Sequence) and not isinstance(given, str) else (given,)
        if not values:
            raise ArgumentError(f"latency[{part!r}] is empty: give seconds, or measured ones")
        for value in values:
            if not is_number(value):
                raise ArgumentTypeError(f"latency[{part!r}] has {value!r}: give seconds")
            if not 0 <= value <= MOST_SECS or math.isnan(value):
                raise ArgumentError(
                    f"latency[{part!r}] has {value!r}: give seconds from 0 to {MOST_SECS:g}"
                )
        checked[part] = tuple(float(value) for value in values)
    return checked


def draws(part: str, values: Sequence[float]) -> Callable[[], float]:
    """Return a function that draws one of the values, the same ones in every run."""
    if len(values) == 1:
        return lambda: values[0]
    chance = random.Random(f"piopiy_lab {part}")
    return lambda: chance.choice(values)


def slow_down(services: Mapping[str, object], latency: Mapping[str, tuple[float, ...]]) -> None:
    """Give services the latencies; for the life of these instances."""
    for part, wrap in (("stt", _slow_stt), ("llm", _slow_llm), ("tts", _slow_tts)):
        if part in latency and services.get(part) is not None:
            wrap(services[part], draws(part, latency[part]))


def _slow_llm(llm: Any, draw: Callable[[], float]) -> None:
    def making(process: seams.Method) -> seams.Method:
        async def process_frame(frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, LLMContextFrame):
                if frame.speculation:
                    seams.begin_speculation(llm)
                await asyncio.sleep(draw())  # an interruption cancels it, like a request
            await process(frame, direction)

        return process_frame

    seams.replace_processing(llm, making)


def _slow_tts(tts: Any, draw: Callable[[], float]) -> None:
    def making(synthesise: seams.Method) -> seams.Method:
        async def run_tts(*args: object, **kwargs: object) -> object:
            await asyncio.sleep(draw())
            async for frame in synthesise(*args, **kwargs):
                yield frame

        return run_tts

    seams.replace_speaking(tts, making)


def _slow_stt(stt: Any, draw: Callable[[], float]) -> None:
    last: list[asyncio.Task[None]] = []  # the transcript on its way, so that order is kept

    def making(push: seams.Method) -> seams.Method:
        async def push_frame(
            frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
        ) -> None:
            if not isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame):
                await push(frame, direction)
                return
            before, secs = last[-1:], draw()

            async def later() -> None:
                await asyncio.sleep(secs)
                if before:
                    await asyncio.wait(before)
                await push(frame, direction)

            task = stt.create_task(later())
            last[:] = [task]

        return push_frame

    seams.replace_pushing(stt, making)
