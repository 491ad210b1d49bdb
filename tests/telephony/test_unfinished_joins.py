"""A join that is cancelled half way: LiveKit's library would end the process with SIGTERM."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from session_settings import with_transport
from telephony_servers import SignallingServer, invite
from wait_until import until

from piopiy_lab import VoiceAgent, offline_stack
from piopiy_lab.transports import room_joining, seams

SUPPORT = Path(__file__).parents[1] / "support"


class Room:
    """A room that takes its time: connect() and disconnect() as LiveKit's have them."""

    def __init__(self, error=None):
        self.error = error
        self.answer = asyncio.Event()
        self.did = []

    async def connect(self, url, token, options):
        self.did.append(f"connect {url}")
        try:
            await self.answer.wait()
        except asyncio.CancelledError:
            self.did.append("cancelled")
            raise
        if self.error is not None:
            raise self.error
        self.did.append("connected")

    async def disconnect(self):
        self.did.append("disconnected")


async def test_a_join_that_nobody_waits_for_is_finished_and_left():
    room = Room()
    joining = asyncio.create_task(
        room_joining.connect_whole(room, room.connect, "ws://room", "token", options=None)
    )
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    assert room.did == ["connect ws://room"]
    waiting = asyncio.create_task(room_joining.wait_for_unfinished())
    await asyncio.sleep(0)
    assert not waiting.done()
    room.answer.set()
    await waiting
    assert room.did == ["connect ws://room", "connected", "disconnected"]


async def test_a_join_that_fails_in_the_background_harms_nobody(caplog):
    caplog.set_level("INFO", "piopiy_lab.agent")
    room = Room(ConnectionError("no such room"))
    joining = asyncio.create_task(
        room_joining.connect_whole(room, room.connect, "ws://room", "token", options=None)
    )
    await asyncio.sleep(0)
    joining.cancel()
    room.answer.set()
    await asyncio.gather(joining, return_exceptions=True)
    await room_joining.wait_for_unfinished()
    assert "disconnected" not in room.did
    assert "that nobody waited for failed: ConnectionError" in caplog.text


async def test_a_join_that_is_waited_for_is_as_ever():
    room = Room(ConnectionError("no such room"))
    room.answer.set()
    with pytest.raises(ConnectionError, match="no such room"):
        await room_joining.connect_whole(room, room.connect, "ws://room", "token", options=None)
    good = Room()
    good.answer.set()
    await room_joining.connect_whole(good, good.connect, "ws://room", "token", options=None)
    assert good.did == ["connect ws://room", "connected"]


async def test_a_room_that_cannot_be_left_again_leaves_nothing_waiting(caplog):
    room = Room()
    room._task = asyncio.create_task(asyncio.Event().wait())  # LiveKit's: listens to the library
    room.disconnect = asyncio.Event().wait  # what the library never answers
    joining = asyncio.create_task(
        room_joining.connect_whole(
            room,
            room.connect,
            "ws://room",
            "token",
            give_up=lambda: seams.stop_listening(room),
            leave_secs=0.05,
            options=None,
        )
    )
    await until(lambda: room.did)
    joining.cancel()
    room.answer.set()
    async with asyncio.timeout(5):
        await asyncio.gather(joining, return_exceptions=True)
        await room_joining.wait_for_unfinished()
        await asyncio.wait((room._task,))
    assert "could not be left in 0.05 s" in caplog.text
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_join_that_times_out_ends_the_session_and_the_agent_waits_for_livekit(make_agent):
    """A room's server that takes connections and says nothing for a while."""
    tried = []

    async def say_nothing(reader, writer):
        tried.append(writer)
        await asyncio.sleep(0.6)
        writer.close()

    def impatient(transport):
        transport._client.join_secs = 0.5

    async def create_session():
        with_transport(impatient)
        agent = VoiceAgent(instructions="You are a desk.", greeting="Hello there.")
        stt, llm, tts = offline_stack()
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    hole = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with hole, SignallingServer() as server:
        url = f"ws://127.0.0.1:{hole.sockets[0].getsockname()[1]}"
        agent = make_agent(create_session, server.url)
        serving = asyncio.create_task(agent.connect())
        await until(lambda: agent.state == "connected")
        await server.emit("join_room", invite("r1", url=url))
        await until(lambda: agent.sessions.failed)
        (call,) = agent.calls
        assert call.end_reason == "error"
        assert "no answer within 0.5 s" in str(call.error)
        assert not agent.sessions.running
        unfinished = list(room_joining._unfinished)
        assert [task.done() for task in unfinished] == [False]  # LiveKit tries on
        async with asyncio.timeout(room_joining.UNFINISHED_SECS):
            await agent.shutdown()
            await serving
        assert unfinished[0].done()
        assert len(tried) > 1


async def test_an_agent_that_shuts_down_waits_for_the_joins_of_its_sessions(make_agent):
    room = Room()

    async def create_session(call_id):
        await room_joining.connect_whole(room, room.connect, "ws://room", "token", options=None)

    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url)
        serving = asyncio.create_task(agent.connect())
        await until(lambda: agent.state == "connected")
        await server.emit("join_room", invite("r1"))
        await until(lambda: room.did == ["connect ws://room"])
        stopping = asyncio.create_task(agent.shutdown())
        await until(lambda: not agent.sessions.running)
        await asyncio.sleep(0)
        assert agent.state == "draining"  # the session is over, its join is not
        assert not stopping.done()
        room.answer.set()
        async with asyncio.timeout(5):
            await asyncio.gather(stopping, serving)
    assert room.did == ["connect ws://room", "connected", "disconnected"]
    assert agent.state == "stopped"


async def test_cancelled_hung_up_and_timed_out_joins_leave_the_process_alive():
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SUPPORT / "cancelled_joins.py"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{SUPPORT}:{SUPPORT.parent.parent}"},
    )
    try:
        async with asyncio.timeout(100):
            out, errors = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    assert child.returncode == 0, errors.decode()[-3000:]
    assert out.decode().splitlines() == [
        "cancel: cancelled",
        "hang_up: hung_up",
        "slow: error",
        "again: listening",
        "again: cancelled",
        "cancel: cancelled",
        "served Hello there.",
        "abandoned True",
    ]
    assert b"timed out waiting for ReadyForRoomEventRequest" not in errors
