"""Two PortAudio streams, one that captures and one that plays.

Two, never one for both: they run at rates of their own. The callbacks run on PortAudio's **audio
thread**: they copy, hand over and return. Everything else may be called from any other thread but
the session's loop, for opening and closing may take a second.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from piopiy_lab.errors import AudioDeviceError
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports import devices
from piopiy_lab.transports.devices import Device
from piopiy_lab.transports.lost_time import CaptureLoss, PlayLoss
from piopiy_lab.transports.settling import Settling

#: Seconds in one callback.
BLOCK_SECS = 0.02
#: Seconds of sound that a speaker is asked to keep: two blocks, of 20 ms at most. With half of it
#: the agent is heard, and silent, 20 ms earlier; but while a kernel computes PulseAudio then runs
#: dry again and again and throws the agent's voice away (docs/microphone.md has the figures).
OUTPUT_LATENCY_SECS = 0.04
#: Callbacks after which a device runs.
STARTED_CALLS = 3
#: Seconds after opening in which a device's complaints don't count: it is still filling up.
SETTLING_SECS = 1.0


class PlayBuffer:
    """What the speaker plays next; written on the session's loop, read on the audio thread."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()  # held for microseconds
        self._pieces: deque[Int16] = deque()
        self._queued = 0
        self._number = 0  # of the next sample, among all that were written; dropped ones count
        self._dry = 0  # samples of silence played since it ran out

    @property
    def queued(self) -> int:
        """How many samples wait."""
        return self._queued

    def write(self, samples: Int16) -> None:
        """Add int16 samples, (n,)."""
        if len(samples):
            with self._lock:
                self._pieces.append(samples)
                self._queued += len(samples)

    def read(self, out: Int16) -> tuple[int, int]:
        """Fill ``out``, (n,), with silence where there is nothing.

        Returns:
            The number of the first sample, and how many there were.
        """
        filled = 0
        with self._lock:
            number = self._number
            while self._pieces and filled < len(out):
                piece = self._pieces[0]
                part = piece[: len(out) - filled]
                out[filled : filled + len(part)] = part
                filled += len(part)
                if len(part) == len(piece):
                    self._pieces.popleft()
                else:
                    self._pieces[0] = piece[len(part) :]
            self._queued -= filled
            self._number += filled
            self._dry = len(out) - filled if filled else self._dry + len(out)
        out[filled:] = 0
        return number, filled

    def take_dry(self) -> int:
        """Return how many samples of silence were played for want of others, and forget them."""
        with self._lock:
            dry, self._dry = self._dry, 0
        return dry

    def clear(self, number: int) -> None:
        """Drop everything; the next sample written has this number."""
        with self._lock:
            self._dry = 0
            self._pieces.clear()
            self._queued = 0
            self._number = number


