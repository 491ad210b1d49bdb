"""Real calls through Agent on the loopback platform: Socket.IO, LiveKit's client, WebRTC."""

from __future__ import annotations

import asyncio
import re

import numpy as np
import pytest
from silent_services import DumbLLM
from wait_until import until

from piopiy_lab import Agent, Caller, VoiceAgent, events, offline_stack
from piopiy_lab.errors import RoomError
from piopiy_lab.loopback import LoopbackPlatform
from piopiy_lab.offline import booking_desk

LINE = "a table for two tomorrow at seven"


@pytest.fixture
def desk():
    """The booking desk as a session callback."""

    def make(greeting=None, idle_timeout_secs=60, **action):
        desk = booking_desk()

        async def create_session(call_id):
            agent = VoiceAgent(
                instructions=desk.instructions,
                greeting=greeting or desk.greeting,
                idle_timeout_secs=idle_timeout_secs,
            )
            stt, llm, tts = offline_stack()
            await agent.Action(**{"stt": stt, "llm": llm, "tts": tts, "vad": True, **action})
            await agent.start()

        return create_session

    return make


def loopback_agent(platform, create_session, **options):
    return Agent(
        "a1", platform.agent_token("a1"), create_session, platform.signaling_url, **options
    )


async def test_a_call_is_greeted_heard_answered_and_recorded(desk, running_agent):
    async with LoopbackPlatform() as platform:
        agent = loopback_agent(platform, desk(), record=True)
        async with running_agent(agent):
            caller = Caller().hears_greeting().says(LINE).hears(re.compile("two", re.I)).hangs_up()
            heard = await platform.place_call("a1", caller)
            heard.raise_for_error()
            await until(lambda: not agent.sessions.running)
            assert platform.agents  # still connected
            sent = platform.calls[heard.call_id].caller.data
    (call,) = agent.calls
    assert call.end_reason == "caller_hung_up"
    assert [entry.role for entry in call.transcript][:3] == ["assistant", "user", "assistant"]
    assert "two" in call.transcript[1].text
    started = call.events.of(events.PipelineStarted)[0]
    joined = call.events.of(events.ParticipantJoined)[0]
    assert joined.caller
    assert joined.kind == "sip"
    assert call.events.of(events.AgentSpeechStarted)[0].at >= joined.at
    assert (started.audio_in_sample_rate, started.audio_out_sample_rate) == (16000, 24000)
    peaks = np.abs(np.asarray(call.recording).astype(int)).max(axis=0)
    assert (peaks > 3000).all(), peaks  # both sides are in the recording
    assert sent == []  # nothing but sound went into the room, no RTVI messages


async def test_a_caller_on_the_phone_who_waits_in_vain_is_told_where_the_turn_was_lost(
    desk, running_agent
):
    async with LoopbackPlatform() as platform:
        agent = loopback_agent(platform, desk(llm=DumbLLM("blank")))
        async with running_agent(agent):
            caller = Caller().hears_greeting().says(LINE).hears_reply(timeout=12).hangs_up()
            heard = await platform.place_call("a1", caller)
    assert "DumbLLM answered with nothing" in str(heard.error)


async def test_a_room_that_cannot_be_joined_raises_at_once_with_the_reason(desk, running_agent):
    raised = []

    async def create_session(call_id):
        try:
            await desk()(call_id)
        except RoomError as error:
            raised.append(error)
            raise

    async with LoopbackPlatform() as platform:
        agent = loopback_agent(platform, create_session)
        async with running_agent(agent):
            ticket = platform.open_room(secs=-60)  # a token that has expired
            began = asyncio.get_running_loop().time()
            await platform.invite(
                {"room_name": ticket.room_name, "token": ticket.token, "url": ticket.url}
            )
            await until(lambda: agent.sessions.failed == 1, 20)
            took = asyncio.get_running_loop().time() - began
    (call,) = agent.calls
    assert took < 8, took
    assert call.end_reason == "error"
    assert isinstance(call.error, RoomError)
    assert raised == [call.error]
    assert ticket.token not in str(call.error)
    assert f"room {ticket.room_name!r}" in str(call.error)
    assert "401" in str(call.error)  # the server's reason
    assert "expired" in str(call.error)


