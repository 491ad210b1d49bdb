"""A session for the tests of ``piopiy-lab serve``: it lasts as long as its call id says."""

from __future__ import annotations

import asyncio
import sys


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def create_session(call_id):
    say(f"begin {call_id}")
    try:
        await asyncio.sleep(float(call_id.partition("-")[2]))
        say(f"done {call_id}")
    except asyncio.CancelledError:
        say(f"cancelled {call_id}")
        raise


async def desk(call_id):
    from piopiy_lab import VoiceAgent, offline_stack
    from piopiy_lab.offline import booking_desk

    words = booking_desk()
    agent = VoiceAgent(instructions=words.instructions, greeting=words.greeting)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    say(f"begin {call_id}")
    await agent.start()
    say(f"done {call_id}")


async def bot(transport, call):
    from pipecat.frames.frames import TTSSpeakFrame
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.worker import PipelineWorker
    from pipecat.workers.runner import WorkerRunner

    from piopiy_lab import offline_stack

    *_, tts = offline_stack()
    worker = PipelineWorker(Pipeline([transport.input(), tts, transport.output()]))

    @transport.event_handler("on_client_connected")
    async def greet(transport, participant):
        await worker.queue_frame(TTSSpeakFrame("hello, this is a bot"))

    @transport.event_handler("on_client_disconnected")
    async def leave(transport, participant):
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    say(f"begin {call.call_id}")
    await runner.run()
    say(f"done {call.call_id}")


def not_a_session():
    pass
