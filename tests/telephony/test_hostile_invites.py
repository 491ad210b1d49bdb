"""A thousand messages that no decent server would send: no crash, no leak, the next call works."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import string

from telephony_servers import JsonServer, SignallingServer, invite
from wait_until import until

from piopiy_lab.errors import ArgumentError
from piopiy_lab.telephony.signalling.invites import read_invite, read_room_name

NONSENSE = [
    None,
    True,
    False,
    0,
    -1,
    10**30,
    1.5,
    "",
    " ",
    "\x00",
    "a\nb",
    "\x1b[2J",
    "\u202e\ufeff",
    "\ud800",
    "é" * 600,
    "x" * 100_000,
    [],
    [[[[]]]],
    {},
    {"a": {"b": [1, None]}},
    "[" * 5000,
    '{"a":' * 3000,
    "../../etc/passwd",
    "{{7*7}}",
    "%s%n{0}",
]
FIELDS = [
    "room_name",
    "token",
    "url",
    "call_id",
    "agent_id",
    "from_number",
    "to_number",
    "metadata",
]


def hostile(chance):
    """A join_room payload with some of its fields missing, of a wrong type, or wild."""
    kind = chance.random()
    if kind < 0.1:
        return chance.choice([n for n in NONSENSE if n != "\ud800"])
    name = "".join(chance.choice(string.ascii_letters) for _ in range(8))
    payload = invite(chance.choice(["dup", name, name]), call_id=name, metadata="{}")
    for field in FIELDS:
        dice = chance.random()
        if dice < 0.12:
            payload.pop(field, None)
        elif dice < 0.3:
            payload[field] = chance.choice(NONSENSE)
    if chance.random() < 0.02:
        payload["metadata"] = "m" * 300_000
    return payload


def tried(read, payload):
    """Return what was read, or None and the error's words; another exception fails the test."""
    try:
        return read(payload), ""
    except ArgumentError as error:
        return None, str(error)


def test_every_payload_is_an_invite_or_an_error_in_words_and_none_shows_a_token():
    chance = random.Random(7)
    read = refused = 0
    for _ in range(5000):
        payload = hostile(chance)
        if isinstance(payload, dict) and isinstance(payload.get("token"), str):
            payload["token"] = payload["token"] and "tok-hidden-77"
        call, words = tried(read_invite, payload)
        if call is None:
            refused += 1
            assert "tok-hidden-77" not in words
            assert 0 < len(words) < 300
            assert words.isprintable()
        else:
            read += 1
            assert call.room_name.isprintable() or "\u202e" in call.room_name
            assert "tok-hidden-77" not in repr(call)
            for name in (call.call_id, call.from_number, call.to_number):
                assert name is None or (name.encode() and len(name) <= 512)
    assert read > 500
    assert refused > 500


def test_room_names_of_cancels_are_read_as_carefully():
    for value in NONSENSE:
        for payload in (value, {"room_name": value}):
            name, words = tried(read_room_name, payload)
            assert isinstance(name, str) or "room_name" in words or "room's name" in words


async def _storm(server, make_agent, running_agent, send):
    """Send a thousand hostile messages and look what is left of the agent."""
    ran = []

    async def create_session(**fields):
        ran.append(fields)
        kind = len(ran) % 4
        if kind == 0:
            raise RuntimeError("this session fails")
        if kind == 1:
            await asyncio.sleep(0.01)
        if kind == 2:
            await asyncio.sleep(30)  # until it is cancelled

    chance = random.Random(11)
    agent = make_agent(create_session, server.url, max_sessions=40)
    async with running_agent(agent):
        before = len(asyncio.all_tasks())
        for number in range(1000):
            payload = hostile(chance)
            dice = chance.random()
            if dice < 0.7:
                await send("join_room", payload)
            if dice > 0.5:  # of the same room, of none, or of nonsense
                await send("cancel_room", payload)
            if dice > 0.9:  # cancelled and invited again in one breath
                await send("join_room", payload)
            if dice > 0.97:
                await send(chance.choice(["message", "disconnect_all", "", "join_room "]), payload)
            if number % 50 == 0:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(20):  # a cancelled room's next session comes after it
            while agent.sessions.running:
                for room in agent.sessions.rooms:
                    await send("cancel_room", {"room_name": room})
                await asyncio.sleep(0.05)
        assert agent.state == "connected"
        ran.clear()
        await send("join_room", invite("good", call_id="good", metadata='{"a": 1}'))
        await until(lambda: bool(ran), 5)
        assert ran[0]["metadata"] == {"a": 1}
        await until(lambda: not agent.sessions.running, 5)
        gc.collect()
        await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) <= before + 3  # the server's own, in the same loop
        assert agent.sessions.started > 100
        assert len(agent.calls) <= 20


async def test_a_thousand_over_socket_io(make_agent, running_agent):
    async with SignallingServer() as server:

        async def send(event, data):
            if _encodable(data):
                await server.emit(event or "empty", data)

        await _storm(server, make_agent, running_agent, send)


async def test_a_thousand_over_json_with_broken_frames_in_between(make_agent, running_agent):
    async with JsonServer() as server:
        count = itertools.count()
        broken = iter(["{", "null", "[1]", '{"event": 7}', '"x"', "[" * 50_000] * 500)

        async def send(event, data):
            await server.emit(event, data)  # json escapes half a surrogate pair
            if next(count) % 20 == 0:
                await server.send_raw(next(broken))

        await _storm(server, make_agent, running_agent, send)


def _encodable(data):
    try:
        repr(data).encode()
        str(data).encode()
    except UnicodeEncodeError:
        return False
    return True
