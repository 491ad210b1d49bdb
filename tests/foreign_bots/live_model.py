"""A bot for the vendor's runner on one model that hears and speaks, and knows the turns itself."""

import os

from pipecat.frames.frames import LLMRunFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.services.google.gemini_live.llm import GeminiLiveLLMService


async def bot(transport, call):
    llm = GeminiLiveLLMService(
        api_key=os.environ["GOOGLE_API_KEY"],
        system_instruction=f"You tell {call.from_number} the weather.",
    )
    context = LLMContext([{"role": "user", "content": "good morning"}])
    aggregators = LLMContextAggregatorPair(context)  # no detector: the model has its own
    task = PipelineTask(
        Pipeline(
            [
                transport.input(),
                aggregators.user(),
                llm,
                transport.output(),
                aggregators.assistant(),
            ]
        ),
        params=PipelineParams(audio_in_sample_rate=16000, audio_out_sample_rate=24000),
    )

    @transport.event_handler("on_first_participant_joined")
    async def on_first_participant_joined(_transport, participant_id):
        await task.queue_frames([LLMRunFrame()])

    @transport.event_handler("on_participant_left")
    async def on_participant_left(_transport, participant_id, reason):
        await task.cancel()

    await PipelineRunner(handle_sigint=False).run(task)
