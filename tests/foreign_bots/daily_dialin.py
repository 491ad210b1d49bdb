"""A bot that is dialled into a Daily room: its greeting waits for the first participant."""

import os

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import LLMRunFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.runner.types import DailyDialinRequest, DailyRunnerArguments
from pipecat.services.cartesia.stt import CartesiaSTTService
from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.transports.daily.transport import DailyDialinSettings, DailyParams, DailyTransport
from pipecat.workers.runner import WorkerRunner

callers: list[str | None] = []  # the numbers that the request told


async def bot(runner_args: DailyRunnerArguments):
    params = DailyParams(audio_in_enabled=True, audio_out_enabled=True)
    if isinstance(runner_args.body, dict) and "dialin_settings" in runner_args.body:
        settings = DailyDialinRequest.model_validate(runner_args.body).dialin_settings
        callers.append(settings.From)
        params.dialin_settings = DailyDialinSettings(
            call_id=settings.call_id, call_domain=settings.call_domain
        )
    transport = DailyTransport(runner_args.room_url, runner_args.token, "Taxi", params)

    stt = CartesiaSTTService(api_key=os.environ["CARTESIA_API_KEY"])
    llm = OpenAILLMService(
        api_key=os.environ["OPENAI_API_KEY"],
        settings=OpenAILLMService.Settings(system_instruction="You send taxis."),
    )
    tts = CartesiaTTSService(api_key=os.environ["CARTESIA_API_KEY"])
    context = LLMContext()
    user, assistant = LLMContextAggregatorPair(
        context, user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    worker = PipelineWorker(
        Pipeline([transport.input(), stt, user, llm, tts, transport.output(), assistant]),
        params=PipelineParams(
            audio_in_sample_rate=8000, audio_out_sample_rate=8000, enable_metrics=True
        ),
    )
    runner = WorkerRunner(handle_sigint=runner_args.handle_sigint)
    await runner.add_workers(worker)

    @transport.event_handler("on_first_participant_joined")
    async def on_first_participant_joined(transport, participant):
        assert participant["id"]
        context.add_message({"role": "developer", "content": "Ask where the taxi should come."})
        await worker.queue_frames([LLMRunFrame()])

    @transport.event_handler("on_participant_left")
    async def on_participant_left(transport, participant, reason):
        await runner.cancel()

    @transport.event_handler("on_dialin_error")
    async def on_dialin_error(transport, data):
        await runner.cancel()

    await runner.run()
