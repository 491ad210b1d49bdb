"""The booking desk as a pipecat bot, as its makers' eval files want one, and as a session."""

from __future__ import annotations

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.evals.transport import EvalTransportParams
from pipecat.frames.frames import TranscriptionFrame, TTSSpeakFrame, UserBackchannelFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.dtmf_aggregator import DTMFAggregator
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.runner.utils import create_transport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from piopiy_lab import VoiceAgent, offline_stack
from piopiy_lab.offline import booking_desk

TRANSPORT_PARAMS = {
    "webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True),
    "eval": lambda: EvalTransportParams(audio_in_enabled=True, audio_out_enabled=True),
}


async def bot(runner_args):
    transport = await create_transport(runner_args, TRANSPORT_PARAMS)
    await run_desk(transport, runner_args)


async def run_desk(transport, runner_args, more=(), after_user=(), **worker_options):
    desk = booking_desk()
    stt, llm, tts = offline_stack()
    user, assistant = LLMContextAggregatorPair(
        LLMContext([{"role": "system", "content": desk.instructions}]),
        user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer()),
    )
    stages = [transport.input(), stt, DTMFAggregator(), *more, user, *after_user, llm, tts]
    worker = PipelineWorker(
        Pipeline([*stages, transport.output(), assistant]),
        idle_timeout_secs=runner_args.pipeline_idle_timeout_secs,
        **worker_options,
    )

    @transport.event_handler("on_client_connected")
    async def greet(transport, client):
        await worker.queue_frame(TTSSpeakFrame(desk.greeting))

    @transport.event_handler("on_client_disconnected")
    async def leave(transport, client):
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=runner_args.handle_sigint)
    await runner.add_workers(worker)
    await runner.run()


async def bot_without_rtvi(runner_args):
    transport = await create_transport(runner_args, TRANSPORT_PARAMS)
    await run_desk(transport, runner_args, enable_rtvi=False)


class Murmurs(FrameProcessor):
    """Makes a backchannel of what is one, as no processor of pipecat's does by itself."""

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame) and frame.text == "mm hmm":
            frame = UserBackchannelFrame(frame.text, frame.user_id, frame.timestamp)
        await self.push_frame(frame, direction)


async def bot_with_backchannels(runner_args):
    transport = await create_transport(runner_args, TRANSPORT_PARAMS)
    await run_desk(transport, runner_args, [Murmurs()])


async def bot_for_evals_only(runner_args):
    params = {"eval": lambda: EvalTransportParams(audio_in_enabled=True, audio_out_enabled=True)}
    transport = await create_transport(runner_args, params)
    await run_desk(transport, runner_args)


async def bot_that_fails(runner_args):
    raise ConnectionError("the desk is on fire")


async def bot_without_a_transport(runner_args):
    pass


async def create_session():
    desk = booking_desk()
    agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()
