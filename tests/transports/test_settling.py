"""A speaker that was opened is used when it takes blocks as time goes by, and no sooner."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from piopiy_lab.transports import sound_card
from piopiy_lab.transports.devices import Device
from piopiy_lab.transports.settling import MOST_SECS, Settling

BLOCK = 0.02


def settled_at(calls):
    """Return the time of the call with which a device has settled; calls: (seconds, flagged)."""
    settling = Settling()
    for now, flagged in calls:
        settling.block(now, BLOCK, flagged)
        if settling.done:
            return now
    return None


def paced(since, blocks=20):
    return [(since + n * BLOCK, False) for n in range(blocks)]


def test_a_device_that_is_quiet_at_once_has_after_three_blocks():
    assert settled_at(paced(5.0)) == pytest.approx(5.0 + 3 * BLOCK)


@pytest.mark.parametrize("secs", [0.01, 0.1, 0.35])
def test_one_that_runs_dry_again_and_again_has_when_that_is_over(secs):
    """As PulseAudio did on a virtual card: a block each half millisecond, nearly all flagged."""
    dice = random.Random(2)
    storm = [(0.0005 * n, dice.random() < 0.98) for n in range(round(secs / 0.0005))]
    at = settled_at(storm + paced(secs))
    assert secs + BLOCK <= at <= secs + 3 * BLOCK


def test_a_busy_computer_in_a_storm_is_no_pace():
    storm = [(0.0005 * n + 0.1 * (n > 50) + 0.1 * (n > 90), n > 0) for n in range(200)]
    assert settled_at(storm) is None
    assert settled_at(storm + paced(0.3)) == pytest.approx(0.3, abs=3 * BLOCK)


@pytest.mark.parametrize("at_once", [2, 4, 8])
def test_a_device_that_takes_several_blocks_at_once_has_soon(at_once):
    calls = [(n // at_once * at_once * BLOCK, False) for n in range(40)]
    assert settled_at(calls) <= max(4, at_once) * BLOCK


def test_one_that_never_does_is_used_as_it_is():
    calls = [(n * BLOCK, True) for n in range(200)]
    assert settled_at(calls) == pytest.approx(MOST_SECS, abs=BLOCK)


def test_a_speaker_that_is_in_a_storm_has_not_started(monkeypatch):
    """PortAudio's part is played here: what a live device does at its opening can't be chosen."""
    opened, clock = [], SimpleNamespace(now=100.0)

    def stream(**arguments):
        opened.append(arguments["callback"])
        return SimpleNamespace(latency=0.04, start=lambda: None, close=lambda **_: None)

    part = SimpleNamespace(RawOutputStream=stream, PortAudioError=OSError)
    monkeypatch.setattr(sound_card.devices, "load", lambda: part)
    monkeypatch.setattr(sound_card.devices, "choose_rate", lambda device, wanted: (wanted, 1))
    monkeypatch.setattr(sound_card, "time", SimpleNamespace(monotonic=lambda: clock.now))
    device = Device(
        index=0, name="Desk", side="output", channels=1, default_rate=24000, host="ALSA",
        default=True,
    )  # fmt: skip
    speaker = sound_card.PlayStream(device, 24000, sound_card.PlayBuffer(), lambda *_: None)
    (call,) = opened
    stamp = SimpleNamespace(outputBufferDacTime=1.04, currentTime=1.0)

    def block(after, dry):
        clock.now += after
        data = bytearray(2 * round(24000 * BLOCK))
        call(data, len(data) // 2, stamp, SimpleNamespace(output_underflow=dry))

    try:
        for _ in range(100):
            block(0.0005, True)
            assert not speaker.started
        for _ in range(3):
            block(BLOCK, False)
        assert speaker.started
    finally:
        speaker.close()
