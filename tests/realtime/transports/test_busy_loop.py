"""A session's loop that is too late for its speaker: without hardware, in real time."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest
from live_calls import count, desk, until

from piopiy_lab import Microphone, events, start_call
from piopiy_lab.transports import devices, microphone
from piopiy_lab.transports.devices import Device
from piopiy_lab.transports.sound_card import BLOCK_SECS, PlayBuffer


def test_a_play_buffer_counts_the_silence_that_it_plays_for_want_of_sound():
    buffer, out = PlayBuffer(), np.empty(100, np.int16)
    buffer.write(np.ones(150, np.int16))
    buffer.read(out)
    assert buffer.take_dry() == 0
    buffer.read(out)
    buffer.read(out)
    assert buffer.take_dry() == 150
    assert buffer.take_dry() == 0
    buffer.read(out)
    buffer.clear(7)
    assert buffer.take_dry() == 0, "what was dropped on purpose is no gap"


class ClockedStream:
    """A device that asks for a block, or gives one, each time that it is due; never late."""

    def __init__(self, device, rate):
        self.device, self.rate, self.channels, self.latency_secs = device, rate, 1, 0.02
        self.lost_secs, self.finished, self.started = 0.0, False, True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def called_at(self):
        return time.monotonic()

    def _run(self):
        due = time.monotonic()
        while not self.finished:
            self.block()
            due += BLOCK_SECS
            time.sleep(max(0.0, due - time.monotonic()))

    def close(self):
        self.finished = True
        self._thread.join()


class ClockedCapture(ClockedStream):
    def __init__(self, device, rate, hand_over):
        size = round(rate * BLOCK_SECS)
        self.block = lambda: hand_over(BLOCK_SECS, np.zeros((size, 1), np.int16))
        super().__init__(device, rate)


class ClockedPlay(ClockedStream):
    def __init__(self, device, rate, buffer, played, latency):
        def block():
            samples = np.empty(round(rate * BLOCK_SECS), np.int16)
            number, filled = buffer.read(samples)
            played(number, filled, 0.02, samples)

        self.block = block
        super().__init__(device, rate)


@pytest.fixture
def clocked(monkeypatch):
    """Devices that keep time by the clock, in place of PortAudio's."""
    monkeypatch.setattr(devices, "load", lambda: None)
    monkeypatch.setattr(devices, "look_again", lambda: None)
    monkeypatch.setattr(
        devices, "find", lambda side, _: Device(0, "clocked", side, 1, 16000.0, "test", True)
    )
    monkeypatch.setattr(microphone, "CaptureStream", ClockedCapture)
    monkeypatch.setattr(microphone, "PlayStream", ClockedPlay)


def test_a_speaker_that_runs_dry_because_the_loop_is_busy_is_an_event_with_advice(clocked):
    loops = []

    async def session(call_id):
        loops.append(asyncio.get_running_loop())
        await desk(call_id)

    call = start_call(session, Microphone(echo_cancellation=False))
    try:
        until(call, lambda: count(call, events.AgentSpeechStarted) >= 1)
        time.sleep(0.5)  # a call as usual, in which nothing is dropped
        assert not call.events.of(events.AudioDropped)
        loops[0].call_soon_threadsafe(time.sleep, 0.8)  # what a session's blocking code does
        until(call, lambda: count(call, events.AgentSpeechStopped) >= 1)
    finally:
        call.hang_up()
        call.join(8)
    dropped = call.raise_for_error().events.of(events.AudioDropped)
    assert [(e.where, e.cause) for e in dropped] == [("output", "underflow")]
    # 0.8 s, less the 0.1 to 0.2 s that were queued ahead.
    assert 0.45 < sum(e.secs for e in dropped) < 0.8
    assert "asyncio.to_thread" in dropped[0].remedy
