"""The whole telephony on this machine: ``Agent``, call control, hostile invites, lost links."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from clients import HandMadeAgent
from wait_until import until

from piopiy_lab import Agent, Caller, VoiceAgent, events, offline_stack
from piopiy_lab.errors import CallError, LoopbackError, ScreenplayError
from piopiy_lab.loopback import LinkSettings, LoopbackPlatform


async def create_session(call_id):
    agent = VoiceAgent(instructions="You take bookings.", greeting="Hello there.")
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()


@contextlib.asynccontextmanager
async def agent_on(platform, session=create_session, **options):
    agent = Agent(
        "desk",
        platform.agent_token("desk"),
        session,
        signaling_url=platform.signaling_url,
        rest_url=platform.rest_url,
        **options,
    )
    connected = asyncio.create_task(agent.connect())
    try:
        yield agent
    finally:
        await agent.shutdown()
        await connected


def test_the_agent_transfers_over_rest_and_the_caller_goes():
    async def main():
        async with LoopbackPlatform() as platform, agent_on(platform) as agent:
            platform.transfer_outcomes["+442099999999"] = "busy"
            call = asyncio.create_task(
                platform.place_call("desk", Caller().hears_greeting().waits(30))
            )
            await platform.wait_answered()
            (ours,) = agent.calls
            await until(lambda: ours.events.of(events.AgentSpeechStopped))
            ours.transfer("+442099999999")
            await until(lambda: ours.events.of(events.TransferFinished))
            ours.transfer("+442012345678")
            return await call, await ours.wait()

    heard, ours = asyncio.run(main())
    assert heard.end_reason == ours.end_reason == "agent_ended"
    for call, plus in ((heard, ""), (ours, "+")):
        rang, ended = (
            call.events.of(events.TransferStarted),
            call.events.of(events.TransferFinished),
        )
        assert [(e.to, e.status) for e in ended] == [
            (f"{plus}442099999999", "failed"),
            (f"{plus}442012345678", "transferred"),
        ]
        assert [e.request_id for e in rang] == [e.request_id for e in ended]
    assert "their line is busy" in ours.transcript[-1].text  # the caller was told


def test_a_caller_who_is_hung_up_on_in_the_middle_has_not_passed():
    async def main():
        async with LoopbackPlatform() as platform, HandMadeAgent(platform) as agent:
            caller = Caller().hears_greeting().says("a table for two").hears("reference", within=20)
            work = asyncio.create_task(platform.place_call("desk", caller))
            phone = await platform.wait_answered()
            await until(lambda: phone.log.of(events.CallerStepFinished))
            await agent.leave()
            return await work

    call = asyncio.run(main())
    assert call.end_reason == "agent_ended"
    (failed,) = call.events.of(events.CallerStepFailed)
    assert failed.number in (2, 3), "as far as the caller came"
    with pytest.raises(ScreenplayError, match="the agent ended the call first"):
        call.raise_for_error()


def test_what_a_session_raises_after_the_call_is_told_to_on_session_error():
    told = []

    async def saves_in_vain(call_id):
        await create_session(call_id)
        raise KeyError("saving the booking failed")

    async def main():
        options = {"on_session_error": lambda room, error: told.append(error)}
        async with LoopbackPlatform() as platform:
            async with agent_on(platform, saves_in_vain, **options) as agent:
                await platform.place_call("desk", Caller().hears_greeting().hangs_up())
                await until(lambda: told)
            return agent.calls[0]

    call = asyncio.run(main())
    assert call.end_reason == "caller_hung_up"
    assert [call.error] == told
    with pytest.raises(KeyError, match="saving the booking failed"):
        call.raise_for_error()


def test_a_thousand_hostile_invites_and_then_a_good_call():
    wild = [
        None, 7, "text", [], {}, {"room_name": 3}, {"room_name": "r"},
        {"room_name": "r", "token": {}}, {"room_name": "\x00\x1b[2J", "token": "t"},
        {"room_name": "r" * 5000, "token": "t"}, {"room_name": "r", "token": "t", "url": "file:x"},
        {"room_name": "r", "token": "t", "url": 7, "metadata": "x" * 50_000},
    ]  # fmt: skip

    async def main():
        async with LoopbackPlatform() as platform, agent_on(platform) as agent:
            await until(lambda: platform.agents)
            for number in range(1000):
                assert await platform.invite(wild[number % len(wild)]) == 1
                if number % 3 == 0:
                    await platform.cancel(f"room-{number}")
            call = await platform.place_call("desk")
            return call, agent.calls, len(platform.agents)

    call, ours, agents = asyncio.run(main())
    call.raise_for_error()
    assert call.transcript == [("assistant", "Hello there.")]
    assert [c.end_reason for c in ours] == ["caller_hung_up"]
    assert agents == 1


def test_a_call_over_a_bad_link_is_still_a_call():
    link = LinkSettings(loss=0.05, jitter_secs=0.04, delay_secs=0.03)

    async def main():
        async with LoopbackPlatform(link=link) as platform, agent_on(platform):
            caller = (
                Caller().hears_greeting().says("a table for two").hears("two people").hangs_up()
            )
            call = await platform.place_call("desk", caller)
            traffic = platform.calls[call.call_id].room.link.to_agent
            return call, traffic

    call, traffic = asyncio.run(main())
    call.raise_for_error()
    assert traffic.dropped > 3
    assert traffic.late_secs / traffic.passed > 0.03


def test_a_link_that_is_cut_for_good_loses_the_call():
    async def main():
        async with LoopbackPlatform(gone_secs=1.0) as platform, HandMadeAgent(platform):
            work = asyncio.create_task(platform.place_call("desk", Caller().waits(60)))
            phone = await platform.wait_answered()
            for command in (
                lambda: phone.call.say("hello"), lambda: phone.call.press("1"),
                lambda: phone.call.interrupt(), lambda: phone.call.tune(stop_secs=0.3),
            ):  # fmt: skip
                with pytest.raises(CallError, match="the caller's end of a call"):
                    command()
            platform.cut_link(phone.room.name)
            async with asyncio.timeout(10):
                return await work, platform.rooms

    call, rooms = asyncio.run(main())
    assert call.end_reason == "error"
    assert isinstance(call.error, LoopbackError)
    assert "cut for 1 s" in str(call.error)
    assert rooms == []


def test_words_are_only_heard_when_their_sound_arrives():
    async def main():
        async with LoopbackPlatform() as platform, HandMadeAgent(platform) as agent:
            caller = Caller().hears_greeting().hears("goodbye now", within=2.0)
            work = asyncio.create_task(platform.place_call("desk", caller))
            phone = await platform.wait_answered()
            await until(lambda: phone.log.of(events.CallerStepFinished))
            platform.cut_link(phone.room.name, secs=2.5)
            await agent.say("goodbye now")
            return await work, agent.log

    call, log = asyncio.run(main())
    assert [e.text for e in log.of(events.WordSpoken)] == ["hello", "there", "goodbye", "now"]
    assert [e.text for e in call.events.of(events.WordSpoken)] == ["hello", "there"]
    assert call.end_reason == "error"
    assert "it was not heard" in str(call.error)
