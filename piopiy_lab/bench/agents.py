"""Agents that the bench calls where no other is given: a plain one, and pipecat's own defaults."""

from __future__ import annotations

from typing import Any

from piopiy_lab.bench.talker import make_talker, make_voice
from piopiy_lab.simulation.screenplay_stt import ScreenplaySTTService
from piopiy_lab.voice_agent import VoiceAgent

#: Short, so that it is over before anything is measured.
GREETING = "Hello."


async def plain_session(call_id: str) -> None:
    """Run an agent with this package's defaults."""
    agent = VoiceAgent(instructions="You tell callers about a restaurant.", greeting=GREETING)
    await agent.Action(stt=ScreenplaySTTService(), llm=make_talker(), tts=make_voice(), vad=True)
    await agent.start()


async def pipecat_bot(runner_args: Any) -> None:
    """Run a bot with pipecat's defaults, as its own examples are written.

    Silero and pipecat's turn strategies: any voice begins a turn, Smart Turn ends it, or 3 s.
    """
    from pipecat.audio.vad.silero import SileroVADAnalyzer
    from pipecat.frames.frames import TTSSpeakFrame
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.worker import PipelineParams, PipelineWorker
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.processors.aggregators.llm_response_universal import (
        LLMContextAggregatorPair,
        LLMUserAggregatorParams,
    )
    from pipecat.runner.utils import create_transport
    from pipecat.transports.base_transport import TransportParams
    from pipecat.workers.runner import WorkerRunner

    def params() -> TransportParams:
        return TransportParams(audio_in_enabled=True, audio_out_enabled=True)

    transport = await create_transport(runner_args, {"webrtc": params})
    stt, llm, tts = ScreenplaySTTService(), make_talker(), make_voice()
    user, assistant = LLMContextAggregatorPair(
        LLMContext([{"role": "developer", "content": "You tell callers about a restaurant."}]),
        user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer()),
    )
    stages = [transport.input(), stt, user, llm, tts, transport.output(), assistant]
    worker = PipelineWorker(Pipeline(stages), params=PipelineParams(enable_metrics=True))

    @transport.event_handler("on_client_connected")
    async def on_client_connected(transport: Any, client: Any) -> None:
        await worker.queue_frame(TTSSpeakFrame(GREETING))

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(transport: Any, client: Any) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=runner_args.handle_sigint)
    await runner.add_workers(worker)
    await runner.run()
