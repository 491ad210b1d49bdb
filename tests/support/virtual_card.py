"""A virtual sound card: PulseAudio with null sinks, in a runtime folder of its own.

``speaker`` is what calls play to; what is played into ``micsink`` is what the microphone hears.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from wait_until import wait_until

from piopiy_lab.events import AudioDropped
from piopiy_lab.sound import pcm, speech

MONITOR_RATE = 16000


def need(what: str) -> NoReturn:
    """Skip, or fail where everything must be there."""
    if os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
        pytest.fail(f"{what}, and PIOPIY_LAB_REQUIRE=all")
    pytest.skip(what)


def need_livekit() -> Any:
    """Return ``livekit.rtc``, which takes echoes out; skip or fail without."""
    try:
        from livekit import rtc
    except ImportError as error:
        need(f"the 'echo' extra is not installed ({error})")
    return rtc


class VirtualCard:
    """A running PulseAudio server with a virtual microphone and a virtual speaker."""

    def __init__(self, folder: Path) -> None:
        self.env = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder),
            "HOME": str(folder),
            "PULSE_SERVER": f"unix:{folder}/native",
        }
        modules = [
            "module-native-protocol-unix auth-anonymous=1",
            "module-null-sink sink_name=speaker rate=48000 channels=2",
            "module-null-sink sink_name=micsink rate=48000 channels=1",
            "module-remap-source master=micsink.monitor source_name=mic",
        ]
        self.server = subprocess.Popen(
            [
                "pulseaudio",
                "-n",
                "--daemonize=no",
                "--exit-idle-time=-1",
                "--use-pid-file=no",
                "--disallow-exit",
                "--log-target=stderr",
                *(f"--load={module}" for module in modules),
            ],
            env={k: v for k, v in self.env.items() if k != "PULSE_SERVER"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while subprocess.run(["pactl", "info"], env=self.env, capture_output=True).returncode:
            if time.monotonic() > deadline or self.server.poll() is not None:
                self.stop()
                pytest.fail("PulseAudio did not start")
            time.sleep(0.05)
        self.pactl("set-default-sink", "speaker")
        self.pactl("set-default-source", "mic")

    def stop(self) -> None:
        self.server.kill()
        self.server.wait()

    def pactl(self, *arguments: str) -> str:
        return subprocess.run(
            ["pactl", *arguments], env=self.env, capture_output=True, text=True, check=True
        ).stdout.strip()

    def speak(self, samples: np.ndarray, rate: int = 16000) -> subprocess.Popen[bytes]:
        """Begin to play samples into the microphone."""
        player = subprocess.Popen(
            ["paplay", "--raw", f"--rate={rate}", "--channels=1", "--format=s16le",
             "--latency-msec=50", "--device=micsink"],
            env=self.env, stdin=subprocess.PIPE,
        )  # fmt: skip
        assert player.stdin is not None
        player.stdin.write(samples.astype("<i2").tobytes())
        player.stdin.close()
        return player

    def say(self, text: str) -> subprocess.Popen[bytes]:
        """Begin to say a text into the microphone."""
        said = speech.synthesize(text, speech.CALLER_VOICE, sample_rate=16000)
        return self.speak(said.samples)

    @contextmanager
    def listening(self, source: str = "speaker.monitor") -> Iterator[list[np.ndarray]]:
        """Record what is played meanwhile; the list has int16 at MONITOR_RATE afterwards."""
        heard: list[np.ndarray] = []
        with tempfile.TemporaryFile() as file:
            recorder = subprocess.Popen(
                ["parec", "--raw", f"--rate={MONITOR_RATE}", "--channels=1", "--format=s16le",
                 "--latency-msec=20", f"--device={source}"],
                env=self.env, stdout=file,
            )  # fmt: skip
            try:  # on a busy machine it is there after seconds, and what was played before is lost
                wait_until(lambda: os.fstat(file.fileno()).st_size, what="parec hears nothing")
                yield heard
            finally:
                recorder.terminate()
                recorder.wait()
                file.seek(0)
                data = file.read()
                heard.append(np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int16))

    @contextmanager
    def acoustic_echo(self, loss_db: int = 10) -> Iterator[None]:
        """Let the microphone hear the speaker, weaker by what a desk's width takes."""
        module = self.pactl(
            "load-module", "module-loopback", "source=speaker.monitor", "sink=micsink",
            "latency_msec=40",
        )  # fmt: skip
        number = next(
            line.split("#")[1]
            for block in self.pactl("list", "sink-inputs").split("\n\n")
            if f"Owner Module: {module}" in block
            for line in block.splitlines()
            if line.startswith("Sink Input #")
        )
        self.pactl("set-sink-input-volume", number, f"-{loss_db}dB")
        try:
            yield
        finally:
            self.pactl("unload-module", module)