async def test_a_link_cut_for_five_seconds_is_survived(desk, running_agent):
    """And the conversation goes on: what is said after the cut is heard and answered."""
    async with LoopbackPlatform() as platform:
        agent = loopback_agent(platform, desk(), record=True)
        async with running_agent(agent):
            caller = Caller().hears_greeting().waits(7).says(LINE).hears(re.compile("two"), 6)
            task = asyncio.create_task(platform.place_call("a1", caller.hangs_up()))
            await until(lambda: agent.calls and agent.calls[0].events.of(events.AgentSpeechStopped))
            (call,) = agent.calls
            (room,) = platform.rooms
            cut_at = call.duration
            platform.cut_link(room, 5)
            (await task).raise_for_error()
            await until(lambda: not agent.sessions.running, 30)
    assert call.end_reason == "caller_hung_up"
    assert call.raise_for_error().transcript[1].text == LINE
    assert call.transcript[1].start > cut_at + 5
    rate = call.recording.sample_rate  # the cut was one: not a sound came through
    during = call.recording[round((cut_at + 0.5) * rate) : round((cut_at + 4.5) * rate), 0]
    assert np.abs(during.astype(int)).max() < 50


async def test_a_link_cut_for_good_ends_the_call_and_the_agent_serves_the_next(desk, running_agent):
    async with LoopbackPlatform() as platform:
        agent = loopback_agent(platform, desk())
        async with running_agent(agent):
            caller = Caller().hears_greeting().waits(40).hangs_up()
            task = asyncio.create_task(platform.place_call("a1", caller))
            await until(lambda: agent.calls and agent.calls[0].events.of(events.AgentTurnAdded))
            (room,) = platform.rooms
            platform.cut_link(room)
            await until(lambda: not agent.sessions.running, 60)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            good = await platform.place_call("a1", Caller().hears_greeting().hangs_up())
            good.raise_for_error()
            await until(lambda: not agent.sessions.running)
    first, second = agent.calls
    assert first.end_reason == "caller_hung_up"  # the platform took them out of the room
    assert second.end_reason == "caller_hung_up"


async def test_signalling_that_is_restarted_mid_call_disturbs_nothing(desk, running_agent):
    async with LoopbackPlatform() as platform:
        agent = loopback_agent(platform, desk())
        async with running_agent(agent):
            caller = Caller().hears_greeting().waits(1.5).says(LINE).hears_reply().hangs_up()
            task = asyncio.create_task(platform.place_call("a1", caller))
            await until(lambda: agent.calls and agent.calls[0].events.of(events.AgentTurnAdded))
            await platform.restart_signaling(down_secs=1.0)
            (await task).raise_for_error()
            await until(lambda: agent.state == "connected")
            await until(lambda: not agent.sessions.running)
            (await platform.place_call("a1")).raise_for_error()
            await until(lambda: not agent.sessions.running)
    assert [call.end_reason for call in agent.calls] == ["caller_hung_up"] * 2
    assert len(agent.calls[0].turns) == 1


async def test_what_one_agent_refuses_another_of_its_id_takes(desk, running_agent):
    """The back-pressure of N workers: all calls are served, and none past a worker's limit."""
    async with LoopbackPlatform(offer_secs=4.0) as platform:
        small = loopback_agent(platform, desk("Hello."), max_sessions=1)
        large = loopback_agent(platform, desk("Hello."))
        async with running_agent(small), running_agent(large):
            caller = Caller().hears_greeting().waits(14).hangs_up()
            lines = []
            for n in range(1, 5):  # one after the other: four joins at once may take too long
                lines.append(asyncio.create_task(platform.place_call("a1", caller)))
                await until(
                    lambda n=n: (
                        n == sum(call.state == "listening" for call in (*small.calls, *large.calls))
                    )
                )
            calls = await asyncio.gather(*lines)
            await until(lambda: small.sessions.running + large.sessions.running == 0)
    for call in calls:
        assert call.raise_for_error().end_reason == "caller_hung_up"
    assert (small.sessions.started, large.sessions.started) == (1, 3)
    assert small.sessions.refused > 0


