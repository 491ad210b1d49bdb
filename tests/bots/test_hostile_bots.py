"""Bots as strangers write them: in other shapes, in other files, with other ends."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
from cloud_bots import converse, services
from desk_in_place import REPLACE, in_place
from pipecat.frames.frames import StartFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.runner.utils import create_transport
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.transports.daily.transport import DailyTransport
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams
from pipecat.workers.runner import WorkerRunner

from piopiy_lab import Caller, VoiceAgent, events, offline_stack, simulate, start_call
from piopiy_lab.bots import kinds
from piopiy_lab.errors import ArgumentError, BotError, ServiceError
from piopiy_lab.session.replacing import PARTS
from piopiy_lab.session.signatures import bot_kind

GREETED = Caller().hears_greeting().hangs_up()


def call_of(bot: Any, caller: Caller = GREETED, **options: Any) -> Any:
    return asyncio.run(simulate(bot, caller, **{"replace": REPLACE, **options}))


# --- what a bot was written for, wherever it says so ----------------------------------------------


async def on_a_phone(runner_args: Any) -> None:
    params = {"twilio": lambda: FastAPIWebsocketParams(audio_in_enabled=True)}
    await converse(await create_transport(runner_args, params), runner_args)


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def inner(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return inner


def of_a_factory(run: Callable[..., Any]) -> Callable[..., Any]:
    async def bot(runner_args: Any) -> None:
        await run(runner_args)

    return bot


def of_a_table(params: dict[str, Any]) -> Callable[..., Any]:
    async def bot(runner_args: Any) -> None:
        await converse(await create_transport(runner_args, params), runner_args)

    return bot


async def with_a_setting(run: Callable[..., Any], runner_args: Any) -> None:
    await run(runner_args)


class AsAnObject:
    async def __call__(self, runner_args: Any) -> None:
        await self.talk(runner_args)

    async def talk(self, runner_args: Any) -> None:
        await on_a_phone(runner_args)


def in_another_file() -> Callable[..., Any]:
    other = types.ModuleType("lab_test_transports")
    exec("PARAMS = {'twilio': None}\ndef params(): return PARAMS", vars(other))
    sys.modules[other.__name__] = other
    mine = types.ModuleType("lab_test_bot")
    exec(
        "import lab_test_transports\n"
        "async def bot(runner_args): return lab_test_transports.params()",
        vars(mine),
    )
    return mine.bot


@pytest.mark.parametrize(
    "make",
    [
        lambda: decorated(on_a_phone),
        lambda: of_a_factory(on_a_phone),
        lambda: of_a_table({"twilio": FastAPIWebsocketParams}),
        lambda: functools.partial(with_a_setting, on_a_phone),
        AsAnObject,
        lambda: AsAnObject().talk,
        in_another_file,
    ],
    ids=["decorated", "factory", "table", "partial", "object", "method", "another file"],
)
def test_what_a_bot_was_written_for_is_found_in_all_of_its_code(make):
    assert kinds.kind_of(make()).name == "twilio"


def test_a_decorated_bot_runs():
    call = call_of(decorated(on_a_phone))
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"


def test_a_function_called_bot_names_its_arguments_as_it_likes():
    async def bot(ra: Any) -> None: ...
    async def vendors(line: Any, who: Any) -> None: ...
    async def other(ra: Any) -> None: ...

    vendors.__name__ = "bot"
    assert [bot_kind(one) for one in (bot, vendors, other)] == ["pipecat", "vendor", None]


# --- transports and threads -----------------------------------------------------------------------


def notices(call: Any) -> str:
    return "\n".join(event.message for event in call.events.of(events.NoticeGiven))


async def transport_for(runner_args: Any) -> BaseTransport:
    params = {"webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True)}
    return await create_transport(runner_args, params)


def test_a_bot_that_asks_which_transport_it_has_is_told_the_one_it_made():
    seen: list[bool] = []

    async def bot(runner_args: Any) -> None:
        transport = await transport_for(runner_args)
        seen.extend(isinstance(transport, cls) for cls in (SmallWebRTCTransport, DailyTransport))
        await converse(transport, runner_args)

    call_of(bot).raise_for_error()
    assert seen == [True, False]


def test_a_transport_made_in_a_thread_that_knows_the_call_is_the_calls():
    async def bot(runner_args: Any) -> None:
        transport = await asyncio.to_thread(lambda: asyncio.run(transport_for(runner_args)))
        await converse(transport, runner_args)

    call_of(bot).raise_for_error()


def test_a_transport_made_in_a_thread_that_knows_nothing_says_so():
    async def bot(runner_args: Any) -> None:
        connection = runner_args.webrtc_connection
        assert not hasattr(connection, "event_handler")
        make = functools.partial(SmallWebRTCTransport, connection, TransportParams())
        await asyncio.get_running_loop().run_in_executor(None, make)

    with pytest.raises(BotError, match=r"event_handler is asked of .*asyncio\.to_thread"):
        call_of(bot).raise_for_error()


def test_a_pipeline_on_a_loop_of_its_own_is_refused_at_once():
    async def elsewhere(runner_args: Any) -> None:
        await converse(await transport_for(runner_args), runner_args)

    async def bot(runner_args: Any) -> None:
        await asyncio.to_thread(lambda: asyncio.run(elsewhere(runner_args)))

    with pytest.raises(BotError, match="on a loop of its own, in another thread"):
        call_of(bot).raise_for_error()


# --- replace= that misses -------------------------------------------------------------------------


async def talks(runner_args: Any) -> None:
    await converse(await transport_for(runner_args), runner_args)


def test_what_replaces_nothing_that_the_bot_makes_is_noticed():
    call = call_of(talks, replace={**REPLACE, "AssemblyAISTTService": "screenplay"})
    call.raise_for_error()
    assert "replace= has 'AssemblyAISTTService', and the bot had made nothing" in notices(call)
    assert "replace=" not in notices(call_of(talks))


def test_a_service_made_before_the_call_is_refused_where_it_should_be_replaced():
    made = DeepgramSTTService(api_key="made at import")

    async def bot(runner_args: Any) -> None:
        transport = await transport_for(runner_args)
        await run(Pipeline([transport.input(), made, transport.output()]))

    call = call_of(bot)
    with pytest.raises(BotError, match="'stt': .*did not reach the DeepgramSTTService in the"):
        call.raise_for_error()
    assert call.duration < 3  # not the 20 s that pipecat waits


def test_a_word_of_simulations_is_explained_where_calls_are_live():
    with pytest.raises(ArgumentError, match=r"words like 'screenplay' are for simulate"):
        start_call(talks, GREETED, replace=REPLACE)


def test_a_live_bot_with_replaced_services_needs_no_key(monkeypatch):
    for name in ("DEEPGRAM_API_KEY", "OPENAI_API_KEY", "CARTESIA_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    call = start_call(talks, GREETED, replace={kind: in_place(kind) for kind in PARTS})
    call.join(30)
    call.raise_for_error()
    assert "DEEPGRAM_API_KEY" not in os.environ


# --- what a bot's own code does at odd times ------------------------------------------------------


async def run(pipeline: Pipeline, *, leave: BaseTransport | None = None) -> None:
    worker = PipelineWorker(pipeline)
    if leave is not None:

        @leave.event_handler("on_client_disconnected")
        async def on_left(*_: Any) -> None:
            await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


@pytest.mark.parametrize("event", ["on_client_connected", "on_client_disconnected"])
def test_what_a_handler_raises_is_in_the_calls_log(event):
    async def bot(runner_args: Any) -> None:
        transport = await transport_for(runner_args)

        @transport.event_handler(event)
        async def on_event(*_: Any) -> None:
            raise LookupError("no such tenant")

        await converse(transport, runner_args)

    call = call_of(bot)
    assert [one.message for one in call.events.of(events.ErrorOccurred)][0].startswith(
        f"the handler on_event() of {event} raised LookupError: no such tenant"
    )


def test_what_a_bot_makes_when_the_caller_has_left_is_replaced_too():
    made: list[str] = []

    async def bot(runner_args: Any) -> None:
        transport = await transport_for(runner_args)

        @transport.event_handler("on_client_disconnected")
        async def on_left(*_: Any) -> None:
            made.append(type(OpenAILLMService(api_key="for a summary")).__name__)

        await converse(transport, runner_args)

    call_of(bot).raise_for_error()
    assert made == ["RuleLLMService"]


class Never(STTService):
    """Does not get ready."""

    def __init__(self, when: str) -> None:
        super().__init__(settings=STTSettings(model=None, language=None))
        self._when = when

    async def setup(self, setup: Any) -> None:
        await super().setup(setup)
        await self._wait("setup")

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self._wait("start")

    async def _wait(self, when: str) -> None:
        if when == self._when:
            await asyncio.Event().wait()

    async def run_stt(self, audio: bytes) -> Any:
        yield None


@pytest.mark.parametrize("when", ["setup", "start"])
def test_who_does_not_get_ready_is_named(when):
    async def bot(runner_args: Any) -> None:
        transport = await transport_for(runner_args)
        _, llm, tts = services()
        stages = [transport.input(), Never(when), llm, tts, transport.output()]
        await run(Pipeline(stages), leave=transport)

    call = call_of(bot, replace={kind: REPLACE[kind] for kind in ("llm", "tts")})
    with pytest.raises(ServiceError, match=r"^Never did not get ready within 20 s"):
        call.raise_for_error()


def test_a_bot_that_works_on_after_its_call_is_called_a_bot():
    async def bot(runner_args: Any) -> None:
        await talks(runner_args)
        await asyncio.sleep(60)

    assert "the bot was still at work and was cut off 30 s" in notices(call_of(bot))


def test_a_bot_that_lives_on_when_it_idles_decides_itself():
    asked: list[float] = []

    async def bot(runner_args: Any) -> None:
        transport = await transport_for(runner_args)
        _, llm, tts = services()
        stages = [transport.input(), llm, tts, transport.output()]
        worker = PipelineWorker(Pipeline(stages), idle_timeout_secs=5, cancel_on_idle_timeout=False)

        @worker.event_handler("on_idle_timeout")
        async def on_idle(worker: PipelineWorker) -> None:
            asked.append(asyncio.get_running_loop().time())
            await worker.queue_frame(TTSSpeakFrame("Are you still there?"))

        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await runner.run()

    call = call_of(bot, Caller().waits(18).hangs_up())
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"
    assert len(asked) >= 2
    assert "Are you still there?" in call.transcript[0].text


def test_a_method_of_an_own_transport_does_nothing_in_its_own_way(recwarn):
    class Mine(BaseTransport):
        def input(self) -> Any: ...
        def output(self) -> Any: ...
        def mute(self) -> None: ...
        async def dial(self, number: str) -> None: ...

    async def bot(runner_args: Any) -> None:
        transport = Mine()
        transport.mute()
        await transport.dial("204")
        await converse(transport, runner_args)

    call = call_of(bot)
    call.raise_for_error()
    assert "Mine.mute() does nothing here" in notices(call)
    assert not [one for one in recwarn if "never awaited" in str(one.message)]


def test_a_voice_agent_in_a_bot_is_told_where_it_belongs():
    async def bot(runner_args: Any) -> None:
        agent = VoiceAgent(instructions="You take bookings.", greeting="Hello.")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    with pytest.raises(BotError, match="a VoiceAgent is started inside of a bot"):
        call_of(bot).raise_for_error()


def test_what_a_handler_still_writes_down_when_the_caller_has_left_is_waited_for():
    written: list[str] = []

    async def bot(runner_args: Any) -> None:
        transport = await transport_for(runner_args)

        @transport.event_handler("on_client_disconnected")
        async def on_left(*_: Any) -> None:
            await asyncio.sleep(20)
            written.append("the summary")

        await converse(transport, runner_args)

    call = call_of(bot)
    call.raise_for_error()
    assert written == ["the summary"]
    assert notices(call) == ""


def test_a_pipeline_that_only_speaks_is_told_to_hear():
    async def bot(runner_args: Any) -> None:
        transport = await transport_for(runner_args)
        worker = PipelineWorker(Pipeline([services()[2], transport.output()]))

        @transport.event_handler("on_client_connected")
        async def on_joined(*_: Any) -> None:
            await worker.queue_frame(TTSSpeakFrame("We are closed."))

        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await runner.run()

    with pytest.raises(BotError, match=r"pipeline has no transport\.input\(\)"):
        call_of(bot).raise_for_error()