def correlation(part: np.ndarray, whole: np.ndarray) -> tuple[float, float]:
    """Find ``part`` in ``whole``, both at MONITOR_RATE.

    Returns:
        The normalised correlation where it fits best, 0..1, and that place in seconds.
    """
    a, b = part.astype(np.float64), whole.astype(np.float64)
    size = 1 << (len(a) + len(b)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)
    cross = cross[: max(1, len(b) - len(a) + 1)]
    at = int(np.argmax(np.abs(cross)))
    there = b[at : at + len(a)]
    scale = np.linalg.norm(a) * np.linalg.norm(there)
    return float(abs(cross[at]) / scale) if scale else 0.0, at / MONITOR_RATE


def likeness(part: np.ndarray, whole: np.ndarray, gaps: int = 0) -> float:
    """How well ``part`` is found in ``whole``, if a speaker that ran dry delayed what follows.

    A gap that the call told (``AudioDropped``) is the machine's, not what a test of the words is
    about; one that it did not tell stays a difference. The best way through ``whole`` is found
    in steps of 10 ms, with at most ``gaps`` delays, up to 0.1 s before and behind where most of it
    fits (dynamic programming). Ten gaps make another sentence no more like it than 0.7.

    Returns:
        The normalised correlation along that way, 0..1.
    """
    alike, at = correlation(part, whole)
    if not gaps:
        return alike
    step, reach = MONITOR_RATE // 100, MONITOR_RATE // 10
    count = len(part) // step
    begin = round(at * MONITOR_RATE) - reach
    there = np.zeros(count * step + 2 * reach)
    taken = whole[max(0, begin) : begin + len(there)]
    there[max(0, -begin) : max(0, -begin) + len(taken)] = taken
    blocks = part[: count * step].astype(np.float64).reshape(count, step)
    sliding = np.lib.stride_tricks.sliding_window_view(there, step)
    # [block, delay]: what each block finds at each delay, and how loud it is there
    found = np.stack([sliding[n * step :][: 2 * reach] @ block for n, block in enumerate(blocks)])
    loud = np.stack([(sliding[n * step :][: 2 * reach] ** 2).sum(1) for n in range(count)])
    way, energy = np.zeros((gaps + 1, 2 * reach)), np.zeros((gaps + 1, 2 * reach))
    for n in range(count):
        for jumps in range(gaps, 0, -1):  # from an earlier delay, one gap ago
            best = np.maximum.accumulate(way[jumps - 1])
            first = np.maximum.accumulate(np.where(way[jumps - 1] == best, np.arange(len(best)), 0))
            better = best > way[jumps]
            way[jumps] = np.where(better, best, way[jumps])
            energy[jumps] = np.where(better, energy[jumps - 1][first], energy[jumps])
        way, energy = way + found[n], energy + loud[n]
    end = np.unravel_index(np.argmax(way), way.shape)
    scale = np.linalg.norm(blocks) * np.sqrt(energy[end])
    return max(alike, float(way[end] / scale) if scale else 0.0)


def gaps_told(call: Any) -> int:
    """How many times the call says that its speaker ran dry."""
    return sum(drop.where == "output" for drop in call.events.of(AudioDropped))


def at_monitor_rate(samples: np.ndarray, rate: int) -> np.ndarray:
    return pcm.resample(samples, rate, MONITOR_RATE)
