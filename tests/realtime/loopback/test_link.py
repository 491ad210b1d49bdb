"""What a room's link does to its media: nothing, or the loss, jitter and delay asked for."""

from __future__ import annotations

import asyncio
import time

import numpy as np
from clients import joined
from livekit import rtc

from piopiy_lab.loopback import LinkSettings, LoopbackPlatform

RATE = 48000


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
