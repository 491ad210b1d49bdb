"""What the benchmarks share: the booking desk, its caller, and a bare pipecat pipeline."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    EndFrame,
    InputAudioRawFrame,
    OutputAudioRawFrame,
    StartFrame,
    TTSSpeakFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from piopiy_lab import Caller, VoiceAgent, offline_stack
from piopiy_lab.listening.turn_taking import make_strategies
from piopiy_lab.listening.vad import make_vad
from piopiy_lab.offline import booking_desk
from piopiy_lab.sound import speech

RATE = 16000
LINES = ("a table for two tomorrow at seven", "my name is anna", "yes please")

#: The same lines, as a screenplay.
CALLER = Caller().hears_greeting()
for line in LINES:
    CALLER = CALLER.says(line).hears_reply()


async def desk_session() -> None:
    """The booking desk on our API."""
    desk = booking_desk()
    agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


def caller_audio(starts: list[float], secs: float) -> np.ndarray:
    """The caller's side of a call as one clip: each line at its second. int16, 16 kHz."""
    clip = np.zeros(round(secs * RATE), np.int16)
    for start, text in zip(starts, LINES, strict=True):
        samples = speech.synthesize(text, speech.CALLER_VOICE, sample_rate=RATE).samples
        at = round(start * RATE)
        clip[at : at + len(samples)] = samples
    return clip


class Feed(BaseInputTransport):
    """Feeds a clip in 20 ms frames at the pace of the clock, like a sound card."""

    def __init__(self, params: TransportParams, clip: np.ndarray) -> None:
        super().__init__(params)
        self.clip = clip
        self.done = asyncio.Event()
        self._task: Any = None

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._task = self.create_task(self._feed())

    async def _feed(self) -> None:
        loop, n = asyncio.get_running_loop(), RATE // 50
        began = loop.time()
        for index in range(len(self.clip) // n):
            await asyncio.sleep(max(0, began + (index + 1) / 50 - loop.time()))
            audio = self.clip[index * n : (index + 1) * n].tobytes()
            await self.push_audio_frame(InputAudioRawFrame(audio, RATE, 1))
        self.done.set()

    async def cleanup(self) -> None:
        if self._task:
            await self.cancel_task(self._task)
            self._task = None
        await super().cleanup()


class Sink(BaseOutputTransport):
    """Takes audio at the pace at which it would be heard, like a sound card."""

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        self._heard_to = 0.0
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        now = asyncio.get_running_loop().time()
        self._heard_to = max(self._heard_to, now) + frame.num_frames / frame.sample_rate
        await asyncio.sleep(max(0, self._heard_to - 0.06 - now))
        return True


class Answers(BaseObserver):
    """Notes each time from the detector's stop to the first audio of the answer."""

    def __init__(self) -> None:
        super().__init__(observe_every_push=False)
        self.secs: list[float] = []
        self._stopped: int | None = None

    async def on_push_frame(self, data: FramePushed) -> None:
        if data.direction is not FrameDirection.DOWNSTREAM:
            return
        if isinstance(data.frame, VADUserStoppedSpeakingFrame):
            self._stopped = data.timestamp
        elif isinstance(data.frame, BotStartedSpeakingFrame) and self._stopped is not None:
            self.secs.append((data.timestamp - self._stopped) / 1e9)
            self._stopped = None


async def bare_pipecat(clip: np.ndarray) -> tuple[list[float], float, float]:
    """Run pipecat's own pipeline, with the services, detector and turn rules that we use.

    Returns:
        The answers' latencies in seconds, the CPU seconds, and the seconds that it ran.
    """
    desk = booking_desk()
    stt, llm, tts = offline_stack()
    params = TransportParams(
        audio_in_enabled=True, audio_out_enabled=True, audio_out_end_silence_secs=0
    )
    feed, sink = Feed(params, clip), Sink(params)
    context = LLMContext(messages=[{"role": "system", "content": desk.instructions}])
    user, assistant = LLMContextAggregatorPair(
        context,
        user_params=LLMUserAggregatorParams(
            vad_analyzer=make_vad(True),  # type: ignore[arg-type]
            user_turn_strategies=make_strategies(vad=True, allow_interruptions=True),
        ),
    )
    answers = Answers()
    worker = PipelineWorker(
        Pipeline([feed, stt, user, llm, tts, sink, assistant]),
        params=PipelineParams(enable_metrics=True, enable_usage_metrics=True),
        observers=[answers],
        enable_rtvi=False,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    cpu, began = time.process_time(), time.monotonic()
    running = asyncio.create_task(runner.run())
    await worker.queue_frame(TTSSpeakFrame(desk.greeting))
    await feed.done.wait()
    await worker.queue_frame(EndFrame())
    await running
    return answers.secs, time.process_time() - cpu, time.monotonic() - began
