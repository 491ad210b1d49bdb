"""Bots on the wall clock: a scripted caller, a keyboard, and the phone of the loopback platform."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cloud_bots import converse
from desk_in_place import in_place
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.transports.base_transport import BaseTransport, TransportParams
from wait_until import until

from piopiy_lab import Agent, Caller, Keyboard, events, start_call
from piopiy_lab.loopback import LoopbackPlatform

REPLACE = {kind: in_place(kind) for kind in ("stt", "llm", "tts")}
ORDER = (
    Caller()
    .hears_greeting()
    .says("a table for two tomorrow at seven")
    .hears("what name", within=20)
    .hears_reply()
    .hangs_up()
)
TOLD: list[Any] = []


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name in ("DEEPGRAM", "OPENAI", "CARTESIA"):
        monkeypatch.setenv(f"{name}_API_KEY", "nobody's")
    TOLD.clear()


async def bot(runner_args: RunnerArguments) -> None:
    params = {"webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True)}
    TOLD.append(runner_args)
    await converse(await create_transport(runner_args, params), runner_args)


async def vendors_bot(transport: BaseTransport, call: Any) -> None:
    TOLD.append(call)
    await converse(transport)


@pytest.mark.parametrize("agent", [bot, vendors_bot])
def test_a_bot_on_a_scripted_caller(agent):
    call = start_call(agent, ORDER, replace=REPLACE)
    call.join(40)
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"
    assert call.transcript[1].text.startswith("a table for two")  # the hour is the line's
    assert 0.1 < call.turns[0].total < 10
    assert not [one for one in call.services.values() if "Cartesia" in type(one).__name__]


def test_a_bot_is_told_things_from_another_thread():
    call = start_call(bot, Keyboard(voice=False), replace=REPLACE)
    asyncio.run(until(lambda: call.events.of(events.AgentSpeechStopped), secs=20))
    call.user_says("a table for two tomorrow at seven")
    asyncio.run(until(lambda: len(call.events.of(events.AgentSpeechStopped)) > 1, secs=20))
    call.hang_up()
    call.join(10)
    assert "What name" in call.events.of(events.AgentTurnAdded)[-1].text
    assert call.end_reason == "hung_up"


@pytest.mark.parametrize("agent", [bot, vendors_bot])
def test_a_bot_on_the_phone(agent):
    async def main() -> Any:
        async with LoopbackPlatform() as platform:
            desk = Agent(
                "desk",
                platform.agent_token("desk"),
                agent,
                signaling_url=platform.signaling_url,
                rest_url=platform.rest_url,
                replace=REPLACE,
            )
            connected = asyncio.create_task(desk.connect())
            heard = await platform.place_call("desk", ORDER, from_number="+15550100")
            (ours,) = desk.calls
            await desk.shutdown()
            await connected
            return heard, ours

    heard, ours = asyncio.run(main())
    heard.raise_for_error()
    ours.raise_for_error()
    assert heard.end_reason == ours.end_reason == "caller_hung_up"
    assert ours.transcript[1].text.startswith("a table for two")
    assert len(heard.transcript) >= 3
    if agent is vendors_bot:
        assert TOLD[0].from_number == "+15550100"
