"""A pipecat bot in our call: how fast it is simulated, and what our observation adds in real time.

The bot is written as its author would, for pipecat's runner, with the offline services. Beside it:

* in virtual time, a VoiceAgent with the same services on the same caller, by turns in one process;
* in real time, the bot alone, in pipecat's own worker on a transport that hears the same sound.

Printed are medians and ratios. Latency is from the detector's stop to the first audio of an answer.
In real time a fixed rule ends the turns: the end-of-turn model takes what a busy machine leaves it,
100 to 400 ms with us and without.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from common import CALLER, Answers, Feed, Sink, caller_audio, desk_session
from overhead import answer_secs
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import TTSSpeakFrame
from pipecat.observers.base_observer import BaseObserver
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from piopiy_lab import events, offline_stack, simulate, start_call
from piopiy_lab.offline import booking_desk


def params() -> TransportParams:
    return TransportParams(
        audio_in_enabled=True, audio_out_enabled=True, audio_out_end_silence_secs=0
    )


async def run_bot(
    transport: BaseTransport,
    observers: Sequence[BaseObserver] = (),
    turns: UserTurnStrategies | None = None,
) -> None:
    desk = booking_desk()
    stt, llm, tts = offline_stack()
    context = LLMContext([{"role": "system", "content": desk.instructions}])
    user, assistant = LLMContextAggregatorPair(
        context,
        user_params=LLMUserAggregatorParams(
            vad_analyzer=SileroVADAnalyzer(), user_turn_strategies=turns
        ),
    )
    worker = PipelineWorker(
        Pipeline([transport.input(), stt, user, llm, tts, transport.output(), assistant]),
        params=PipelineParams(enable_metrics=True, enable_usage_metrics=True),
        observers=list(observers),
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)

    @transport.event_handler("on_client_connected")
    async def on_client_connected(transport: BaseTransport, client: object) -> None:
        await worker.queue_frame(TTSSpeakFrame(desk.greeting))

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(transport: BaseTransport, client: object) -> None:
        await runner.cancel()

    await runner.run()


async def bot(runner_args: RunnerArguments) -> None:
    await run_bot(await create_transport(runner_args, {"webrtc": params}))


def fixed_rule() -> UserTurnStrategies:
    return UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.2)])


async def bot_by_rule(runner_args: RunnerArguments) -> None:
    transport = await create_transport(runner_args, {"webrtc": params})
    await run_bot(transport, turns=fixed_rule())


class ClipTransport(BaseTransport):
    """Hears a clip and plays to nobody, at the clock's pace: what the bot has without us."""

    def __init__(self, clip: np.ndarray) -> None:
        super().__init__()
        self._register_event_handler("on_client_connected")
        self._register_event_handler("on_client_disconnected")
        self.feed, self.sink = Feed(params(), clip), Sink(params())

    def input(self) -> Feed:
        return self.feed

    def output(self) -> Sink:
        return self.sink

    async def follow(self) -> None:
        """Tell the bot when its client comes and goes."""
        await asyncio.sleep(0.2)  # as long as the pipeline needs to be up
        await self._call_event_handler("on_client_connected", None)
        await self.feed.done.wait()
        await self._call_event_handler("on_client_disconnected", None)


async def alone(clip: np.ndarray) -> list[float]:
    """Run the bot in pipecat's worker; seconds of each answer."""
    transport, answers = ClipTransport(clip), Answers()
    client = asyncio.create_task(transport.follow())
    await run_bot(transport, [answers], fixed_rule())
    await client
    return answers.secs


def observed() -> list[float]:
    """Run the bot in our call, recorded and logged; seconds of each answer."""
    call = start_call(bot_by_rule, CALLER)
    call.join()
    call.raise_for_error()
    return answer_secs(call)


def speed(agent: Any) -> tuple[float, float]:
    """Simulate a call: its seconds, and the CPU's."""
    cpu = time.process_time()
    call = asyncio.run(simulate(agent, CALLER))
    call.raise_for_error()
    return call.duration, time.process_time() - cpu


def simulated(rounds: int) -> None:
    sides = {"VoiceAgent": desk_session, "bot": bot}
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, agent in sides.items():
            secs, cpu = speed(agent)
            if number:  # the first one imports and loads models
                found[name].append(secs / cpu)
    for name, speeds in found.items():
        print(f"{name:12}{statistics.median(speeds):6.1f} simulated seconds per CPU second")
    ratios = [b / a for a, b in zip(found["VoiceAgent"], found["bot"], strict=True)]
    print(f"bot / VoiceAgent: x{statistics.median(ratios):.2f} (at least x0.80 is wanted)\n")


def live(rounds: int) -> None:
    plan = asyncio.run(simulate(bot_by_rule, CALLER))
    plan.raise_for_error()
    starts = [spoke.at for spoke in plan.events.of(events.CallerSpoke)]
    clip = caller_audio(starts, plan.duration)
    found: dict[str, list[float]] = {"alone": [], "observed": []}
    for _ in range(rounds):
        found["alone"] += asyncio.run(alone(clip))
        found["observed"] += observed()
    for name, secs in found.items():
        median, worst = statistics.median(secs) * 1000, max(secs) * 1000
        print(f"{name:12}{median:7.1f} ms median, {worst:7.1f} ms worst, {len(secs)} answers")
    ratio = statistics.median(found["observed"]) / statistics.median(found["alone"])
    print(f"observed / alone: x{ratio:.3f} (at most x1.05 is wanted)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="simulated, each side")
    parser.add_argument("--live-rounds", type=int, default=3)
    options = parser.parse_args()
    simulated(options.rounds)
    if options.live_rounds:
        live(options.live_rounds)


if __name__ == "__main__":
    main()
