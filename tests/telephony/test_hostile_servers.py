"""Servers that mean harm, or don't know better: broken messages, long names, tokens said back."""

from __future__ import annotations

import asyncio
import json
import logging

import hypothesis.strategies as st
import pytest
from hypothesis import given, seed, settings
from telephony_servers import JsonServer, SignallingServer, invite
from wait_until import until

from piopiy_lab.errors import ArgumentError, SignalingError
from piopiy_lab.redaction import redact_text, visible
from piopiy_lab.telephony.signalling.invites import read_invite, read_room_name
from piopiy_lab.telephony.signalling.socket_io import reason_of
from piopiy_lab.telephony.signalling.websocket import parse

FIXED = settings(max_examples=300, deadline=None, database=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
FIELDS = ["room_name", "token", "url", "call_id", "agent_id", "from_number", "metadata"]


async def served(server, make_agent, running_agent, send):
    """Let messages be sent to an agent; returns whether the invite that comes after is taken."""
    ran = asyncio.Event()

    async def create_session(**fields):
        ran.set()

    async with running_agent(make_agent(create_session, server.url)):
        await send()
        await server.emit("join_room", invite("good"))
        async with asyncio.timeout(10):
            await ran.wait()
    return ran.is_set()


async def send_packet(server, packet):
    """Send a text or bytes as one message of Engine.IO's to every client."""
    for sid in server.sids:
        await server.sio.eio.send(server.sio.manager.eio_sid_from_sid(sid, "/"), packet)


@pytest.mark.parametrize(
    "packets",
    [
        ['51-["join_room",{"_placeholder":true,"num":0}]'],
        ['5999999999-["join_room",{"_placeholder":true,"num":0}]', b"a", b"b"],
        ['5["join_room",{}]', '50-["join_room"]'],
        ['52-["join_room",{"_placeholder":true,"num":7}]', b"a", b"b"],
        ['61-1["x"]', b"a"],
        ["9", "2", "2{", "2[]", "2[1]", "", '2["', "51-", b"51-[]", b"\xff", "4", '4{"a":1}'],
    ],
)
async def test_a_broken_message_of_socket_io_leaves_the_agent_hearing(
    make_agent, running_agent, packets
):
    async with SignallingServer() as server:

        async def send():
            for packet in packets:
                await send_packet(server, packet)

        assert await served(server, make_agent, running_agent, send)


async def test_binary_parts_that_come_are_taken(make_agent, running_agent):
    async with SignallingServer() as server:

        async def send():
            await server.emit("join_room", {**invite("binary"), "metadata": b"\x00\x01"})

        assert await served(server, make_agent, running_agent, send)


@seed(22)
@settings(FIXED, max_examples=40)
@given(packets=st.lists(st.binary(max_size=20) | st.text('0123456-[]{}"a,/:', max_size=20)))
def test_any_message_of_socket_io(packets):
    from piopiy_lab.telephony.signalling.links import Credentials
    from piopiy_lab.telephony.signalling.socket_io import SocketIOLink

    async def deliver():
        heard = []
        link = SocketIOLink("http://x", Credentials("a", "t"), lambda *told: heard.append(told))
        take = link._client.eio.handlers["message"]
        for packet in packets:
            await take(packet)
        await take('40{"sid":"1"}')
        await take('2["join_room",{"room_name":"r"}]')
        await asyncio.sleep(0)
        return heard

    assert ("join_room", {"room_name": "r"}) in asyncio.run(deliver())


@seed(23)
@FIXED
@given(st.binary(max_size=60) | st.text(max_size=60) | JSON.map(json.dumps))
def test_any_message_of_the_json_dialect(message):
    parsed = parse(message)
    assert parsed is None or isinstance(parsed[0], str)


@seed(24)
@FIXED
@given(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)))
def test_any_payload_of_either_dialect(payload):
    for read in (read_invite, read_room_name):
        try:
            read(payload)
        except ArgumentError as error:
            words = str(error)
        else:
            continue
        assert visible(words) == words
        assert len(words) < 400
    assert visible(reason_of(payload)) == reason_of(payload)
    assert len(reason_of(payload)) <= 500


@pytest.mark.parametrize("kind", [SignallingServer, JsonServer])
async def test_a_refusal_shows_no_token_and_forges_no_line(make_agent, kind, monkeypatch, caplog):
    async def create_session():
        pass

    forged = "no\n2026-11-28 ERROR piopiy_lab.agent: forged \x1b[2J, you sent plain-agent-token-7"
    async with kind() as server:
        if kind is SignallingServer:
            server.refusal = forged
        else:
            monkeypatch.setattr(
                "telephony_servers.json.dumps",
                lambda value, dumps=json.dumps: dumps(value).replace(
                    '"no such agent"', dumps(forged)
                ),
            )
        agent = make_agent(create_session, server.url, token="plain-agent-token-7")
        with pytest.raises(SignalingError) as refused:
            await agent.connect()
    assert "forged" in str(refused.value)
    assert str(refused.value).isprintable()
    assert "plain-agent-token-7" not in str(refused.value)
    assert redact_text("it was plain-agent-token-7") == "it was [removed]"
    logging.getLogger("piopiy_lab.agent").error("why: %s", forged)
    line = caplog.records[-1].getMessage()
    assert "plain-agent-token-7" not in line
    assert "\x1b" not in line
    assert not [part for part in line.splitlines()[1:] if part[:1] != " "]


@pytest.mark.parametrize("call_id", ["x" * 500, "電話" * 120, "é" * 300, "." * 300, "\u0300" * 200])
async def test_a_call_id_that_is_too_long_for_a_folder_is_recorded_all_the_same(
    make_agent, running_agent, tmp_path, caplog, call_id
):
    async def create_session():
        pass

    async with SignallingServer() as server:
        agent = make_agent(create_session, server.url, record=tmp_path / "calls")
        async with running_agent(agent):
            for count, room in enumerate("ab"):  # the second one's folder is another one
                await server.emit("join_room", invite(room, call_id=call_id))
                await until(lambda n=count: len(agent.calls) > n and not agent.sessions.running)
    folders = sorted((tmp_path / "calls").iterdir())
    assert len(folders) == 2
    assert all(len(folder.name.encode()) <= 200 for folder in folders)
    assert not [r for r in caplog.records if "is not recorded" in r.getMessage()]


async def test_a_token_that_goes_out_in_the_clear_is_warned_of_once(make_agent, caplog):
    async def create_session():
        pass

    for _ in range(2):
        agent = make_agent(create_session, "http://signal.invalid:1")
        with pytest.raises(SignalingError):
            await agent.connect()
    told = [r.getMessage() for r in caplog.records if "in the clear" in r.getMessage()]
    assert len(told) == 1
    assert "http://signal.invalid:1" in told[0]
    assert "https://" in told[0]
    async with SignallingServer(token="other") as server:
        with pytest.raises(SignalingError):
            await make_agent(create_session, server.url).connect()
    assert len([r for r in caplog.records if "in the clear" in r.getMessage()]) == 1
