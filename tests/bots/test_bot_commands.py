"""A running bot is told what a VoiceAgent is told, where its pipeline has what that needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from cloud_bots import converse, services
from desk_in_place import REPLACE, in_place
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import LLMRunFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.service_switcher import ServiceSwitcher, ServiceSwitcherStrategyManual
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.workers.runner import WorkerRunner

from piopiy_lab import Caller, events, simulate
from piopiy_lab.errors import ArgumentError, CallError
from piopiy_lab.session import commands
from piopiy_lab.session.session import current_session

Running = Callable[[BaseTransport, RunnerArguments], Awaitable[None]]


async def usual(transport: BaseTransport, runner_args: RunnerArguments) -> None:
    await converse(transport, runner_args)


async def without_context(transport: BaseTransport, runner_args: RunnerArguments) -> None:
    """Only speak."""
    _, _, tts = services()
    await _run(transport, [tts])


async def without_voice(transport: BaseTransport, runner_args: RunnerArguments) -> None:
    """Only hear."""
    stt, _, _ = services()
    await _run(transport, [stt])


async def with_two_voices(transport: BaseTransport, runner_args: RunnerArguments) -> None:
    stt, llm, _ = services()
    voices = [
        CartesiaTTSService(api_key="k", settings=CartesiaTTSService.Settings(voice=name), name=name)
        for name in ("anna", "ben")
    ]
    context = LLMContext([{"role": "developer", "content": "You take bookings."}])
    pair = LLMContextAggregatorPair(
        context, user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    switcher = ServiceSwitcher(list(voices), ServiceSwitcherStrategyManual)
    worker = await _run(
        transport, [stt, pair.user(), llm, switcher], behind=[pair.assistant()], first=LLMRunFrame()
    )
    assert worker is not None


async def _run(transport: BaseTransport, parts: list[Any], behind: Any = (), first: Any = None):
    worker = PipelineWorker(Pipeline([transport.input(), *parts, transport.output(), *behind]))

    @transport.event_handler("on_client_connected")
    async def on_joined(*_: Any) -> None:
        if first is not None:
            await worker.queue_frame(first)

    @transport.event_handler("on_client_disconnected")
    async def on_left(*_: Any) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    return worker


def told(
    running: Running, *orders: tuple[float, Any], caller: Caller | None = None, **options: Any
):
    """Run a bot and tell it things at the call's seconds; return the call and what was raised."""
    raised: list[Exception] = []

    async def tell() -> None:
        session = current_session()
        assert session is not None
        for at, command in orders:
            await asyncio.sleep(at - session.now())
            try:
                await session.agents[-1].prepare(command)()
            except (CallError, ArgumentError) as error:
                raised.append(error)

    async def bot(runner_args: RunnerArguments) -> None:
        params = {"webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True)}
        telling = asyncio.create_task(tell())
        await running(await create_transport(runner_args, params), runner_args)
        telling.cancel()

    caller = caller or Caller().waits(12).hangs_up()
    call = asyncio.run(simulate(bot, caller, **{"replace": REPLACE, **options}))
    call.raise_for_error()
    return call, raised


def test_a_bot_says_what_it_is_told():
    call, _ = told(usual, (5.0, commands.Say("The kitchen closes at ten.")))
    assert call.transcript[-1].text.endswith("The kitchen closes at ten.")


def test_a_bot_takes_a_typed_turn():
    call, _ = told(usual, (5.0, commands.UserSays("a table for two tomorrow at seven")))
    assert "What name" in call.events.of(events.AgentTurnAdded)[-1].text


def test_a_bot_is_interrupted():
    call, _ = told(usual, (1.0, commands.Interrupt()))
    assert call.transcript[0].interrupted
    assert call.events.of(events.AgentInterrupted)[0].cause == "command"


def test_a_bots_detector_is_tuned():
    order = Caller().waits(5).says("a table for two tomorrow at seven").hears_reply().hangs_up()
    call, _ = told(usual, (4.0, commands.Tune({"stop_secs": 0.5})), caller=order)
    assert call.events.of(events.SettingsChanged)[0].old == {"stop_secs": 0.2}
    assert 0.45 < call.turns[0].total < 0.6


def test_a_bots_switcher_is_switched():
    both = {**REPLACE, "tts": in_place("tts")}
    call, _ = told(
        with_two_voices,
        (5.0, commands.SwitchService("EspeakTTSService-2")),
        (6.0, commands.Say("This is the other voice.")),
        replace=both,
    )
    switched = call.events.of(events.ServiceSwitched)[0]
    assert (switched.kind, switched.new) == ("tts", "EspeakTTSService-2")
    assert "EspeakTTSService-2" in call.services
    assert call.transcript[-1].text.endswith("This is the other voice.")


@pytest.mark.parametrize(
    ("running", "command", "says"),
    [
        (without_voice, commands.Say("Hello"), "say: this bot's pipeline has no text-to-speech"),
        (without_context, commands.UserSays("Hello"), "user_says: .* has no LLMUserAggregator"),
        (without_context, commands.SwitchService("x"), "switch_service: .* has no ServiceSwitcher"),
        (without_context, commands.Tune({"stop_secs": 0.5}), "has no voice activity detection"),
    ],
)
def test_what_a_pipeline_lacks_is_said(running, command, says):
    _, raised = told(running, (2.0, command))
    with pytest.raises((CallError, ArgumentError), match=says):
        raise raised[0]


def test_keys_reach_a_bot():
    call, _ = told(usual, (5.0, commands.Press("5#")))
    assert [event.digit for event in call.events.of(events.DTMFReceived)] == ["5", "#"]


def test_modelled_latency_acts_on_a_bots_services():
    order = Caller().hears_greeting().says("a table for two tomorrow at seven").hears_reply()
    plain, _ = told(usual, caller=order.hangs_up())
    slow, _ = told(usual, caller=order.hangs_up(), latency={"llm": 0.4, "tts": 0.2})
    for part, secs in {"llm": 0.4, "tts": 0.2}.items():
        assert abs(slow.turns[0].parts[part] - plain.turns[0].parts[part] - secs) < 0.01
