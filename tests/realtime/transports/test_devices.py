"""Devices that aren't there, that go, and that run at other rates."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from live_calls import LINE, count, desk, greeted, on, until
from session_settings import with_transport
from virtual_card import MONITOR_RATE, correlation, need_livekit, with_a_speaker_that_keeps_up
from wait_until import wait_until

from piopiy_lab import Microphone, events, start_call
from piopiy_lab.errors import (
    ArgumentError,
    ArgumentTypeError,
    AudioDeviceError,
    MissingExtraError,
)
from piopiy_lab.sound import speech
from piopiy_lab.transports import devices, echo, microphone
from piopiy_lab.transports.sound_card import OUTPUT_LATENCY_SECS, PlayBuffer, PlayStream

HIDE = """
import ctypes.util
find = ctypes.util.find_library
ctypes.util.find_library = lambda name: None if "portaudio" in name else find(name)
"""
START = """
import asyncio
from piopiy_lab import Microphone, VoiceAgent, offline_stack, start_call
from piopiy_lab.errors import AudioDeviceError

async def session(call_id):
    agent = VoiceAgent(instructions="x")
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()

for start in (lambda: start_call(session), lambda: start_call(session, Microphone()),
              lambda: asyncio.run(session("x"))):
    try:
        start()
    except AudioDeviceError as error:
        print(error)
