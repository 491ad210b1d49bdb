"""Bots that know nothing of us, run unchanged: which of them are bots, and what a call sees."""

from __future__ import annotations

import asyncio
import functools
import os
from typing import Any

import numpy as np
import pytest
from cloud_bots import converse
from desk_in_place import REPLACE
from pipecat.audio.filters.base_audio_filter import BaseAudioFilter
from pipecat.pipeline.worker import PipelineParams
from pipecat.runner.types import (
    DailyRunnerArguments,
    RunnerArguments,
    SmallWebRTCRunnerArguments,
    WebSocketRunnerArguments,
)
from pipecat.runner.utils import create_transport, parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.transports.websocket.fastapi import (
    FastAPIWebsocketParams,
    FastAPIWebsocketTransport,
)
from pipecat_piopiy.processors import PiopiyEventsProcessor

from piopiy_lab import Caller, VoiceAgent, events, offline_stack, simulate
from piopiy_lab.errors import ArgumentTypeError
from piopiy_lab.session.commands import Transfer
from piopiy_lab.session.session import current_session
from piopiy_lab.session.signatures import bot_kind
from piopiy_lab.session.transport import TransportSettings
from piopiy_lab.transports.room import room_params

ORDER = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .hears("what name", within=5)
    .interrupts("my name is anna", after=1.0)
    .hears_reply()
    .hangs_up()
)


async def webrtc_bot(runner_args: RunnerArguments) -> None:
    """Take the transport that pipecat chooses."""
    params = {
        "twilio": lambda: FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True),
        "webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True),
    }
    await converse(await create_transport(runner_args, params), runner_args)


async def bot_that_builds_by_hand(runner_args: SmallWebRTCRunnerArguments) -> None:
    transport = SmallWebRTCTransport(
        webrtc_connection=runner_args.webrtc_connection,
        params=TransportParams(audio_in_enabled=True, audio_out_enabled=True),
    )
    await converse(transport, runner_args)


async def phone_bot(runner_args: RunnerArguments) -> None:
    """Be on the phone: 8 kHz, and numbers from the provider's handshake."""
    params = {
        "twilio": lambda: FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True)
    }
    transport = await create_transport(runner_args, params)
    TOLD.append((runner_args.transport_type, runner_args.call_data))  # type: ignore[attr-defined]
    rates = PipelineParams(audio_in_sample_rate=8000, audio_out_sample_rate=8000)
    await converse(transport, runner_args, params=rates)


async def phone_bot_by_hand(runner_args: WebSocketRunnerArguments) -> None:
    provider, data = await parse_telephony_websocket(runner_args.websocket)
    TOLD.append((provider, data))
    serializer = TwilioFrameSerializer(
        stream_sid=data["stream_id"],
        call_sid=data["call_id"],
        account_sid=os.environ["TWILIO_ACCOUNT_SID"],
        auth_token=os.environ["TWILIO_AUTH_TOKEN"],
    )
    transport = FastAPIWebsocketTransport(
        websocket=runner_args.websocket,
        params=FastAPIWebsocketParams(
            audio_in_enabled=True, audio_out_enabled=True, serializer=serializer
        ),
    )
    await converse(transport, runner_args)


async def vendors_bot(transport: BaseTransport, call: Any) -> None:
    TOLD.append(call)
    await converse(transport, greet_on="on_first_participant_joined", leave_on=None)


TOLD: list[Any] = []


def call_of(bot: Any, caller: Any = ORDER, **options: Any) -> Any:
    TOLD.clear()
    call = asyncio.run(simulate(bot, caller, **{"replace": REPLACE, **options}))
    call.raise_for_error()
    return call


# --- which of them are bots -----------------------------------------------------------------------


class Bot:
    async def __call__(self, runner_args: Any) -> None: ...


