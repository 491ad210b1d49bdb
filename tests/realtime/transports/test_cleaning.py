"""The thread that takes the echo out: order, a canceller that hangs, and the end of it."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest
from live_calls import LINE, count, desk, greeted, on, until
from virtual_card import need_livekit

from piopiy_lab import Microphone, events
from piopiy_lab.transports.cleaning import FAR_AHEAD_SECS, KEEP_SECS, CleaningThread

RATE, BLOCK = 16000, 320
WAIT_SECS = 5.0


class Canceller:
    """Notes in which order it gets what; may be held up like a native call."""

    def __init__(self):
        self.got: list[tuple[str, int]] = []  # the side, and the block's first sample
        self.free = threading.Event()
        self.free.set()
        self.inside = threading.Event()  # it has been called
        self.error: Exception | None = None

    def far(self, samples):
        self.got.append(("far", int(samples[0])))

    def near(self, samples):
        self.inside.set()
        assert self.free.wait(WAIT_SECS)
        if self.error is not None:
            raise self.error
        self.got += [("near", int(first)) for first in samples[:1]]
        return samples


class Path:
    """A cleaning thread between a pretended device and a pretended loop."""

    def __init__(self, from_rate=RATE, channels=1, canceller=None):
        self.canceller = Canceller() if canceller is None else canceller
        self.handed: list[tuple[float, np.ndarray]] = []
        self.errors: list[Exception] = []
        self.changed = threading.Condition()
        self.block, self.channels = from_rate // 50, channels
        self.thread = CleaningThread(from_rate, RATE, self.canceller, self._take, self._fail)

    def _take(self, at, samples):
        with self.changed:
            self.handed.append((at, samples))
            self.changed.notify()

    def _fail(self, error):
        with self.changed:
            self.errors.append(error)
            self.changed.notify()

    def until(self, met):
        with self.changed:
            assert self.changed.wait_for(met, WAIT_SECS), (len(self.handed), self.errors)

    def put(self, number):
        self.thread.put(number * 0.02, np.full((self.block, self.channels), number, np.int16))

    def put_far(self, number):
        self.thread.put_far(number * 0.02, np.full(480, number, np.int16))


@pytest.fixture
def path():
    path = Path()
    yield path
    path.canceller.free.set()
    assert path.thread.stop(WAIT_SECS)


def test_far_comes_before_the_near_end_of_its_time_and_never_early(path):
    for number in range(10):
        path.put_far(number)
    for number in range(5):
        path.put(number)
    path.until(lambda: len(path.handed) == 5)
    order = path.canceller.got
    for number in range(5):
        near = order.index(("near", number))
        ends = (number + 1) * 0.02
        due = [n for n in range(10) if n * 0.02 <= ends + FAR_AHEAD_SECS]
        assert [n for side, n in order[:near] if side == "far"] == due
    assert [round(at, 6) for at, _ in path.handed] == [0.0, 0.02, 0.04, 0.06, 0.08]


def test_while_the_canceller_hangs_nobody_waits_and_what_came_meanwhile_comes_late(path):
    path.canceller.free.clear()
    began = time.monotonic()
    for number in range(200):  # 4 s of sound
        path.put_far(number)
        path.put(number)
    assert path.canceller.inside.wait(WAIT_SECS)
    assert time.monotonic() - began < 1.0
    assert not path.handed
    path.canceller.free.set()
    path.until(lambda: len(path.handed) == 200)
    assert [int(samples[0]) for _, samples in path.handed] == list(range(200))
    assert path.thread.take_dropped() == 0


def test_what_is_too_far_behind_is_dropped_oldest_first_with_its_far_end_and_counted(path):
    path.canceller.free.clear()
    path.put_far(0)
    path.put(0)
    assert path.canceller.inside.wait(WAIT_SECS)
    kept = round(KEEP_SECS / 0.02)
    for number in range(1, kept + 101):
        path.put_far(number)
        path.put(number)
    assert path.thread.take_dropped() == pytest.approx(2.0)
    assert path.thread.take_dropped() == 0
    path.canceller.free.set()
    path.until(lambda: len(path.handed) == kept + 1)
    assert [int(samples[0]) for _, samples in path.handed] == [0, *range(101, kept + 101)]
    fars = [number for side, number in path.canceller.got if side == "far"]
    assert fars[0] == 0
    assert 100 <= fars[1] <= 103, "what was played while nobody listened is no echo any more"
    assert path.handed[1][0] == pytest.approx(101 * 0.02)


def test_what_is_held_back_moves_the_times_and_channels_are_mixed():
    path = Path(from_rate=48000, channels=2, canceller=Canceller())
    try:
        for number in range(100):
            path.put(number)
        path.until(lambda: sum(len(samples) for _, samples in path.handed) > 1.9 * RATE)
        at, count = 0.0, 0
        for at, samples in path.handed:
            assert at == pytest.approx(count / RATE, abs=1e-6)
            count += len(samples)
    finally:
        assert path.thread.stop(WAIT_SECS)


def test_a_canceller_that_fails_is_told_of_once(path):
    path.canceller.error = RuntimeError("no")
    path.put(0)
    path.until(lambda: path.errors)
    path.put(1)
    assert path.thread.stop(WAIT_SECS)
    assert [str(error) for error in path.errors] == ["no"]
    assert not path.handed


def test_a_hanging_canceller_does_not_hold_up_the_end_and_hands_nothing_over_after_it(path):
    path.canceller.free.clear()
    path.put(0)
    assert path.canceller.inside.wait(WAIT_SECS)
    assert not path.thread.stop(0.05)
    path.canceller.free.set()
    assert path.thread.stop(WAIT_SECS)
    assert not path.handed


def cleaning_threads():
    return [thread for thread in threading.enumerate() if thread.name == "piopiy-lab-cleaning"]


def test_a_native_call_that_blocks_for_seconds_neither_ends_the_call_nor_loses_a_word(
    card, monkeypatch
):
    """What a busy machine did once: WebRTC's own call came back after 3 s."""
    rtc = need_livekit()
    process, held = rtc.AudioProcessingModule.process_stream, []

    def slow(self, frame):
        if held == ["now"]:
            held.append("done")
            time.sleep(4.0)  # as native code does, without the interpreter's lock
        process(self, frame)

    monkeypatch.setattr(rtc.AudioProcessingModule, "process_stream", slow)
    answers, loops = [], []

    async def session(call_id):
        loops.append(asyncio.get_running_loop())
        await desk(call_id)

    def during(call):
        greeted(call)
        assert len(cleaning_threads()) == 1
        held.append("now")
        until(call, lambda: held[-1] == "done")
        card.say(LINE)
        began = time.monotonic()
        while time.monotonic() - began < 3.5:  # the call is held up, its loop is not
            asked, answered = time.monotonic(), threading.Event()
            loops[0].call_soon_threadsafe(answered.set)
            assert answered.wait(WAIT_SECS)
            answers.append(time.monotonic() - asked)
            time.sleep(0.02)  # the rate at which the loop is asked
        assert not call.events.of(events.UserSpeechStarted)
        until(call, lambda: count(call, events.AgentSpeechStopped) >= 2)

    call, _ = on(card, Microphone(), during, session)
    assert held == ["now", "done"]
    assert np.median(answers) < 0.25  # of 4 s that the native call takes
    assert max(answers) < 2.0
    assert call.end_reason == "hung_up"
    assert [e.text for e in call.transcript if e.role == "user"] == [LINE]
    assert not call.events.of(events.AudioDropped)
    assert not cleaning_threads()


def test_what_a_longer_stall_loses_is_an_event_with_advice(card, monkeypatch):
    rtc = need_livekit()
    process, free, wanted = rtc.AudioProcessingModule.process_stream, threading.Event(), []

    def slow(self, frame):
        if wanted:
            free.wait(WAIT_SECS)
        process(self, frame)

    monkeypatch.setattr(rtc.AudioProcessingModule, "process_stream", slow)

    def during(call):
        greeted(call)
        wanted.append(True)
        until(call, lambda: count(call, events.AudioDropped) >= 1)
        wanted.clear()
        free.set()
        card.say(LINE)
        until(call, lambda: count(call, events.AgentSpeechStopped) >= 2)

    call, _ = on(card, Microphone(), during)
    dropped = call.events.of(events.AudioDropped)
    assert {(e.where, e.cause) for e in dropped} == {("input", "stale")}
    assert "echo_cancellation=False" in dropped[0].remedy
    assert [e.text for e in call.transcript if e.role == "user"] == [LINE]
