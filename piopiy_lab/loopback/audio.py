"""Audio inside a room: who publishes, who listens, and the tracks that WebRTC asks for frames.

Runs on the platform's loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from piopiy_lab.sound.pcm import Int16

#: Hz of everything in a room: Opus's own rate.
ROOM_RATE = 48000
#: Seconds of one frame.
FRAME_SECS = 0.02
#: Frames that may wait for a slow sender; older ones are dropped, so that nobody hears the past.
QUEUE_FRAMES = 10

Listener = Callable[[av.AudioFrame], None]


class Fan:
    """One participant's audio, handed to everybody who listens."""

    def __init__(self) -> None:
        """Make one that nobody listens to."""
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> None:
        """Give every frame from now on to ``listener``."""
        self._listeners.append(listener)

    def discard(self, listener: Listener) -> None:
        """Give it no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def push(self, frame: av.AudioFrame) -> None:
        """Hand a frame on."""
        for listener in list(self._listeners):
            listener(frame)


class QueueTrack(MediaStreamTrack):
    """A track that plays the frames it is given, for aiortc's sender."""

    kind = "audio"

    def __init__(self) -> None:
        """Make an empty one."""
        super().__init__()
        self._frames: deque[av.AudioFrame] = deque(maxlen=QUEUE_FRAMES)
        self._ready = asyncio.Event()

    def put(self, frame: av.AudioFrame) -> None:
        """Add a frame; the oldest one goes when too many wait."""
        self._frames.append(frame)
        self._ready.set()

    async def recv(self) -> Any:
        """Return the next frame, when there is one."""
        while not self._frames:
            if self.readyState != "live":
                raise MediaStreamError
            self._ready.clear()
            await self._ready.wait()
        return self._frames.popleft()

    def stop(self) -> None:
        """End the track; a sender that waits is released."""
        super().stop()
        self._ready.set()


def frame_of(samples: Int16, position: int) -> av.AudioFrame:
    """Return int16 mono samples, (n,), as a frame that begins at sample ``position``."""
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = ROOM_RATE
    frame.pts = position
    frame.time_base = Fraction(1, ROOM_RATE)
    return frame


def samples_of(frame: av.AudioFrame) -> Int16:
    """Return a frame's first channel: int16, (n,)."""
    samples = frame.to_ndarray()
    channels = len(frame.layout.channels)
    if samples.shape[0] == 1 and channels > 1:  # interleaved
        samples = samples.reshape(-1, channels).T
    return np.ascontiguousarray(samples[0], dtype=np.int16)
