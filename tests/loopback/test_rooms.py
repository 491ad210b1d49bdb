"""The rooms, with LiveKit's real client: tokens, who is there, data, audio, and the link."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import pytest
from clients import joined
from livekit import rtc
from loopback_parts import clients_of
from wait_until import until

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, LoopbackError
from piopiy_lab.loopback import LinkSettings, LoopbackPlatform
from piopiy_lab.loopback.serving import say_goodbye
from piopiy_lab.loopback.tokens import TokenError, TokenMint

# --- tokens ---------------------------------------------------------------------------------


def test_a_token_opens_its_room_until_it_expires():
    mint = TokenMint()
    grant = mint.check(mint.room_token("room", "agent", canPublish=False))
    assert (grant.room, grant.identity) == ("room", "agent")
    assert (grant.can_publish, grant.can_subscribe) == (False, True)
    head, body, signature = mint.room_token("room", "agent").split(".")
    for token, why in [
        ("", "no access token"),
        ("nonsense", "not valid"),
        (f"{head}.{body}.{signature[::-1]}", "not valid"),
        (f"{head}.{body[:-4]}AAAA.{signature}", "not valid"),
        (TokenMint().room_token("room", "agent"), "not valid"),
        (mint.room_token("room", "agent", secs=-60), "has expired"),
        (mint.room_token("room", "agent", roomJoin=False), "grants no room"),
        (mint.room_token("", "agent"), "grants no room"),
    ]:
        with pytest.raises(TokenError, match=why) as raised:
            mint.check(token)
        assert not token or token not in str(raised.value)


def test_no_token_no_room():
    async def main():
        async with LoopbackPlatform() as platform, LoopbackPlatform() as stranger:
            good = platform.open_room("room")
            gone = platform.open_room("gone")
            await platform.close_room("gone")
            tokens = {
                "good": good.token,
                "none": "",
                "expired": platform.open_room("room", secs=-60).token,
                "foreign": stranger.open_room("room").token,
                "gone": gone.token,
            }
            status = {}
            http = platform.room_url.replace("ws:", "http:")
            async with aiohttp.ClientSession() as session:
                for name, token in tokens.items():
                    headers = {"Authorization": f"Bearer {token}"} if token else {}
                    for path in ("/rtc/validate", "/rtc"):
                        async with session.get(http + path, headers=headers) as answer:
                            status[name, path] = answer.status
                            assert not token or token not in await answer.text()
            with pytest.raises(rtc.room.ConnectError) as raised:
                async with joined(platform.open_room("room", secs=-60)):
                    pass
            return status, str(raised.value), repr(good)

    status, told, shown = asyncio.run(main())
    assert status.pop(("good", "/rtc/validate")) == 200
    assert status.pop(("good", "/rtc")) == 400  # let in, and it is no WebSocket
    assert status.pop(("gone", "/rtc/validate")) == status.pop(("gone", "/rtc")) == 404
    assert set(status.values()) == {401}
    assert "401" in told or "expired" in told
    assert "token" not in shown


# --- who is there, and data ------------------------------------------------------------------


def test_clients_see_each_other_and_exchange_data():
    async def main():
        got, seen = [], []
        async with LoopbackPlatform() as platform:
            first = platform.open_room("room", "one")
            async with joined(
                first,
                participant_connected=lambda p: seen.append(("came", p.identity)),
                participant_disconnected=lambda p: seen.append(("left", p.identity)),
                data_received=lambda p: got.append((p.topic, p.data, p.participant.identity)),
            ) as one:
                async with joined(platform.open_room("room", "two")) as two:
                    assert [p.identity for p in two.remote_participants.values()] == ["one"]
                    async with joined(platform.open_room("room", "three")) as three:
                        others = []
                        three.on("data_received", lambda p: others.append(p.data))
                        publish = two.local_participant.publish_data
                        await publish(b"to all", topic="news")
                        await publish(b"to one", topic="t", destination_identities=["one"])
                        await until(lambda: len(got) == 2 and others)
                await until(lambda: ("left", "two") in seen)
                assert [p.identity for p in one.remote_participants.values()] == []
            await until(lambda: not clients_of(platform))
        return got, others, seen

    got, others, seen = asyncio.run(main())
    assert got == [("news", b"to all", "two"), ("t", b"to one", "two")]
    assert others == [b"to all"]
    assert seen == [("came", "two"), ("came", "three"), ("left", "three"), ("left", "two")]


def test_the_same_identity_again_replaces_the_first():
    async def main():
        async with LoopbackPlatform() as platform:
            ticket = platform.open_room("room", "agent")
            out = asyncio.Event()
            async with (
                joined(ticket, disconnected=lambda reason: out.set()) as first,
                joined(ticket) as second,
            ):
                async with asyncio.timeout(5):
                    await out.wait()
                return first.isconnected(), second.isconnected(), len(clients_of(platform))

    assert asyncio.run(main()) == (False, True, 1)


def test_closing_a_room_dismisses_who_is_in_it():
    async def main():
        async with LoopbackPlatform() as platform:
            out = []
            async with joined(platform.open_room("room"), disconnected=out.append):
                await platform.close_room("room")
                await until(lambda: out)
                return out, platform.rooms

    out, rooms = asyncio.run(main())
    assert out == [rtc.DisconnectReason.ROOM_DELETED]
    assert rooms == []


def test_joining_warns_of_nothing(caplog):
    async def main():
        async with LoopbackPlatform() as platform, joined(platform.open_room("room")):
            logging.getLogger("livekit").warning("something else")
            logging.getLogger("livekit").warning("Attempted to drop unknown FFI handle: 8")
        logging.getLogger("livekit").warning("v1 path not found (404)")  # another's server

    asyncio.run(main())
    said = [record.getMessage() for record in caplog.records if record.name == "livekit"]
    assert said == ["something else", "v1 path not found (404)"]


def test_a_goodbye_to_who_is_on_the_way_out_is_no_failure():
    class Closing:
        closed, ended = False, False

        async def send_bytes(self, _):
            raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")

        async def close(self):
            self.ended = True

    socket = Closing()
    asyncio.run(say_goodbye(socket, b"leave"))
    assert socket.ended


# --- audio, and the link -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"loss": 1.5}, ArgumentError),
        ({"loss": -0.1}, ArgumentError),
        ({"loss": float("nan")}, ArgumentError),
        ({"loss": "a lot"}, ArgumentTypeError),
        ({"delay_secs": -1}, ArgumentError),
        ({"jitter_secs": 100}, ArgumentError),
        ({"jitter_secs": True}, ArgumentTypeError),
    ],
)
def test_a_link_that_cannot_be_is_refused(values, error):
    with pytest.raises(error, match=next(iter(values))):
        LinkSettings(**values)


def test_a_link_of_no_room_cannot_be_cut():
    async def main():
        async with LoopbackPlatform() as platform:
            platform.open_room("here")
            platform.cut_link("there")

    with pytest.raises(LoopbackError, match="no room 'there'; open are: here"):
        asyncio.run(main())
