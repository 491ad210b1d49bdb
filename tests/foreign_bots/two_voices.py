"""A bot with two of each service, which changes the voice and the LLM by the clock."""

import asyncio
import os

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import LLMRunFrame, ManuallySwitchServiceFrame
from pipecat.pipeline.llm_switcher import LLMSwitcher
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.service_switcher import ServiceSwitcher
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.services.cartesia.stt import CartesiaSTTService
from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.deepgram.tts import DeepgramTTSService
from pipecat.services.google.llm import GoogleLLMService
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner


async def bot(runner_args: RunnerArguments):
    transport = await create_transport(
        runner_args,
        {"webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True)},
    )
    ears = [
        CartesiaSTTService(api_key=os.environ["CARTESIA_API_KEY"]),
        DeepgramSTTService(api_key=os.environ["DEEPGRAM_API_KEY"]),
    ]
    minds = [
        OpenAILLMService(api_key=os.environ["OPENAI_API_KEY"]),
        GoogleLLMService(api_key=os.environ["GOOGLE_API_KEY"]),
    ]
    voices = [
        CartesiaTTSService(api_key=os.environ["CARTESIA_API_KEY"]),
        DeepgramTTSService(api_key=os.environ["DEEPGRAM_API_KEY"]),
    ]
    context = LLMContext([{"role": "system", "content": "You tell riddles."}])
    user, assistant = LLMContextAggregatorPair(
        context, user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    worker = PipelineWorker(
        Pipeline(
            [
                transport.input(),
                ServiceSwitcher(services=ears),
                user,
                LLMSwitcher(llms=minds),
                ServiceSwitcher(services=voices),
                transport.output(),
                assistant,
            ]
        ),
        params=PipelineParams(enable_metrics=True),
    )
    runner = WorkerRunner(handle_sigint=runner_args.handle_sigint)
    await runner.add_workers(worker)

    @transport.event_handler("on_client_connected")
    async def on_client_connected(transport, client):
        await worker.queue_frames([LLMRunFrame()])
        await asyncio.sleep(4)
        await worker.queue_frames([ManuallySwitchServiceFrame(service=voices[1])])
        await worker.queue_frames([ManuallySwitchServiceFrame(service=minds[1])])

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(transport, client):
        await runner.cancel()

    await runner.run()
