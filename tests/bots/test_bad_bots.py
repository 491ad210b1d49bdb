"""What a bot may do wrong, or what can't be done for it: an error or a notice that says what."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
import types
from typing import Any

import pytest
from cloud_bots import converse, services
from desk_in_place import REPLACE, in_place
from pipecat.frames.frames import TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.workers.runner import WorkerRunner

from piopiy_lab import Caller, VoiceAgent, events, offline_stack, simulate, start_call
from piopiy_lab.bots import kinds
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, BotError

GREETED = Caller().hears_greeting().hangs_up()
WAITS = Caller().waits(5).hangs_up()


async def transport_for(runner_args: RunnerArguments, **more: Any) -> BaseTransport:
    return await create_transport(
        runner_args,
        {"webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True, **more)},
    )


def call_of(bot: Any, caller: Caller = WAITS, **options: Any) -> Any:
    return asyncio.run(simulate(bot, caller, **{"replace": REPLACE, **options}))


def notices(call: Any) -> str:
    return "\n".join(event.message for event in call.events.of(events.NoticeGiven))


# --- pipelines ------------------------------------------------------------------------------------


async def makes_no_transport(runner_args: RunnerArguments) -> None:
    services()


async def runs_no_pipeline(runner_args: RunnerArguments) -> None:
    await transport_for(runner_args)


async def runs_another_pipeline(runner_args: RunnerArguments) -> None:
    await transport_for(runner_args)
    _, llm, _ = services()
    worker = PipelineWorker(Pipeline([llm]))
    await worker.stop_when_done()
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


@pytest.mark.parametrize(
    ("bot", "says"),
    [
        (makes_no_transport, "returned and made no transport: take it from create_transport"),
        (runs_no_pipeline, "returned and ran no pipeline with its transport in it: put"),
        (runs_another_pipeline, "returned and ran no pipeline with its transport in it: put"),
    ],
)
def test_a_bot_that_starts_no_pipeline_is_told_what_to_write(bot, says):
    call = call_of(bot)
    assert call.end_reason == "error"
    with pytest.raises(BotError, match=f"{bot.__name__} {says}"):
        call.raise_for_error()


def test_two_pipelines_on_one_transport_are_refused():
    async def bot(runner_args: RunnerArguments) -> None:
        transport = await transport_for(runner_args)
        await asyncio.gather(converse(transport, runner_args), converse(transport, runner_args))

    call = call_of(bot)
    with pytest.raises(BotError, match="a second pipeline on the transport that its first one has"):
        call.raise_for_error()


def test_two_transports_are_refused():
    async def bot(runner_args: RunnerArguments) -> None:
        await transport_for(runner_args)
        SmallWebRTCTransport(params=TransportParams(), webrtc_connection=None)  # type: ignore[arg-type]

    with pytest.raises(BotError, match="a second transport, SmallWebRTCTransport, beside"):
        call_of(bot).raise_for_error()


def test_an_exception_of_the_bots_is_the_calls():
    async def bot(runner_args: RunnerArguments) -> None:
        await transport_for(runner_args)
        raise LookupError("no such tenant")

    call = call_of(bot)
    assert call.end_reason == "error"
    with pytest.raises(LookupError, match="no such tenant"):
        call.raise_for_error()


# --- transports -----------------------------------------------------------------------------------


def test_what_the_other_transport_would_have_done_is_noticed_not_done():
    async def bot(runner_args: RunnerArguments) -> None:
        transport = await transport_for(runner_args, video_out_enabled=True)
        await transport.capture_participant_audio("somebody")  # type: ignore[attr-defined]

        @transport.event_handler("on_app_message")
        async def on_message(*_: Any) -> None: ...

        with pytest.raises(BotError, match=r"SmallWebRTCTransport\.no_such_thing: the lab's"):
            _ = transport.no_such_thing  # type: ignore[attr-defined]
        assert not hasattr(transport, "no_such_thing")
        await converse(transport, runner_args)

    call = call_of(bot, GREETED)
    call.raise_for_error()
    assert "video_out_enabled mean nothing here" in notices(call)
    assert "capture_participant_audio() does nothing here" in notices(call)
    assert "nothing in this call brings about on_app_message, which the bot handles" in notices(
        call
    )


def test_a_bot_whose_transport_would_not_hear_is_told():
    async def bot(runner_args: RunnerArguments) -> None:
        params = {"webrtc": lambda: TransportParams(audio_out_enabled=True)}
        await converse(await create_transport(runner_args, params), runner_args)

    assert "no audio_in_enabled=True" in notices(call_of(bot, GREETED))


def test_a_transport_whose_package_is_missing_is_named_before_the_bot_runs(monkeypatch):
    monkeypatch.setitem(sys.modules, "pipecat.transports.vonage.video_connector", None)

    async def bot(runner_args: RunnerArguments) -> None:
        await create_transport(runner_args, {"vonage": lambda: TransportParams()})

    with pytest.raises(BotError, match="bot was written for vonage .*: install what pipecat wants"):
        call_of(bot).raise_for_error()


def test_of_several_kinds_the_first_that_is_installed_is_taken(monkeypatch):
    async def bot(runner_args: RunnerArguments) -> None:
        await create_transport(runner_args, {"twilio": TransportParams, "webrtc": TransportParams})

    assert kinds.kind_of(bot).name == "webrtc"
    monkeypatch.setitem(sys.modules, "pipecat.transports.smallwebrtc.transport", None)
    assert kinds.kind_of(bot).name == "twilio"


# --- the process ----------------------------------------------------------------------------------


def test_a_bot_may_not_take_the_processs_signals():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    async def bot(runner_args: RunnerArguments) -> None:
        transport = await transport_for(runner_args)
        signal.signal(signal.SIGTERM, lambda *_: None)
        await converse(transport, runner_args, runner=WorkerRunner(handle_sigint=True))

    call = call_of(bot, GREETED)
    call.raise_for_error()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert "the bot wants to handle signals" in notices(call)
    assert "the bot took SIGTERM with signal.signal()" in notices(call)


def test_a_bot_that_does_not_leave_is_ended():
    async def bot(runner_args: RunnerArguments) -> None:
        await converse(await transport_for(runner_args), runner_args, leave_on=None)

    call = call_of(bot, GREETED)
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"
    stopped = call.events.of(events.CallerStepFinished)[-1].at
    assert call.duration - stopped < 2.5


def test_a_bot_that_idles_ends_by_its_own_limit():
    async def bot(runner_args: RunnerArguments) -> None:
        runner_args.pipeline_idle_timeout_secs = 20
        await converse(await transport_for(runner_args), runner_args)

    call = call_of(bot, Caller().hears_greeting().waits(60).hangs_up())
    assert call.end_reason == "idle_timeout"
    assert 20 < call.duration < 30


def test_a_bot_that_ends_the_call_itself_says_its_last_words():
    async def bot(runner_args: RunnerArguments) -> None:
        transport = await transport_for(runner_args)
        stt, llm, tts = services()
        worker = PipelineWorker(Pipeline([transport.input(), tts, transport.output()]))

        @transport.event_handler("on_client_connected")
        async def on_joined(*_: Any) -> None:
            await worker.queue_frame(TTSSpeakFrame("We are closed."))
            await worker.stop_when_done()

        runner = WorkerRunner(handle_sigint=runner_args.handle_sigint)
        await runner.add_workers(worker)
        await runner.run()

    call = call_of(bot, Caller().waits(30).hangs_up())
    call.raise_for_error()
    assert call.end_reason == "agent_ended"
    assert [entry.text for entry in call.transcript] == ["We are closed."]
    assert not call.transcript[0].interrupted
    assert "this bot's pipeline doesn't tell" in notices(call)
    assert "it has no LLMUserAggregator" in notices(call)


# --- services -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [DeepgramSTTService, "DeepgramSTTService", "stt", "STTService"])
def test_a_service_is_replaced_by_class_by_name_or_by_kind(key):
    async def bot(runner_args: RunnerArguments) -> None:
        await converse(await transport_for(runner_args), runner_args)

    others = {kind: REPLACE[kind] for kind in ("llm", "tts")}
    call = call_of(bot, GREETED, replace={key: "screenplay", **others})
    call.raise_for_error()
    assert type(call.services["stt"]).__name__ == "ScreenplaySTTService"


def test_a_replacement_of_the_very_class_is_the_one_that_was_given():
    made: list[Any] = []

    def another() -> Any:
        made.append(DeepgramSTTService(api_key="another's", sample_rate=16000))
        return made[-1]

    async def bot(runner_args: RunnerArguments) -> None:
        transport = await transport_for(runner_args)
        stt = DeepgramSTTService(api_key="the bot's own")
        assert stt is made[0]
        assert isinstance(stt, DeepgramSTTService)
        worker = PipelineWorker(Pipeline([transport.input(), transport.output()]))
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await runner.run()

    call_of(bot, replace={"stt": another}).raise_for_error()
    assert made[0]._init_sample_rate == 16000, "it was not made again, with the bot's arguments"


def test_one_service_for_two_places_is_refused():
    async def bot(runner_args: RunnerArguments) -> None:
        await transport_for(runner_args)
        services()
        services()

    _, llm, _ = offline_stack()
    with pytest.raises(ArgumentError, match="give a function that makes one"):
        call_of(bot, replace={**REPLACE, "llm": llm}).raise_for_error()


def test_a_service_of_another_kind_is_refused():
    async def bot(runner_args: RunnerArguments) -> None:
        await converse(await transport_for(runner_args), runner_args)

    wrong = {**REPLACE, "OpenAILLMService": lambda: offline_stack()[2]}
    with pytest.raises(ArgumentTypeError, match="in place of a OpenAILLMService: give one of pip"):
        call_of(bot, replace=wrong).raise_for_error()


@pytest.mark.parametrize("key", ["vad", 7, "Deepgram"])
def test_what_replaces_nothing_is_refused(key):
    async def bot(runner_args: RunnerArguments) -> None: ...

    with pytest.raises(ArgumentError, match="or the class of a service, or its name"):
        call_of(bot, replace={key: "screenplay"})


def test_a_whole_stack_stands_in():
    async def bot(runner_args: RunnerArguments) -> None:
        await converse(await transport_for(runner_args), runner_args)

    call = call_of(bot, GREETED, replace=offline_stack())
    call.raise_for_error()
    assert {type(one).__name__ for one in call.services.values()} == {
        *("PhraseSTTService", "RuleLLMService", "EspeakTTSService")
    }


@pytest.mark.parametrize("given", [("one", "two"), "offline", 3])
def test_what_is_no_replacement_is_refused(given):
    async def bot(runner_args: RunnerArguments) -> None: ...

    with pytest.raises(ArgumentTypeError, match=r"give a dict, .* or offline_stack\(\)"):
        call_of(bot, replace=given)


def test_outside_of_its_call_nothing_of_a_bots_is_replaced():
    async def bot(runner_args: RunnerArguments) -> None:
        await converse(await transport_for(runner_args), runner_args)

    call_of(bot, GREETED).raise_for_error()
    assert type(DeepgramSTTService(api_key="k")) is DeepgramSTTService


def test_another_call_that_a_bot_begins_is_not_the_bots():
    """Its code runs in a copy of the bot's context."""

    async def other() -> None:
        agent = VoiceAgent(instructions="You take bookings.", greeting="Hello")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        assert type(DeepgramSTTService(api_key="k")) is DeepgramSTTService
        await agent.start()

    begun: list[Any] = []

    async def bot(runner_args: RunnerArguments) -> None:
        transport = await transport_for(runner_args)
        assert type(DeepgramSTTService(api_key="k")) is not DeepgramSTTService
        begun.append(start_call(other, Caller().hears_greeting().hangs_up()))
        await converse(transport, runner_args)

    call = start_call(
        bot, Caller().waits(0.5).hangs_up(), replace={**REPLACE, "stt": in_place("stt")}
    )
    call.join(30)
    call.raise_for_error()
    begun[0].join(30)
    begun[0].raise_for_error()
    assert begun[0].transcript[0].text == "Hello"


