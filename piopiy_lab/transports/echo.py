"""Echo cancellation: WebRTC's audio processing, from the ``livekit`` wheel.

It works on 10 ms frames only, and any other length aborts the whole process; so a re-chunker
stands before each side. It knows no device, thread or clock; use it from one thread at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from piopiy_lab.errors import ArgumentError, MissingExtraError
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16

#: What a side is resampled to whose rate has no whole number of samples in 10 ms, in Hz.
OTHER_RATE = 48000


class Rechunker:
    """Cuts a stream of samples into frames of exactly 10 ms."""

    def __init__(self, sample_rate: int) -> None:
        """Cut int16 samples of a rate that is a multiple of 100 Hz.

        Raises:
            ArgumentError: It isn't.
        """
        if sample_rate <= 0 or sample_rate % 100:
            raise ArgumentError(f"10 ms at {sample_rate} Hz are no whole number of samples")
        self.size = sample_rate // 100
        self._rest = np.zeros(0, np.int16)

    def push(self, samples: Int16) -> list[Int16]:
        """Take samples, (n,); return the frames that are full, each (size,) and read only."""
        joined = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        whole = len(joined) - len(joined) % self.size
        self._rest = joined[whole:].copy()
        return list(joined[:whole].reshape(-1, self.size))


class EchoCanceller:
    """Takes what the speaker plays out of what the microphone hears."""

    def __init__(
        self,
        near_rate: int,
        far_rate: int,
        *,
        noise_suppression: bool = False,
        gain_control: bool = False,
    ) -> None:
        """Make one; it learns the room within the first second of the agent's speech.

        Args:
            near_rate: Hz of the microphone's side.
            far_rate: Hz of the speaker's side.
            noise_suppression: Take steady noise out too.
            gain_control: Raise a quiet microphone as needed.

        Raises:
            MissingExtraError: The "echo" extra isn't installed.
        """
        try:
            from livekit import rtc
        except ImportError as error:
            raise MissingExtraError("echo cancellation", "echo", detail=str(error)) from error
        self._apm = rtc.AudioProcessingModule(
            echo_cancellation=True,
            noise_suppression=noise_suppression,
            high_pass_filter=True,
            auto_gain_control=gain_control,
        )
        self._near = _Side(near_rate, rtc.AudioFrame)
        self._far = _Side(far_rate, rtc.AudioFrame)
        self._out = pcm.StreamResampler(self._near.rate, near_rate)

    def far(self, samples: Int16) -> None:
        """Take what is about to be played: int16, (n,); never later than its echo."""
        for frame in self._far.push(samples):
            self._apm.process_reverse_stream(frame)

    def near(self, samples: Int16) -> Int16:
        """Take what was captured, int16, (n,); return it without the echo.

        Returns:
            int16; up to 10 ms (and a resampler's delay) are held back until the next call.
        """
        clean = []
        for frame in self._near.push(samples):
            self._apm.process_stream(frame)
            clean.append(np.frombuffer(frame.data, np.int16).copy())
        joined = np.concatenate(clean) if clean else np.zeros(0, np.int16)
        return self._out.process(joined)


class _Side:
    """One side's way to frames of a rate that WebRTC runs at."""

    def __init__(self, rate: int, frame: Any) -> None:
        self.rate = rate if rate % 100 == 0 else OTHER_RATE
        self._resampler = pcm.StreamResampler(rate, self.rate)
        self._chunks = Rechunker(self.rate)
        size = self._chunks.size
        self._frame = frame(bytearray(2 * size), self.rate, 1, size)  # WebRTC's, used again

    def push(self, samples: Int16) -> Iterator[Any]:
        """Take samples; give the frames that are full, each good until the next one."""
        for chunk in self._chunks.push(self._resampler.process(samples)):
            assert len(chunk) * 100 == self.rate, "any other length would abort the process"
            np.frombuffer(self._frame.data, np.int16)[:] = chunk
            yield self._frame
