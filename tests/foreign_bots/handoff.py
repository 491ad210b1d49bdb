"""Two agents on pipecat's bus behind one transport; the first hands the caller to the second."""

import os

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.bus import BusBridgeProcessor
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.llm import LLMWorker, LLMWorkerActivationArgs, tool
from pipecat.workers.runner import WorkerRunner

active: list[str] = []  # the agents that were made active by a hand-over


class Clerk(LLMWorker):
    """An LLM of its own, which can hand the caller over."""

    @tool(cancel_on_interruption=False)
    async def hand_over(self, params: FunctionCallParams, to: str):
        """Hand the caller to somebody else.

        Args:
            to: "doorman" or "chef".
        """
        active.append(to)
        await params.result_callback(None)
        await self.activate_worker(
            to,
            args=LLMWorkerActivationArgs(
                messages=[{"role": "developer", "content": "The caller wants you."}]
            ),
            deactivate_self=True,
        )


def clerk(name, instruction):
    llm = OpenAILLMService(
        api_key=os.environ["OPENAI_API_KEY"],
        settings=OpenAILLMService.Settings(system_instruction=instruction),
    )
    return Clerk(name, llm=llm, bridged=())


async def bot(runner_args: RunnerArguments):
    transport = await create_transport(
        runner_args,
        {"webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True)},
    )
    runner = WorkerRunner(handle_sigint=runner_args.handle_sigint)
    stt = DeepgramSTTService(api_key=os.environ["DEEPGRAM_API_KEY"])
    tts = CartesiaTTSService(api_key=os.environ["CARTESIA_API_KEY"])
    aggregators = LLMContextAggregatorPair(
        LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    hotel = PipelineWorker(
        Pipeline(
            [
                transport.input(),
                stt,
                aggregators.user(),
                BusBridgeProcessor(bus=runner.bus, worker_name="hotel", name="hotel::bridge"),
                tts,
                transport.output(),
                aggregators.assistant(),
            ]
        ),
        name="hotel",
        params=PipelineParams(enable_metrics=True),
    )
    await runner.add_workers(
        clerk("doorman", "You are a hotel's doorman."), clerk("chef", "You are its chef."), hotel
    )

    @transport.event_handler("on_client_connected")
    async def on_client_connected(transport, client):
        greet = {"role": "developer", "content": "Greet the guest."}
        await hotel.activate_worker("doorman", args=LLMWorkerActivationArgs(messages=[greet]))

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(transport, client):
        await runner.cancel()

    await runner.run()
