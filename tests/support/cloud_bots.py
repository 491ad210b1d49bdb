"""Bots as their authors write them, for pipecat's runner and the cloud; nothing of ours in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import LLMRunFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import NOT_GIVEN, LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.transports.base_transport import BaseTransport
from pipecat.workers.runner import WorkerRunner


def services() -> tuple[DeepgramSTTService, OpenAILLMService, CartesiaTTSService]:
    """Make a cloud's services."""
    return (
        DeepgramSTTService(api_key=os.environ["DEEPGRAM_API_KEY"]),
        OpenAILLMService(api_key=os.environ["OPENAI_API_KEY"]),
        CartesiaTTSService(
            api_key=os.environ["CARTESIA_API_KEY"],
            settings=CartesiaTTSService.Settings(voice="anybody"),
        ),
    )


async def converse(
    transport: BaseTransport,
    runner_args: Any = None,
    *,
    greet_on: str = "on_client_connected",
    leave_on: str | None = "on_client_disconnected",
    params: PipelineParams | None = None,
    runner: WorkerRunner | None = None,
    tools: Any = NOT_GIVEN,
    first: Sequence[FrameProcessor] = (),
) -> None:
    """Run the usual pipeline on a transport until its client leaves."""
    stt, llm, tts = services()
    context = LLMContext([{"role": "developer", "content": "You take bookings."}], tools=tools)
    pair = LLMContextAggregatorPair(
        context, user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    worker = PipelineWorker(
        Pipeline(
            [transport.input(), *first, stt, pair.user(), llm, tts, transport.output()]
            + [pair.assistant()]
        ),
        params=params or PipelineParams(enable_metrics=True, enable_usage_metrics=True),
        idle_timeout_secs=getattr(runner_args, "pipeline_idle_timeout_secs", 300),
    )

    @transport.event_handler(greet_on)
    async def on_joined(transport: BaseTransport, *_: Any) -> None:
        await worker.queue_frames([LLMRunFrame()])

    if leave_on is not None:

        @transport.event_handler(leave_on)
        async def on_left(transport: BaseTransport, *_: Any) -> None:
            await worker.cancel()

    runner = runner or WorkerRunner(handle_sigint=getattr(runner_args, "handle_sigint", False))
    await runner.add_workers(worker)
    await runner.run()
