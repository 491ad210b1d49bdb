"""Has a TTS service of pipecat's speak texts, in a pipeline of its own, in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.tts_service import TTSService
from pipecat.workers.runner import WorkerRunner

from piopiy_lab.errors import ArgumentTypeError, PiopiyLabError, VoiceError
from piopiy_lab.redaction import redact_text
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.voicing.seams import watch_words

#: Hz that a service is asked for.
SAMPLE_RATE = 24000
#: Seconds that a service may take for one text, and for its end.
TEXT_SECS, END_SECS = 60.0, 10.0


@dataclass
class Take:
    """What a service gave for one text.

    Attributes:
        samples: int16, (n,).
        sample_rate: Hz.
        starts: ``(word, seconds)`` as it told them.
    """

    samples: Int16
    sample_rate: int
    starts: list[tuple[str, float]]


@dataclass
class _Taking:
    """One text that is being spoken; written on the pipeline's loop."""

    pieces: list[TTSAudioRawFrame] = field(default_factory=list[TTSAudioRawFrame])
    starts: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    over: asyncio.Event = field(default_factory=asyncio.Event)


class _Listener(FrameProcessor):
    """Collects what a service gives; one stands on either side of it."""

    def __init__(self) -> None:
        super().__init__()
        self.taking = _Taking()
        self.error: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case ErrorFrame():
                if not self.error.done():
                    self.error.set_result(frame.error)
            case TTSAudioRawFrame():
                self.taking.pieces.append(frame)
            case TTSStoppedFrame():
                self.taking.over.set()
            case _:
                pass
        await self.push_frame(frame, direction)


async def speak(
    make_tts: Callable[[], object],
    texts: Sequence[str],
    named: object,
    keep: Callable[[str, Take], None],
    sample_rate: int = SAMPLE_RATE,
) -> None:
    """Have a service say texts.

    Args:
        make_tts: Makes the service; called on this loop.
        texts: What to say, one after the other.
        named: The voice, for messages.
        keep: Called with each text and its sound, as it was said; what it raises ends it.
        sample_rate: Hz to ask for.

    Raises:
        ArgumentTypeError: What was made is no TTS service.
        VoiceError: It failed, or did not say a text within ``TEXT_SECS``.
    """
    try:
        service = make_tts()
    except PiopiyLabError:
        raise
    except Exception as error:
        raise VoiceError(
            f"the voice {named} can't be made: {type(error).__name__}: {redact_text(str(error))}"
        ) from error
    if asyncio.iscoroutine(service):
        service.close()
    if not isinstance(service, TTSService):
        raise ArgumentTypeError(
            f"the voice {named} made {type(service).__name__}: give a function that makes a TTS "
            "service of pipecat's"
        )
    before, after = _Listener(), _Listener()
    watch_words(service, lambda words: after.taking.starts.extend(words))
    worker = PipelineWorker(
        Pipeline([before, service, after]),
        params=PipelineParams(audio_out_sample_rate=sample_rate),
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
        enable_turn_tracking=False,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        for text in texts:
            taking = after.taking = _Taking()
            await worker.queue_frame(TTSSpeakFrame(text, append_to_context=False))
            await _until_over(text, named, taking, (before.error, after.error), running)
            keep(text, _take(taking))
        await worker.queue_frame(EndFrame())
        await asyncio.wait({running}, timeout=END_SECS)
    finally:
        if not running.done():
            await worker.cancel()
            await asyncio.wait({running}, timeout=END_SECS)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _until_over(
    text: str,
    named: object,
    taking: _Taking,
    errors: Iterable[asyncio.Future[str]],
    running: asyncio.Task[Any],
) -> None:
    over = asyncio.create_task(taking.over.wait())
    try:
        done, _ = await asyncio.wait(
            {over, running, *errors}, timeout=TEXT_SECS, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        over.cancel()
    failed = next((one.result() for one in errors if one.done()), None)
    if failed is not None:
        raise VoiceError(f"the voice {named} failed on {text!r}: {redact_text(failed)}")
    if running in done:
        why = None if running.cancelled() else running.exception()
        told = f": {redact_text(str(why))}" if why is not None else ""
        raise VoiceError(f"the voice {named} ended before it had said {text!r}{told}")
    if over not in done:
        raise VoiceError(f"the voice {named} did not say {text!r} within {TEXT_SECS:g} s")


def _take(taking: _Taking) -> Take:
    rate = taking.pieces[0].sample_rate if taking.pieces else SAMPLE_RATE
    pieces = [np.zeros(0, np.int16)]
    for frame in taking.pieces:
        samples = np.frombuffer(frame.audio, np.int16).reshape(-1, frame.num_channels)
        pieces.append(pcm.resample(pcm.mono(samples), frame.sample_rate, rate))
    return Take(np.concatenate(pieces), rate, taking.starts)
