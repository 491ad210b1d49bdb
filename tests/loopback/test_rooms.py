"""The rooms, with LiveKit's real client: tokens, who is there, data, audio, and the link."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

import aiohttp
import numpy as np
import pytest
from livekit import rtc

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, LoopbackError
from piopiy_lab.loopback import LinkSettings, LoopbackPlatform
from piopiy_lab.loopback.serving import say_goodbye
from piopiy_lab.loopback.tokens import TokenError, TokenMint

RATE = 48000


async def until(condition, secs=5.0):
    async with asyncio.timeout(secs):
        while not condition():  # noqa: ASYNC110 - what changes it has no event
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def joined(ticket, **handlers):
    room = rtc.Room()
    for event, handler in handlers.items():
        room.on(event, handler)
    await room.connect(ticket.url, ticket.token)
    try:
        yield room
    finally:
        await room.disconnect()


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
            await until(lambda: not platform._rooms._clients)
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
                return first.isconnected(), second.isconnected(), len(platform._rooms._clients)

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


async def play_tone(room, secs, heard, hz=440):
    """Play a tone: until it is heard (at most 20 s), and then for ``secs`` more."""
    source = rtc.AudioSource(RATE, 1)
    track = rtc.LocalAudioTrack.create_audio_track("tone", source)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    await room.local_participant.publish_track(track, options)
    period = (8000 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE)).astype("<i2")
    ends_at = None
    for at in range(0, RATE * 20, 480):
        if ends_at is None and heard():
            ends_at = at + secs * RATE
        if ends_at is not None and at >= ends_at:
            break
        piece = period[at % RATE :][:480]
        await source.capture_frame(rtc.AudioFrame(piece.tobytes(), RATE, 1, len(piece)))
    await source.wait_for_playout()
    await source.aclose()


class Listener:
    """Hears the first track that it is offered."""

    def __init__(self):
        self.frames = []
        self.heard = asyncio.Event()
        self._tasks = []

    def subscribed(self, track, *_):
        self._tasks.append(asyncio.get_running_loop().create_task(self._listen(track)))

    async def _listen(self, track):
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        try:
            async for event in stream:
                samples = np.frombuffer(event.frame.data, np.int16)
                self.frames.append(samples)
                if samples.max() > 500:
                    self.heard.set()
        finally:
            await stream.aclose()

    async def stop(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def samples(self):
        return np.concatenate(self.frames).astype(float)


def tone_call(link, secs=2.0, during=None):
    """Two clients in a room, one plays a tone; returns what the other heard, and the traffic."""

    async def main():
        listener = Listener()
        async with LoopbackPlatform(link=link) as platform:
            listening = platform.open_room("room", "listener")
            async with (
                joined(listening, track_subscribed=listener.subscribed) as hearing,
                joined(platform.open_room("room", "player")) as playing,
            ):
                traffic = platform._rooms.rooms["room"].link

                async def meanwhile():
                    await listener.heard.wait()
                    await during(platform)

                work = asyncio.create_task(meanwhile()) if during else None
                await play_tone(playing, secs, listener.heard.is_set)
                stats = await hearing.get_rtc_stats()
                await listener.stop()
                if work is not None:
                    await work
                return listener.samples, traffic.to_agent, traffic.from_agent, inbound(stats)

    return asyncio.run(main())


def inbound(stats):
    (one,) = [
        s.inbound_rtp for s in stats.subscriber_stats if s.WhichOneof("stats") == "inbound_rtp"
    ]
    return one


def test_audio_passes_between_clients_without_loss():
    heard, out, back, stats = tone_call(None)
    loud = heard[np.abs(heard) > 500]
    assert len(loud) > RATE  # most of two seconds
    middle = heard[len(heard) // 2 - RATE // 4 :][: RATE // 2]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert abs(np.argmax(spectrum) * 2 - 440) <= 4  # bins of 2 Hz
    assert out.dropped == back.dropped == 0
    assert out.late_secs == back.late_secs == 0
    assert stats.received.packets_lost == 0


def test_loss_is_real_and_webrtc_sees_it():
    _, out, back, stats = tone_call(LinkSettings(loss=0.25, seed=3), secs=3.0)
    # How many packets the handshake took differs, so not even the seed makes the counts the same;
    # of some 150 that carry 20 ms each, these bounds are four standard deviations wide.
    for way in (out, back):
        assert 0.11 < way.dropped / (way.dropped + way.passed) < 0.39
    assert stats.received.packets_received > 80
    assert 15 < stats.received.packets_lost < 80


def test_jitter_is_real_and_webrtc_sees_it():
    def jitter(link):
        _, out, _, stats = tone_call(link)
        return stats.received.jitter, out

    calm, _ = jitter(None)
    rough, out = jitter(LinkSettings(jitter_secs=0.08))
    assert 0.02 < out.late_secs / out.passed < 0.08
    assert rough > 0.005
    assert rough > 2 * calm


def test_a_delay_is_felt_both_ways():
    def round_trip(link):
        async def main():
            async with (
                LoopbackPlatform(link=link) as platform,
                joined(platform.open_room("room", "one")) as one,
                joined(platform.open_room("room", "two")) as two,
            ):
                times = []
                for _ in range(3):
                    arrived = asyncio.Event()
                    two.on("data_received", lambda _, arrived=arrived: arrived.set())
                    began = time.monotonic()
                    await one.local_participant.publish_data(b"ping")
                    await asyncio.wait_for(arrived.wait(), 5)
                    times.append(time.monotonic() - began)
                return min(times)

        return asyncio.run(main())

    assert round_trip(None) < 0.1
    assert 0.19 < round_trip(LinkSettings(delay_secs=0.1)) < 0.4


def test_a_cut_link_passes_nothing_and_heals():
    counts = {}

    async def cut(platform):
        link = platform._rooms.rooms["room"].link
        await asyncio.sleep(0.7)
        platform.cut_link("room", secs=0.8)
        counts["at"] = link.to_agent.passed
        await asyncio.sleep(0.5)
        counts["during"] = link.to_agent.passed
        assert link.is_cut
        await asyncio.sleep(0.8)
        counts["after"] = link.to_agent.passed
        assert not link.is_cut

    heard, out, back, _ = tone_call(None, secs=3.0, during=cut)
    assert counts["during"] == counts["at"]
    assert counts["after"] > counts["during"] + 10
    assert back.dropped > 20  # the player went on playing
    assert np.abs(heard[-RATE // 4 :]).mean() > 500  # the tone is back


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