async def _args_by_type(arguments: DailyRunnerArguments) -> None: ...
async def _args_by_text(arguments: DailyRunnerArguments) -> None: ...
async def _with_more(runner_args: Any, *, debug: bool = False) -> None: ...
async def _call_and_transport_by_type(line: BaseTransport, who: PiopiyCall) -> None: ...  # noqa: F821
async def _session(call_id: str, metadata: object = None) -> None: ...
async def _session_with_everything(**kwargs: Any) -> None: ...
async def _session_without() -> None: ...
async def _session_of_one(metadata: object) -> None: ...


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        (webrtc_bot, "pipecat"),
        (Bot(), "pipecat"),
        (_args_by_type, "pipecat"),
        (_args_by_text, "pipecat"),
        (_with_more, "pipecat"),
        (functools.partial(_with_more, debug=True), "pipecat"),
        (vendors_bot, "vendor"),
        (_call_and_transport_by_type, "vendor"),
        (_session, None),
        (_session_with_everything, None),
        (_session_without, None),
        (_session_of_one, None),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_the_signature_tells_a_bot_from_a_session(agent, kind):
    assert bot_kind(agent) == kind


async def test_what_is_neither_is_refused_with_all_three_ways():
    async def neither(transport, runner_args): ...

    ways = r"'transport', which no call has.*bot\(runner_args\).*bot\(transport, call\)"
    with pytest.raises(ArgumentTypeError, match=ways):
        await simulate(neither, Caller())


# --- what a call sees -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bot", [webrtc_bot, bot_that_builds_by_hand, phone_bot, phone_bot_by_hand, vendors_bot]
)
def test_a_bot_runs_unchanged_and_all_is_seen(bot):
    call = call_of(bot)
    assert call.end_reason == "caller_hung_up"
    assert [entry.role for entry in call.transcript][:4] == [
        *("assistant", "user", "assistant", "user")
    ]
    assert call.transcript[1].text == "a table for two tomorrow at seven"
    assert call.transcript[2].interrupted
    assert 0.1 < call.turns[0].total < 0.6
    assert {"stt", "llm", "tts"} <= set(call.services)
    assert len(call.events.of(events.AgentInterrupted)) == 1
    assert call.events.of(events.ContextSent)[-1].messages[-1]["content"] == "my name is anna"
    assert call.events.of(events.VADSampled)
    assert call.recording.shape[1] == 2
    assert abs(len(call.recording) / 24000 - call.duration) < 0.1
    assert not call.events.of(events.ErrorOccurred)