"""


def test_without_portaudio_the_error_says_what_to_install_and_what_else_there_is():
    done = subprocess.run(
        [sys.executable, "-c", HIDE + START], capture_output=True, text=True, timeout=60
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    for line in lines:
        assert "no PortAudio" in line
        assert "libportaudio2" in line or not sys.platform.startswith("linux")
        assert "BrowserMicrophone()" in line


@pytest.mark.skipif(Path("/dev/snd").exists(), reason="this computer has a sound card")
def test_without_a_device_too():
    done = subprocess.run(
        [sys.executable, "-c", START],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PULSE_SERVER": "unix:/nonexistent"},
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    assert all("BrowserMicrophone()" in line for line in lines)


def test_an_unknown_device_is_refused_at_once_and_those_there_are_named(card):
    with pytest.raises(AudioDeviceError, match=r"no microphone 'Rode'.*'pulse'"):
        start_call(desk, Microphone("Rode"))
    with pytest.raises(AudioDeviceError, match="no speaker 99"):
        start_call(desk, Microphone(None, 99))


def test_a_device_is_found_by_index_name_and_as_the_default(card):
    default = devices.find("input", None)
    assert default.default
    assert devices.find("input", default.index) == default
    assert devices.find("output", "PULSE").name == "pulse"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"input": -1}, ArgumentError),
        ({"input": " "}, ArgumentError),
        ({"output": 1.5}, ArgumentTypeError),
        ({"output": True}, ArgumentTypeError),
        ({"echo_cancellation": "full"}, ArgumentError),
        ({"push_to_talk": "yes"}, ArgumentTypeError),
        ({"input_gain_db": 100}, ArgumentError),
        ({"input_gain_db": "loud"}, ArgumentTypeError),
        ({"latency": 0}, ArgumentError),
        ({"echo_cancellation": False, "noise_suppression": True}, ArgumentError),
    ],
)
def test_what_a_microphone_can_not_be(arguments, error):
    with pytest.raises(error, match=next(iter(arguments))):
        Microphone(**arguments)


@with_a_speaker_that_keeps_up
def test_a_device_at_another_rate_is_resampled(card, monkeypatch):
    def other_rate(device, wanted):
        return (44100, 2) if device.side == "output" else (48000, 2)

    monkeypatch.setattr(devices, "choose_rate", other_rate)

    def during(call):
        greeted(call)
        card.say(LINE)
        until(call, lambda: count(call, events.AgentSpeechStopped) >= 2)

    call, speaker = on(card, Microphone(), during, compared=True)
    opened = call.events.of(events.AudioDeviceOpened)
    assert [e.sample_rate for e in opened] == [48000, 44100]
    assert call.transcript[1].text == LINE
    sentence = call.transcript[0].text.split(".")[0] + "."
    said = speech.synthesize(sentence, speech.AGENT_VOICE, sample_rate=MONITOR_RATE).samples
    assert correlation(said, speaker)[0] > 0.9


@pytest.mark.parametrize(("latency", "block"), [(0.02, 240), (None, 480), (0.2, 480)])
def test_a_speaker_that_is_to_keep_less_than_two_blocks_gets_shorter_ones(card, latency, block):
    played = []
    speaker = PlayStream(
        devices.find("output", None),
        24000,
        PlayBuffer(),
        lambda *call: played.append(call),
        latency,
    )
    try:
        wait_until(lambda: speaker.started, 5, lambda: speaker.calls)
    finally:
        speaker.close()
    assert {len(samples) for *_, samples in played} == {block}
    assert speaker.latency_secs == pytest.approx(latency or OUTPUT_LATENCY_SECS, rel=0.15)


def test_a_lost_device_is_replaced_and_the_call_goes_on(card, monkeypatch):
    # PulseAudio moves a stream whose source is unloaded to another one by itself, so PortAudio
    # never hears of it: here its stream dies.
    opened = []

    class Kept(microphone.CaptureStream):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            opened.append(self)

    monkeypatch.setattr(microphone, "CaptureStream", Kept)

    def during(call):
        greeted(call)
        opened[0]._stream.abort()
        until(call, lambda: len(call.events.of(events.AudioDeviceOpened)) >= 4)
        time.sleep(0.3)  # a caller's pause: the new devices' first blocks are silent
        card.say(LINE)
        until(call, lambda: count(call, events.AgentSpeechStopped) >= 2)

    call, _ = on(card, Microphone(), during)
    lost = call.events.of(events.AudioDeviceLost)
    assert [(e.side, e.why) for e in lost] == [("input", "it was closed")]
    assert call.end_reason == "hung_up"
    assert [e.text for e in call.transcript if e.role == "user"] == [LINE]


def test_a_lost_device_without_another_ends_the_call(card, monkeypatch):
    made = []

    async def watched_desk(call_id):
        with_transport(made.append)
        await desk(call_id)

    call = start_call(watched_desk, Microphone())
    until(call, lambda: call.state == "listening")

    def gone(side, wanted):
        raise AudioDeviceError("this computer has no microphone")

    monkeypatch.setattr(devices, "find", gone)
    made[0].retry_secs = 1.0
    made[0].silent_secs = -1.0  # every device is silent for long enough
    call.join(10)
    assert call.end_reason == "audio_device_lost"
    [lost] = call.events.of(events.AudioDeviceLost)
    assert lost.device
    assert "no other one" in call.events.of(events.ErrorOccurred)[-1].message


def test_without_the_echo_extra_the_call_says_so_once(card, monkeypatch):
    def missing(*_, **__):
        raise MissingExtraError("echo cancellation", "echo")

    monkeypatch.setattr(microphone, "EchoCanceller", missing)
    call, _ = on(card, Microphone(), lambda call: time.sleep(0.2))
    [notice] = call.events.of(events.NoticeGiven)
    for part in ("piopiy-lab[echo]", "headphones", "half-duplex"):
        assert part in notice.message


@pytest.mark.parametrize("far_rate", [24000, 44100, 22050])
def test_the_echo_canceller_takes_blocks_of_any_length_and_removes_the_echo(far_rate):
    need_livekit()
    said = speech.synthesize("one two three four five six seven eight " * 2, sample_rate=16000)
    far_clip = speech.synthesize(
        "one two three four five six seven eight " * 2, sample_rate=far_rate
    ).samples
    canceller = echo.EchoCanceller(16000, far_rate)
    echoed = np.concatenate([np.zeros(1280, np.int16), said.samples // 3])
    out, n = [], 317  # no multiple of 10 ms
    for i in range(len(echoed) // n):
        a, b = (round(k * n * far_rate / 16000) for k in (i, i + 1))
        canceller.far(far_clip[a:b])
        out.append(canceller.near(echoed[i * n : (i + 1) * n]))
    clean = np.concatenate(out)
    assert len(echoed) - len(clean) < 16000 // 50 + n
    half = len(clean) // 2
    power = [float(np.mean(x[half : len(clean)].astype(float) ** 2)) for x in (echoed, clean)]
    assert 10 * np.log10(power[0] / max(power[1], 1e-3)) > 15
