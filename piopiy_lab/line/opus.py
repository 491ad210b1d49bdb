"""Opus by PyAV (ffmpeg's libopus), imported when a line needs it.

PyAV hands no empty packet to the decoder, and so neither Opus' own concealment nor its in-band
copies of a lost packet can be had: what is lost is concealed as on every other line, in
:mod:`piopiy_lab.line.concealment`.
"""

from __future__ import annotations

import importlib
from fractions import Fraction
from typing import Protocol, cast

import numpy as np

from piopiy_lab.errors import ArgumentError, MissingExtraError
from piopiy_lab.sound.pcm import Int16

#: Hz of what is encoded, and of what the decoder gives.
RATE, DECODED_RATE = 16000, 48000
#: Bits per second unless told otherwise.
BITRATE = 16000
#: Seconds by which Opus is late, its packet aside: what it looks ahead (RFC 6716: 6.5 ms).
LOOK_AHEAD_SECS = 0.0065


class _Frame(Protocol):
    sample_rate: int
    pts: int

    def to_ndarray(self) -> np.ndarray: ...


class _Context(Protocol):
    sample_rate: int
    bit_rate: int
    layout: str
    format: str
    time_base: Fraction
    options: dict[str, str]

    def encode(self, frame: _Frame) -> list[bytes]: ...

    def decode(self, packet: object) -> list[_Frame]: ...


class _Av(Protocol):
    """What is used of PyAV, which has types of its own only where it is installed."""

    def context(self, mode: str) -> _Context: ...

    def frame(self, samples: Int16) -> _Frame: ...

    def packet(self, data: bytes) -> object: ...


class _Installed:
    def __init__(self) -> None:
        try:
            self._av = importlib.import_module("av")
        except ImportError as error:
            raise MissingExtraError("a line with Opus", "line", detail=str(error)) from error
        if "libopus" not in self._av.codecs_available:
            raise ArgumentError(
                f'Line(codec="opus"): this PyAV ({self._av.__version__}) was built without '
                "libopus; install the wheel from PyPI (pip install --force-reinstall av), or give "
                'codec="pcmu"'
            )

    def context(self, mode: str) -> _Context:
        return cast("_Context", self._av.CodecContext.create("libopus", mode))

    def frame(self, samples: Int16) -> _Frame:
        made = self._av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        return cast("_Frame", made)

    def packet(self, data: bytes) -> object:
        return self._av.Packet(data)


def check_available() -> None:
    """Make sure that Opus can be had.

    Raises:
        MissingExtraError: There is no PyAV.
        ArgumentError: It lacks Opus.
    """
    _Installed()


class Opus:
    """An encoder and a decoder, for packets of 20 ms."""

    def __init__(self, bitrate: int) -> None:
        """Open both.

        Args:
            bitrate: Bits per second.
        """
        self._av: _Av = _Installed()
        self._encoder = self._av.context("w")
        self._encoder.sample_rate = RATE
        self._encoder.layout, self._encoder.format = "mono", "s16"
        self._encoder.bit_rate = bitrate
        self._encoder.time_base = Fraction(1, RATE)
        self._encoder.options = {"application": "voip", "frame_duration": "20", "vbr": "on"}
        self._decoder = self._av.context("r")
        self._decoder.sample_rate, self._decoder.layout = DECODED_RATE, "mono"
        self._encoded = 0  # samples so far

    def encode(self, samples: Int16) -> bytes:
        """Return the packet of 20 ms: int16, (320,), at 16 kHz."""
        frame = self._av.frame(samples)
        frame.sample_rate, frame.pts = RATE, self._encoded
        self._encoded += len(samples)
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))

    def decode(self, packet: bytes) -> Int16:
        """Return the 20 ms of a packet: int16, (960,), at 48 kHz."""
        frames = self._decoder.decode(self._av.packet(packet))
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
