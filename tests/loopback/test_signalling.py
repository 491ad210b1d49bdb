"""The signalling server, with python-socketio's client and a plain WebSocket."""

from __future__ import annotations

import asyncio
import json

import pytest
import socketio
from clients import HandMadeAgent
from wait_until import until
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from piopiy_lab.loopback import LoopbackPlatform

SECRET = "a-token-nobody-may-see"


@pytest.mark.parametrize(
    ("auth", "reason"),
    [
        ({"agent_id": "desk", "token": "wrong"}, "wrong token for agent 'desk'"),
        ({"agent_id": "nobody", "token": SECRET}, "there is no agent 'nobody'"),
        ({"agent_id": "desk"}, "auth has no token"),
        ({"agent_id": 7, "token": SECRET}, "auth has no agent_id"),
        ({"agent_id": "desk", "token": "\ud800"}, "wrong token for agent 'desk'"),
        (None, "no auth"),
        ([1], "no auth"),
    ],
)
def test_both_dialects_refuse_with_the_reason(auth, reason, caplog):
    caplog.set_level("DEBUG")

    async def socket_io(url):
        client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        told = []
        client.on("connect_error", told.append)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(url, auth=auth, wait_timeout=5)
        await client.shutdown()
        return json.dumps(told)

    async def websocket(url):
        async with connect(url) as socket:
            await socket.send(json.dumps({"event": "auth", "data": auth}))
            answer = json.loads(await socket.recv())
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        assert answer["event"] == "refused"
        return answer["data"]["reason"]

    async def main():
        async with LoopbackPlatform({"desk": SECRET}) as platform:
            refused = [await websocket(platform.signaling_ws_url)]
            if auth is None or "\ud800" not in str(auth):  # engineio can't encode it itself
                refused.append(await socket_io(platform.signaling_url))
            assert platform.agents == []
            return refused

    for told in asyncio.run(main()):
        assert reason in told
        assert SECRET not in told
    assert SECRET not in caplog.text


@pytest.mark.parametrize("first", ["", "[]", "{", '{"event": "hello"}', '{"event": "auth"}'])
def test_a_websocket_that_speaks_another_language_is_refused(first):
    async def main():
        async with LoopbackPlatform() as platform, connect(platform.signaling_ws_url) as socket:
            await socket.send(first)
            return json.loads(await socket.recv())

    assert asyncio.run(main()) == {
        "event": "refused",
        "data": {"reason": 'no auth: send {"agent_id": ..., "token": ...}'},
    }


def test_the_websocket_dialect_carries_raw_invites_and_cancellations():
    payloads = [None, 7, "text", [], {"room_name": "\x00\ud800", "token": {}}, {}]

    async def main():
        async with LoopbackPlatform({"desk": SECRET}) as platform:
            async with connect(platform.signaling_ws_url) as socket:
                auth = {"agent_id": "desk", "token": SECRET}
                await socket.send(json.dumps({"event": "auth", "data": auth}))
                ready = json.loads(await socket.recv())
                assert [agent.dialect for agent in platform.agents] == ["websocket"]
                for payload in payloads:
                    assert await platform.invite(payload) == 1
                assert await platform.cancel("room") == 1
                assert await platform.invite({}, agent_id="somebody else") == 0
                got = [json.loads(await socket.recv()) for _ in range(len(payloads) + 1)]
            await until(lambda: not platform.agents)
            return ready, got

    ready, got = asyncio.run(main())
    assert ready["event"] == "ready"
    assert [message["event"] for message in got] == ["join_room"] * len(payloads) + ["cancel_room"]
    assert [message["data"] for message in got] == [*payloads, {"room_name": "room"}]


class Silent(HandMadeAgent):
    """An agent that is connected and never joins."""

    def __init__(self, platform, agent_id="desk"):
        super().__init__(platform, agent_id)
        self.answers = False


def test_rooms_go_to_the_agent_with_the_fewest(monkeypatch):
    async def main():
        async with (
            LoopbackPlatform() as platform,
            Silent(platform) as one,
            Silent(platform) as two,
            Silent(platform) as three,
            Silent(platform, "other") as other,
        ):
            calls = [
                asyncio.create_task(platform.place_call("desk", ring_secs=1.0)) for _ in range(6)
            ]
            await until(lambda: sum(len(a.invites) for a in (one, two, three)) == 6)
            rooms = [len(agent.rooms) for agent in platform.agents]
            ended = await asyncio.gather(*calls)
            return one, two, three, other, rooms, ended, platform.rooms

    one, two, three, other, rooms, ended, left = asyncio.run(main())
    assert [len(agent.invites) for agent in (one, two, three, other)] == [2, 2, 2, 0]
    assert rooms == [2, 2, 2, 0]
    assert all("did not join it within 1 s" in str(call.error) for call in ended)
    assert left == []
    for agent in (one, two, three):  # the calls are gone, and the agents are told
        assert {c["room_name"] for c in agent.cancelled} == {i["room_name"] for i in agent.invites}


def test_an_offer_that_is_not_taken_goes_to_the_next_agent():
    async def main():
        async with (
            LoopbackPlatform(offer_secs=0.3) as platform,
            Silent(platform) as busy,
            HandMadeAgent(platform) as free,
        ):
            call = await platform.place_call("desk")
            return busy, free, call

    busy, free, call = asyncio.run(main())
    assert call.end_reason == "caller_hung_up"
    assert len(busy.invites) == len(busy.cancelled) == 1
    assert len(free.invites) == 1


def test_a_call_that_rings_during_a_restart_is_offered_to_the_agent_that_comes_back():
    async def main():
        async with LoopbackPlatform() as platform, Silent(platform) as agent:
            url = platform.signaling_url
            call = asyncio.create_task(platform.place_call("desk", ring_secs=20))
            await until(lambda: agent.invites)
            agent.answers = True
            await platform.restart_signaling(down_secs=0.2)
            assert platform.signaling_url == url
            return agent, await call

    agent, call = asyncio.run(main())
    assert call.error is None
    assert len(agent.invites) == 2
    assert agent.invites[0]["room_name"] == agent.invites[1]["room_name"]
