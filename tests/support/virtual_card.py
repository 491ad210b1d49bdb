"""A virtual sound card: PulseAudio with null sinks, in a runtime folder of its own.

``speaker`` is what calls play to; what is played into ``micsink`` is what the microphone hears.
"""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
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


class SpeakerRanDryError(Exception):
    """The computer was too busy for its sound: what the speaker played shows nothing."""


def with_a_speaker_that_keeps_up(test: Callable[..., None]) -> Callable[..., None]:
    """Hold a test's call again, three times at most, if ``kept_up`` refused it.

    PulseAudio throws sound away when the computer keeps it waiting, a second of it and more. The
    call tells that, before anything is compared: not what a comparison finds decides, and four
    such calls in a row fail.
    """

    @functools.wraps(test)
    def again(*args: Any, **kwargs: Any) -> None:
        for _ in range(3):
            try:
                test(*args, **kwargs)
            except SpeakerRanDryError as told:
                warnings.warn(f"the call is held once more: {told}", stacklevel=2)
            else:
                return
        test(*args, **kwargs)

    return again


def kept_up(log: Iterable[object]) -> None:
    """Raise SpeakerRanDryError where a call's events tell that its speaker lost sound."""
    lost = [e for e in log if isinstance(e, AudioDropped) and e.where == "output"]
    if lost:
        raise SpeakerRanDryError(f"the speaker's device ran dry: {lost}")


def at_monitor_rate(samples: np.ndarray, rate: int) -> np.ndarray:
    return pcm.resample(samples, rate, MONITOR_RATE)