# --- on the wall clock ----------------------------------------------------------------------------


def test_a_bots_signals_are_refused_in_a_live_call_too():
    async def bot(runner_args: RunnerArguments) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
        raise RuntimeError("far enough")

    call = start_call(bot, Caller().waits(1).hangs_up())
    call.join(10)
    assert "the bot wants to handle signals" in notices(call)
    with pytest.raises(RuntimeError, match="far enough"):
        call.raise_for_error()


def test_a_live_bot_leaves_the_main_threads_signals_alone():
    """A notebook's kernel changes its SIGINT with every cell, while a call of another one runs."""

    async def bot(runner_args: RunnerArguments) -> None:
        await converse(await transport_for(runner_args), runner_args)

    before = signal.getsignal(signal.SIGINT)
    call = start_call(bot, Caller().waits(1).hangs_up(), replace=offline_stack())
    try:
        while not call.events.of(events.PipelineStarted):
            time.sleep(0.01)
        signal.signal(signal.SIGINT, lambda *_: None)
        call.join(20)
    finally:
        signal.signal(signal.SIGINT, before)
    call.raise_for_error()
    assert "signal.signal" not in notices(call)


def test_models_that_a_live_bot_needs_load_on_another_thread(monkeypatch):
    where: list[str] = []
    monkeypatch.setattr("piopiy_lab.bots.start.load_models", lambda: where.append(_running_loop()))

    async def bot(runner_args: RunnerArguments) -> None:
        where.append(_running_loop())

    start_call(bot, Caller().waits(1).hangs_up()).join(10)
    assert where == ["none", "a loop"]


def _running_loop() -> str:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return "none"
    return "a loop"


def test_after_a_bot_a_session_on_the_same_loop_is_no_bot():
    async def bot(runner_args: RunnerArguments) -> None:
        raise RuntimeError("far enough")

    async def session() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)

    start_call(bot, Caller().waits(1).hangs_up()).join(10)
    call = start_call(session, Caller().waits(1).hangs_up())
    call.join(10)
    assert "the bot wants" not in notices(call)
    assert isinstance(call.error, RuntimeError | ValueError), "as asyncio says off the main thread"


def test_a_module_without_a_name_can_hold_a_bot():
    """A bot from a notebook's cell, or from exec()."""
    module = types.ModuleType("__main__")
    exec("async def bot(runner_args): raise RuntimeError('ran')", vars(module))
    with pytest.raises(RuntimeError, match="ran"):
        call_of(module.bot).raise_for_error()
