"""The wall time of one scripted call with ``simulate`` and with pipecat's own eval harness.

The caller says the same three lines to the same booking desk (the same recogniser, rules, voice,
detector and turn rules), each line after the reply to the one before has a word that must be in it.
What differs is who plays the caller:

* ``piopiy_lab.simulate``: a whole call over our line, in virtual time.
* ``pipecat.evals``: a scripted scenario with the user in audio modality, over a WebSocket on
  127.0.0.1 to pipecat's ``EvalTransport`` (its successor needs FastAPI), in real time. The user's
  voice is our espeak service, through the harness's ``factory:``; the replies are compared as text
  (``llm_response``), so that neither an LLM judge nor a transcription costs any time. It is run
  twice: with the bot speaking, as in ``simulate``, and with the bot silenced, which is what the
  harness does by default (``judge.modality: text``): no reply is then heard,
  and the first line talks over the greeting, so that call is shorter than ``simulate``'s.

Everything runs in one process, with models loaded beforehand. No download, no key.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from loguru import logger
from pipecat.evals.scenario import EvalScenarioFile
from pipecat.evals.script_session import EvalScriptSession
from pipecat.evals.serializer import EvalSerializer
from pipecat.evals.session import EvalSessionParams
from pipecat.evals.transport import EvalTransport, EvalTransportParams
from pipecat.frames.frames import TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.workers.runner import WorkerRunner

from piopiy_lab import Caller, VoiceAgent, offline_stack, simulate
from piopiy_lab.listening.turn_taking import make_strategies
from piopiy_lab.listening.vad import make_vad
from piopiy_lab.offline import EspeakTTSService, booking_desk
from piopiy_lab.sound import speech

RATE = 16000

#: What the caller says, and a word of the reply that it waits for.
SCRIPT = (
    ("a table for two tomorrow at eight", "name"),
    ("my name is oliver", "right"),
    ("yes that is right", "booked"),
)

CALLER = Caller().hears_greeting()
for line, word in SCRIPT:
    CALLER = CALLER.says(line).hears(word)
CALLER = CALLER.hears_reply()  # to the end of the last one


async def desk_session() -> None:
    """The booking desk on our API."""
    desk = booking_desk()
    agent = VoiceAgent(instructions=desk.instructions, greeting=desk.greeting)
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


def user_voice(config: dict[str, Any]) -> EspeakTTSService:
    """What the scenario's ``user.speech.factory`` names: the caller's voice."""
    return EspeakTTSService(voice=speech.CALLER_VOICE, sample_rate=config["sample_rate"])


def scenario(speaking: bool) -> dict[str, Any]:
    """The script as a scenario of pipecat's harness."""
    judge: dict[str, Any] = {"modality": "text"}
    spoken = []
    if speaking:  # the transcription is only made for a scenario that asks for a "response"
        judge = {"modality": "audio", "transcription": {}}
        spoken = [{"event": "bot_stopped_speaking"}]
    turns = [
        {"user": line, "expect": [{"event": "llm_response", "text_contains": word}, *spoken]}
        for line, word in SCRIPT
    ]
    return {
        "name": "booking",
        "user": {
            "modality": "audio",
            "speech": {"factory": f"{Path(__file__).stem}.user_voice", "sample_rate": RATE},
        },
        "judge": judge,
        "scenarios": [{"name": "booking", "turns": [{"expect": spoken}, *turns]}],
    }


def desk_bot(port: int) -> PipelineWorker:
    """The same desk as a pipecat pipeline behind the harness's transport."""
    desk = booking_desk()
    stt, llm, tts = offline_stack()
    transport = EvalTransport(
        EvalTransportParams(
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_out_end_silence_secs=0,
            serializer=EvalSerializer(),
        ),
        host="127.0.0.1",
        port=port,
    )
    user, assistant = LLMContextAggregatorPair(
        LLMContext(messages=[{"role": "system", "content": desk.instructions}]),
        user_params=LLMUserAggregatorParams(
            vad_analyzer=make_vad(True),  # type: ignore[arg-type]
            user_turn_strategies=make_strategies(vad=True, allow_interruptions=True),
        ),
    )
    stages = [transport.input(), stt, user, llm, tts, transport.output(), assistant]
    worker = PipelineWorker(
        Pipeline(stages),
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
    )

    @transport.event_handler("on_client_connected")
    async def greet(_transport: Any, _websocket: Any) -> None:
        await worker.queue_frame(TTSSpeakFrame(desk.greeting))

    return worker


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def with_pipecat(speaking: bool) -> float:
    """Play the scenario with pipecat's harness; its wall seconds, from connecting to the result."""
    port = free_port()
    worker = desk_bot(port)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    bot = asyncio.create_task(runner.run())
    try:
        await asyncio.sleep(1)  # the bot listens
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "booking.yaml"
            path.write_text(json.dumps(scenario(speaking)))
            session = EvalScriptSession.from_scenario(
                next(iter(EvalScenarioFile.load(path))),
                f"ws://127.0.0.1:{port}",
                params=EvalSessionParams(use_cache=False, default_timeout_ms=20000),
            )
        began = time.monotonic()
        result = await session.run()
        wall = time.monotonic() - began
        if not result.passed:
            log = "\n".join(result.debug_log)
            raise RuntimeError(f"pipecat's harness: {result.failures}\n{log}")
        return wall
    finally:
        await worker.cancel()
        await asyncio.wait([bot], timeout=10)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="of simulate: the fastest counts")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for each call")
    options = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    warnings.simplefilter("ignore", DeprecationWarning)  # EvalTransport's

    async def limited(call: Any) -> Any:
        return await asyncio.wait_for(call, options.timeout)

    asyncio.run(limited(simulate(desk_session, CALLER)))  # imports and models
    walls = []
    for _ in range(options.rounds):
        began = time.monotonic()
        call = asyncio.run(limited(simulate(desk_session, CALLER)))
        walls.append(time.monotonic() - began)
        call.raise_for_error()
    simulated = min(walls)
    print(
        f"simulate: {simulated:.2f} s (fastest of {options.rounds}; slowest {max(walls):.2f} s) "
        f"for {call.duration:.1f} s of conversation"
    )
    for speaking, who in ((True, "the bot speaking"), (False, "the bot silenced")):
        wall = asyncio.run(limited(with_pipecat(speaking)))
        print(
            f"pipecat's eval harness, {who}: {wall:.1f} s for the call; "
            f"simulate: {simulated:.1f} s: x{wall / simulated:.1f}"
        )
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