class _Stream:
    """What both directions share."""

    _loss: CaptureLoss | PlayLoss

    def __init__(self, device: Device, wanted_rate: int) -> None:
        self.device = device
        self.rate, self.channels = devices.choose_rate(device, wanted_rate)
        self.latency_secs = 0.0  # what PortAudio says of it, once open
        self.called_at = 0.0  # time.monotonic() of the last callback; the audio thread
        self.calls = 0  # callbacks so far; the audio thread
        self.flags = 0  # callbacks at which PortAudio told of a loss; the audio thread
        self.finished = False  # PortAudio stopped it; the audio thread
        self._opened_at = 0.0
        self._stream: Any = None

    def _open(
        self, kind: str, callback: Callable[..., None], block_secs: float, latency: float | str
    ) -> None:
        sd = devices.load()

        def on_finished() -> None:
            self.finished = True

        with devices.lock:
            try:
                stream = getattr(sd, kind)(
                    samplerate=self.rate,
                    blocksize=round(self.rate * block_secs),
                    device=self.device.index,
                    channels=self.channels,
                    dtype="int16",
                    latency=latency,
                    callback=callback,
                    finished_callback=on_finished,
                )
            except (sd.PortAudioError, ValueError) as error:
                raise AudioDeviceError(
                    f"the {self.device.kind} {self.device.name!r} can't be opened at "
                    f"{self.rate} Hz ({error}): does another program hold it? See "
                    "'piopiy-lab doctor'"
                ) from error
            self._stream = stream
            devices.count_stream(1)
            self._opened_at = self.called_at = time.monotonic()
            self.latency_secs = float(stream.latency)
            try:
                stream.start()
            except sd.PortAudioError as error:
                self.close()
                raise AudioDeviceError(
                    f"the {self.device.kind} {self.device.name!r} can't be started ({error})"
                ) from error

    def close(self) -> None:
        """Stop at once and close; does nothing the second time."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        with devices.lock:
            try:
                stream.close(ignore_errors=True)  # of a device that has gone
            finally:
                devices.count_stream(-1)

    @property
    def lost_secs(self) -> float:
        """Seconds of sound that it has lost so far; any thread."""
        return self._loss.secs

    @property
    def started(self) -> bool:
        """Whether the device runs: some call once, and then not again for two seconds."""
        return self.calls >= STARTED_CALLS

    def _called(self, flagged: bool) -> bool:
        """Note a callback; returns whether a loss that PortAudio tells of counts."""
        self.called_at = time.monotonic()
        self.calls += 1
        counts = flagged and self.called_at - self._opened_at > SETTLING_SECS
        self.flags += counts
        return counts


class CaptureStream(_Stream):
    """A microphone that is open."""

    def __init__(self, device: Device, wanted_rate: int, hand_over: Callable[..., None]) -> None:
        """Open it.

        Args:
            device: Which one.
            wanted_rate: Hz; it runs at the nearest that it can (:attr:`rate`).
            hand_over: Called on the audio thread with a block's age in seconds (how long ago its
                first sample was heard) and its samples, int16 of shape (n, channels).

        Raises:
            AudioDeviceError: It can't be opened.
        """
        super().__init__(device, wanted_rate)
        self._loss = loss = CaptureLoss()  # the audio thread
        self._age = BLOCK_SECS + 0.05  # a guess, until the device tells; the audio thread

        def on_block(data: Any, frames: int, stamp: Any, status: Any) -> None:
            flagged = self._called(status.input_overflow)
            loss.block(self.called_at, frames / self.rate, flagged)
            samples = np.frombuffer(bytes(data), np.int16).reshape(-1, self.channels)
            # The stamps of some systems (PulseAudio) jump by 50 ms from block to block, in both
            # directions; the least age that was seen is steady, and late blocks are known to be.
            age = stamp.currentTime - stamp.inputBufferAdcTime
            block = frames / self.rate
            if block <= age < self._age:
                self._age = age
            hand_over(self._age, samples)

        self._open("RawInputStream", on_block, BLOCK_SECS, "low")


class PlayStream(_Stream):
    """A speaker that is open."""

    def __init__(
        self,
        device: Device,
        wanted_rate: int,
        buffer: PlayBuffer,
        played: Callable[..., None],
        latency: float | None = None,
    ) -> None:
        """Open it.

        Args:
            device: Which one.
            wanted_rate: Hz; it runs at the nearest that it can (:attr:`rate`).
            buffer: What it plays, mono, at :attr:`rate`.
            played: Called on the audio thread for each block: the number of its first sample, how
                many there were, the seconds until the first is heard, and the block itself, int16
                of shape (n,), not to be changed.
            latency: Seconds that the device is asked to keep; None for what has proved enough.

        Raises:
            AudioDeviceError: It can't be opened.
        """
        super().__init__(device, wanted_rate)
        self._loss = loss = PlayLoss()  # the audio thread
        self._settling = settling = Settling()  # the audio thread

        def on_block(data: Any, frames: int, stamp: Any, status: Any) -> None:
            flagged = self._called(status.output_underflow)
            settling.block(self.called_at, frames / self.rate, bool(status.output_underflow))
            block = np.empty(frames, np.int16)
            number, count = buffer.read(block)
            np.frombuffer(data, np.int16).reshape(-1, self.channels)[:] = block[:, None]
            wait = stamp.outputBufferDacTime - stamp.currentTime
            wait = wait if 0 < wait < 1.0 else self.latency_secs
            loss.block(self.called_at, frames / self.rate, wait, flagged, count > 0)
            played(number, count, wait, block)

        latency = latency or OUTPUT_LATENCY_SECS
        self._open("RawOutputStream", on_block, min(BLOCK_SECS, latency / 2), latency)

    @property
    def started(self) -> bool:
        """Whether it plays what it is given: what it gets before that may be thrown away."""
        return super().started and self._settling.done
