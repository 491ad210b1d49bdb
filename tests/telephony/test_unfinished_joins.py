"""A join that is cancelled half way: LiveKit's library would end the process with SIGTERM."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from piopiy_lab.transports import room_joining

HERE = Path(__file__).parent


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


@pytest.mark.realtime
async def test_cancelled_hung_up_and_timed_out_joins_leave_the_process_alive():
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "cancelled_joins.py"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parent.parent}"},
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
        "cancel: cancelled",
        "served Hello there.",
        "abandoned True",
    ]
    assert b"timed out waiting for ReadyForRoomEventRequest" not in errors