def test_a_bots_call_is_the_same_twice(tmp_path):
    for run in ("one", "two"):
        call_of(webrtc_bot, record=tmp_path / run)
    for file in ("events.jsonl", "call.wav"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_the_same_pipeline_gives_the_same_conversation_as_a_voice_agent():
    """What a bot's call says of words, turns and latencies is what a VoiceAgent's says."""

    async def session() -> None:
        agent = VoiceAgent(instructions="You take bookings.")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    caller = (
        Caller()
        .says("a table for two tomorrow at seven")
        .hears("what name", within=5)
        .hears_reply()
        .says("my name is anna")
        .hears_reply()
        .hangs_up()
    )
    quiet = functools.partial(_bot_that_waits, greet_on="on_nothing")
    ours = asyncio.run(simulate(session, caller, replace={"stt": "screenplay"}))
    theirs = call_of(quiet, caller)
    texts = [[(entry.role, entry.text) for entry in call.transcript] for call in (ours, theirs)]
    assert texts[0] == texts[1]
    for one, other in zip(ours.turns, theirs.turns, strict=True):
        assert abs(one.total - other.total) < 0.03


async def _bot_that_waits(runner_args: RunnerArguments, greet_on: str) -> None:
    params = {"webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True)}
    transport = await create_transport(runner_args, params)
    await converse(transport, runner_args, greet_on=greet_on)


def test_times_are_the_calls_when_the_pipeline_begins_late():
    """A pipeline's clock begins with the pipeline; a bot may look something up before."""

    async def bot(runner_args: RunnerArguments) -> None:
        await asyncio.sleep(3)
        await webrtc_bot(runner_args)

    call = call_of(bot, Caller().hears_greeting().hangs_up())
    assert call.events.of(events.PipelineStarted)[0].at == pytest.approx(3.0, abs=0.01)
    assert call.events.of(events.LLMResponseStarted)[0].at == pytest.approx(3.0, abs=0.01)
    assert call.events.of(events.AgentSpeechStarted)[0].at == pytest.approx(3.0, abs=0.1)


# --- what a bot is told ---------------------------------------------------------------------------


@pytest.mark.parametrize("bot", [phone_bot, phone_bot_by_hand])
def test_a_phone_bot_learns_its_provider_and_the_numbers(bot):
    call_of(bot, from_number="+15550100", to_number="+15550199", variables={"plan": "gold"})
    provider, data = TOLD[0]
    assert provider == "twilio"
    assert (data.from_number, data.to_number, data.call_id) == ("+15550100", "+15550199", "sim-1")
    assert data.body["plan"] == "gold"


def test_a_bots_pipeline_has_the_rates_that_it_asks_for():
    call = call_of(phone_bot)
    started = call.events.of(events.PipelineStarted)[0]
    assert (started.audio_in_sample_rate, started.audio_out_sample_rate) == (8000, 8000)


class Halving(BaseAudioFilter):
    """A filter as bots give one to their transport."""

    def __init__(self) -> None:
        self.filtered = 0

    async def start(self, sample_rate: int) -> None: ...
    async def stop(self) -> None: ...
    async def process_frame(self, frame: Any) -> None: ...

    async def filter(self, audio: bytes) -> bytes:
        self.filtered += len(audio)
        return (np.frombuffer(audio, np.int16) // 2).tobytes()


def test_a_bots_filter_is_in_its_sound_here_and_on_the_phone():
    halving = Halving()

    async def bot(runner_args: RunnerArguments) -> None:
        params = TransportParams(
            audio_in_enabled=True, audio_out_enabled=True, audio_in_filter=halving
        )
        await converse(await create_transport(runner_args, {"webrtc": lambda: params}), runner_args)

    call_of(bot, Caller().hears_greeting().hangs_up())
    assert halving.filtered > 16000
    on_the_phone = room_params(TransportSettings(sound_params={"audio_in_filter": halving}))
    assert on_the_phone.audio_in_filter is halving


def test_the_vendors_bot_is_told_of_the_call():
    call_of(
        vendors_bot,
        direction="outbound",
        from_number="+15550100",
        to_number="204",
        variables={"campaign": "spring"},
        sip_headers={"X-SIP-Account-ID": "site-7"},
    )
    told = TOLD[0]
    assert (told.call_id, told.agent_id, told.room_name) == ("sim-1", "local", "sim-1")
    assert (told.direction, told.from_number, told.to_number) == ("outbound", "+15550100", "204")
    assert told.variables == {"campaign": "spring"}
    assert (told.is_inbound, told.is_sip_connect, told.sip_account_id) == (False, True, "site-7")


def test_the_vendors_processor_says_how_a_transfer_stands_and_we_do_not():
    async def bot(transport: BaseTransport, call: Any) -> None:
        session = current_session()

        async def transfers() -> None:
            await asyncio.sleep(4)
            await session.agents[-1].prepare(Transfer("+442012345678"))()

        task = asyncio.create_task(transfers())
        await converse(transport, first=[PiopiyEventsProcessor(call)])
        await task

    caller = Caller().hears_greeting().hears("line is busy", within=20).hears_reply().hangs_up()
    call = call_of(bot, caller, transfer_outcomes={"+442012345678": "busy"})
    said = " ".join(entry.text for entry in call.transcript)
    assert "I'm connecting you now." in said  # the vendor's words, not ours
    assert said.count("busy") == 1


class Raises:
    """Something that listens to the room as the vendor's processors do, and fails."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def on_room_data(self, data: bytes, participant: Any) -> None:
        raise self.error


class ListensWithoutAwait:
    """The same, written as a plain function that returns nothing to wait for."""

    def on_room_data(self, data: bytes, participant: Any) -> None:
        TOLD.append(data)


@pytest.mark.parametrize(
    ("listener", "words"),
    [
        (
            Raises(ValueError("no such status")),
            "the listener Raises.on_room_data() raised ValueError: no such status",
        ),
        (Raises(asyncio.CancelledError()), "Raises.on_room_data() raised CancelledError"),
        (ListensWithoutAwait(), "ListensWithoutAwait.on_room_data() raised TypeError"),
        (object(), "object.on_room_data() raised AttributeError"),
    ],
)
def test_a_listener_that_raises_is_an_event_and_the_others_are_told(listener, words):
    async def bot(transport: BaseTransport, call: Any) -> None:
        session = current_session()

        async def transfers() -> None:
            await asyncio.sleep(4)
            await session.agents[-1].prepare(Transfer("+442012345678"))()

        task = asyncio.create_task(transfers())
        call._listeners.append(listener)
        await converse(transport, first=[PiopiyEventsProcessor(call)])
        await task

    caller = Caller().hears_greeting().hears("line is busy", within=20).hears_reply().hangs_up()
    call = call_of(bot, caller, transfer_outcomes={"+442012345678": "busy"})
    said = " ".join(entry.text for entry in call.transcript)
    assert "I'm connecting you now." in said  # the vendor's words, not ours
    assert said.count("busy") == 1
    (error,) = call.events.of(events.ErrorOccurred)  # once, for the same line
    assert words in error.message
    assert error.source.startswith("listener ")


@pytest.mark.parametrize(
    ("handles", "direction", "told"),
    [
        (("on_dialin_connected", "on_dialout_answered"), "inbound", ["on_dialin_connected"]),
        (("on_dialin_connected", "on_dialout_answered"), "outbound", ["on_dialout_answered"]),
        (("on_dialin_connected", "on_dialout_answered"), None, ["on_dialin_connected"]),
        (("on_dialout_answered",), None, ["on_dialout_answered"]),
    ],
)
def test_a_call_goes_one_way(handles, direction, told):
    """A bot that answers and dials greets once."""

    async def bot(runner_args: RunnerArguments) -> None:
        params = {"webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True)}
        transport = await create_transport(runner_args, params)
        for name in handles:

            @transport.event_handler(name)
            async def on_line(transport: BaseTransport, data: Any, name: str = name) -> None:
                TOLD.append(name)

        await converse(transport, runner_args)

    call_of(bot, Caller().hears_greeting().hangs_up(), direction=direction)
    assert told == TOLD


def test_a_bots_body_is_the_metadata():
    async def curious(runner_args: RunnerArguments) -> None:
        TOLD.append(runner_args.body)
        TOLD.append(runner_args.handle_sigint)
        await _bot_that_waits(runner_args, "on_client_connected")

    call_of(curious, metadata='{"plan": "gold"}')
    assert TOLD == [{"plan": "gold"}, False]


def test_a_session_may_ask_for_the_calls_details():
    told: list[object] = []

    async def session(direction, variables, sip_headers, trace_id, call_id):
        told.append((direction, variables, sip_headers, trace_id, call_id))
        agent = VoiceAgent(instructions="You take bookings.", greeting="Hello")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    caller = Caller().hears_greeting().hangs_up()
    asyncio.run(
        simulate(session, caller, direction="inbound", variables={"a": "b"}, sip_headers={"X": "y"})
    )
    assert told == [("inbound", {"a": "b"}, {"X": "y"}, None, "sim-1")]


def test_a_deprecated_class_that_was_imported_before_is_stood_in_for_too():
    from pipecat.evals.transport import EvalTransport, EvalTransportParams

    made = []

    async def bot(runner_args):
        params = EvalTransportParams(audio_in_enabled=True, audio_out_enabled=True)
        made.append(EvalTransport(params))
        raise ConnectionError("enough")

    asyncio.run(simulate(bot, Caller().waits(1)))
    assert type(made[0]).__name__ == "BotTransport"
    with pytest.warns(DeprecationWarning, match="EvalTransport") as warned:
        assert type(EvalTransport(EvalTransportParams())) is EvalTransport
    assert warned[0].filename == __file__  # whoever makes one is told, as before