async def test_keys_data_and_transfers_pass_through_the_room(desk, running_agent):
    async with LoopbackPlatform() as platform:
        platform.transfer_outcomes["+4420222"] = "busy"
        agent = loopback_agent(platform, desk(), rest_url=platform.rest_url)
        async with running_agent(agent):
            caller = Caller().hears_greeting().presses("42#").waits(30).hangs_up()
            task = asyncio.create_task(platform.place_call("a1", caller))
            await until(lambda: agent.calls and agent.calls[0].events.of(events.AgentTurnAdded))
            (call,) = agent.calls
            await until(lambda: len(call.events.of(events.DTMFReceived)) == 3)
            call.transfer("+4420222")
            await until(lambda: call.events.of(events.TransferFinished))
            assert call.state == "listening"  # nobody took it: the call goes on
            call.transfer("+4420111")
            await until(lambda: not agent.sessions.running)
            heard = await task
    keys = [event.digit for event in call.events.of(events.DTMFReceived)]
    assert keys == ["4", "2", "#"]
    busy, done = call.events.of(events.TransferFinished)
    assert (busy.to, busy.status) == ("+4420222", "failed")
    assert "busy" in busy.error
    assert (done.to, done.status) == ("+4420111", "transferred")
    assert call.end_reason == "agent_ended"
    assert {event.topic for event in call.events.of(events.DataReceived)} == {"transfer_status"}
    assert heard.events.of(events.TransferFinished)[-1].status == "transferred"


async def test_hanging_up_on_this_side_ends_the_callers_line(desk, running_agent):
    async with LoopbackPlatform() as platform:
        agent = loopback_agent(platform, desk(), rest_url=platform.rest_url)
        async with running_agent(agent):
            task = asyncio.create_task(
                platform.place_call("a1", Caller().hears_greeting().waits(30).hangs_up())
            )
            await until(lambda: agent.calls and agent.calls[0].state == "listening")
            agent.calls[0].hang_up()
            async with asyncio.timeout(10):
                heard = await task
            await until(lambda: not agent.sessions.running)
    assert agent.calls[0].end_reason == "hung_up"
    assert heard.end_reason in ("hung_up", "agent_ended")  # whichever reaches the caller first
    assert not agent.calls[0].events.of(events.ErrorOccurred)


async def test_only_the_callers_leaving_ends_the_call(desk, running_agent):
    from livekit import rtc

    async with LoopbackPlatform() as platform:
        agent = loopback_agent(platform, desk())
        async with running_agent(agent):
            task = asyncio.create_task(
                platform.place_call("a1", Caller().hears_greeting().waits(4).hangs_up())
            )
            await until(lambda: agent.calls and agent.calls[0].state == "listening")
            (room_name,) = platform.rooms
            ticket = platform.open_room(room_name, "supervisor")
            guest = rtc.Room()
            await guest.connect(ticket.url, ticket.token)
            (call,) = agent.calls
            await until(lambda: len(call.events.of(events.ParticipantJoined)) == 2)
            await guest.local_participant.publish_data(b"hello \xff", topic="note")
            await until(lambda: call.events.of(events.DataReceived))
            await guest.disconnect()
            await until(lambda: call.events.of(events.ParticipantLeft))
            assert call.end_reason is None
            await task
            await until(lambda: not agent.sessions.running)
    assert [(p.identity, p.caller) for p in call.events.of(events.ParticipantLeft)] == [
        ("supervisor", False),
        ("sip_caller", True),
    ]
    (note,) = call.events.of(events.DataReceived)
    assert (note.topic, note.sender, note.text) == ("note", "supervisor", "hello \ufffd")
    assert call.end_reason == "caller_hung_up"
