"""A bot of pipecat's Flows: an order in three nodes, and one function for all of them."""

import os

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.flows import FlowManager, NodeConfig
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
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

orders: list[dict] = []  # what was ordered in the end


async def choose_flowers(flow_manager: FlowManager, kind: str, count: int):
    """Note which flowers, and how many.

    Args:
        kind: Roses or tulips.
        count: How many.
    """
    flow_manager.state["order"] = {"kind": kind, "count": count}
    return {"price": 2 * count}, confirmation()


async def confirm(flow_manager: FlowManager):
    """The customer agrees."""
    orders.append(flow_manager.state["order"])
    return {"ready": "at noon"}, farewell()


async def opening_hours(flow_manager: FlowManager):
    """Tell when the shop is open."""
    return {"hours": "nine to six"}, None


def beginning() -> NodeConfig:
    return NodeConfig(
        name="beginning",
        role_message="You sell flowers over the telephone.",
        task_messages=[{"role": "developer", "content": "Greet, and ask which flowers."}],
        functions=[choose_flowers],
    )


def confirmation() -> NodeConfig:
    return NodeConfig(
        name="confirmation",
        task_messages=[{"role": "developer", "content": "Tell the price, and ask to confirm."}],
        functions=[confirm],
    )


def farewell() -> NodeConfig:
    return NodeConfig(
        name="farewell",
        task_messages=[{"role": "developer", "content": "Say when it is ready, and goodbye."}],
        post_actions=[{"type": "end_conversation"}],
    )


async def bot(runner_args: RunnerArguments):
    transport = await create_transport(
        runner_args,
        {"webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True)},
    )
    stt = DeepgramSTTService(api_key=os.environ["DEEPGRAM_API_KEY"])
    llm = OpenAILLMService(api_key=os.environ["OPENAI_API_KEY"])
    tts = CartesiaTTSService(api_key=os.environ["CARTESIA_API_KEY"])
    aggregators = LLMContextAggregatorPair(
        LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    worker = PipelineWorker(
        Pipeline(
            [
                transport.input(),
                stt,
                aggregators.user(),
                llm,
                tts,
                transport.output(),
                aggregators.assistant(),
            ]
        ),
        params=PipelineParams(enable_metrics=True),
    )
    flow = FlowManager(
        worker=worker,
        llm=llm,
        context_aggregator=aggregators,
        transport=transport,
        global_functions=[opening_hours],
    )

    @transport.event_handler("on_client_connected")
    async def on_client_connected(transport, client):
        await flow.initialize(beginning())

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(transport, client):
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=runner_args.handle_sigint)
    await runner.add_workers(worker)
    await runner.run()
