"""A platform leaves nothing behind: no task, socket or thread, however its context ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import os

import pytest
from clients import HandMadeAgent
from livekit import rtc
from loopback_parts import clients_of, hosts_of, own_threads

from piopiy_lab import Caller
from piopiy_lab.errors import ArgumentTypeError, LoopbackError
from piopiy_lab.loopback import LoopbackPlatform
from piopiy_lab.loopback.audio import QueueTrack


def sockets():
    names = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            continue
    return sum(name.startswith("socket:") for name in names)


async def one_call(end):
    """Run a platform with a call in it; returns the tasks that were left when it was gone."""
    before = asyncio.all_tasks()
    async with LoopbackPlatform() as platform, HandMadeAgent(platform):
        if end == "ended":
            await platform.place_call("desk")
        call = asyncio.create_task(platform.place_call("desk", Caller().waits(60)))
        await platform.wait_answered()
        if end == "restarted":
            await platform.restart_signaling()
            platform.cut_link(platform.rooms[0])
        if end == "cancelled":
            call.cancel()
            await asyncio.wait((call,))
            assert call.cancelled()
            assert platform.rooms == []
        else:
            await platform.stop()
            assert (await asyncio.gather(call, return_exceptions=True))[0] is not None
    left = asyncio.all_tasks() - before
    if left:  # what was just cancelled, such as LiveKit's own listener, gets its turn
        await asyncio.wait(left, timeout=1.0)
    return {task for task in left if not task.done()}


@pytest.mark.parametrize("end", ["ended", "cancelled", "restarted"])
def test_no_task_socket_or_thread_is_left(end):
    asyncio.run(one_call(end))  # LiveKit's own library starts its threads with the first room
    gc.collect()
    threads, open_sockets = own_threads(), sockets()
    left = asyncio.run(one_call(end))
    gc.collect()
    assert not left
    assert own_threads() <= threads
    assert sockets() <= open_sockets
    assert not [o for o in gc.get_objects() if isinstance(o, QueueTrack) and o.readyState == "live"]


def test_only_the_loopback_interface_is_listened_on():
    async def main():
        async with LoopbackPlatform() as platform, HandMadeAgent(platform):
            call = asyncio.create_task(platform.place_call("desk", Caller().waits(60)))
            await platform.wait_answered()
            (client,) = clients_of(platform)
            assert client.hosts
            bound = hosts_of(platform)
            offered = client._subscriber.localDescription.sdp
            call.cancel()
            return bound, offered

    bound, offered = asyncio.run(main())
    assert bound == {"127.0.0.1"}
    candidates = [line for line in offered.splitlines() if line.startswith("a=candidate")]
    assert candidates
    assert all(" 127.0.0.1 " in line for line in candidates)


def test_no_log_line_holds_a_token(caplog):
    caplog.set_level(logging.DEBUG)

    async def main():
        async with LoopbackPlatform() as platform, HandMadeAgent(platform) as agent:
            with pytest.raises(rtc.room.ConnectError):
                await rtc.Room().connect(platform.room_url, agent.token)  # no room's token
            call = await platform.place_call("desk")
            ticket = platform.open_room("room")
            shown = [repr(platform), repr(platform.agents), repr(ticket), repr(call), str(call)]
            return shown, [agent.token, agent.invites[0]["token"], ticket.token], call

    shown, tokens, call = asyncio.run(main())
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith(("livekit", "asyncio"))]
    ours = [line for line in ours if "socketio" not in line]
    for token in tokens:
        assert not [line for line in [*ours, *shown] if token in line]
        assert not [event for event in call.events if token in event.to_json()]


def test_a_platform_that_does_not_run_says_so():
    platform = LoopbackPlatform()
    assert repr(platform) == "<LoopbackPlatform: not running>"
    for ask in (lambda: platform.signaling_url, lambda: platform.rest_url, platform.open_room):
        with pytest.raises(LoopbackError, match="async with LoopbackPlatform"):
            ask()

    async def main():
        with pytest.raises(LoopbackError, match="doesn't run"):
            await platform.place_call("desk")
        async with platform:
            with pytest.raises(LoopbackError, match="runs already"):
                await platform.start()
            with pytest.raises(ArgumentTypeError, match="caller='hello'"):
                await platform.place_call("desk", "hello")
            await platform.place_call("desk", call_id="one", ring_secs=0.01)
            with pytest.raises(LoopbackError, match="'one' already"):
                await platform.place_call("desk", call_id="one")
        await platform.stop()

    asyncio.run(main())


@pytest.mark.parametrize("agents", [{"": "t"}, {7: "t"}, {"desk": ""}, {"desk": None}])
def test_agents_without_ids_or_tokens_are_refused(agents):
    with pytest.raises(ArgumentTypeError, match="agents"):
        LoopbackPlatform(agents)
