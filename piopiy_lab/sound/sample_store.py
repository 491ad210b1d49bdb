"""Where a recording's finished frames go: memory, a WAV file, or a temporary file.

A frame is one stereo sample: two int16, four bytes. The stores are random-access, so a chunk
that arrives late, or audio that is erased because nobody heard it, still finds its place.

The WAV is good after kill -9: its header is written first with the greatest size and brought up
to date with every write, nothing waits in a buffer of this process, and the loader goes by the
file's size anyway.
"""

from __future__ import annotations

import struct
import tempfile
import threading
import weakref
from io import FileIO
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from piopiy_lab.sound.pcm import Int16

FRAME_BYTES = 4
HEADER_BYTES = 44
#: RIFF sizes have 32 bits; this one also stands for "not known yet".
GREATEST_SIZE = 0xFFFFFFFF
#: Frames that are read at once, so that a writer never waits long for a reader.
READ_FRAMES = 1 << 18


class SampleStore(Protocol):
    """Frames, addressed by their number. Safe from any thread."""

    @property
    def length(self) -> int:
        """Frames that were written, gaps included."""
        ...

    def write(self, frame: int, frames: Int16) -> None:
        """Put int16 frames, (n, 2), at ``frame`` and after; a gap before them is silence."""
        ...

    def read(self, start: int, end: int) -> Int16:
        """Return frames ``start`` to ``end``, (end - start, 2); what was never written is 0."""
        ...

    def truncate(self, frames: int) -> None:
        """Make it exactly so many frames long."""
        ...

    def close(self) -> None:
        """Finish writing; reading goes on working."""
        ...


class MemoryStore:
    """Frames in one growing array."""

    def __init__(self) -> None:
        self._frames: Int16 = np.zeros((0, 2), np.int16)  # replaced when it grows
        self.length: int = 0  # frames; written by write() and truncate()
        self._lock = threading.Lock()

    def write(self, frame: int, frames: Int16) -> None:
        """Put frames at their place; see :class:`SampleStore`."""
        end = frame + len(frames)
        with self._lock:
            self._grow(end)
            self._frames[frame:end] = frames
            self.length = max(self.length, end)

    def read(self, start: int, end: int) -> Int16:
        """Return a copy; see :class:`SampleStore`."""
        with self._lock:
            have = self._frames[start : min(end, self.length)].copy()
        return _padded(have, end - start)

    def truncate(self, frames: int) -> None:
        """Make it exactly so many frames long."""
        with self._lock:
            self._grow(frames)
            self._frames[min(self.length, frames) :] = 0
            self.length = frames

    def close(self) -> None:
        """Give back the memory that was kept for growing."""
        with self._lock:
            self._frames = self._frames[: self.length].copy()

    def _grow(self, frames: int) -> None:
        if frames > len(self._frames):
            more = np.zeros((max(frames, len(self._frames) * 3 // 2, 4096), 2), np.int16)
            more[: self.length] = self._frames[: self.length]
            self._frames = more


class FileStore:
    """Frames in a file: a WAV with a path, or raw frames in an unnamed temporary file."""

    def __init__(self, file: IO[bytes] | FileIO, sample_rate: int | None) -> None:
        """Begin a file.

        Args:
            file: Open for reading and writing, unbuffered, empty. It is owned from now on.
            sample_rate: Hz, to write a WAV header; None for raw frames.

        Raises:
            OSError: The header can't be written.
        """
        self._file = file
        weakref.finalize(self, file.close)
        self._head = 0 if sample_rate is None else HEADER_BYTES
        self._lock = threading.Lock()  # the file has one position
        self.length: int = 0  # frames; written by write() and truncate()
        if sample_rate is not None:
            self._put(0, wav_header(sample_rate, None))

    @classmethod
    def wav(cls, path: Path, sample_rate: int) -> FileStore:
        """Begin a WAV at ``path``; what was there is gone.

        Raises:
            OSError: It can't be written.
        """
        return cls(open(path, "w+b", buffering=0), sample_rate)

    @classmethod
    def temporary(cls) -> FileStore:
        """Begin an unnamed temporary file, which is gone with the process.

        Raises:
            OSError: There is no room for one.
        """
        return cls(tempfile.TemporaryFile(buffering=0), None)

    def write(self, frame: int, frames: Int16) -> None:
        """Put frames at their place; see :class:`SampleStore`.

        Raises:
            OSError: The disk is full, or gone.
        """
        if len(frames) == 0:
            return
        data = np.ascontiguousarray(frames).astype("<i2", copy=False).tobytes()
        with self._lock:
            self._put(self._head + frame * FRAME_BYTES, data)
            if frame + len(frames) > self.length:
                self.length = frame + len(frames)
                self._mark_length()

    def read(self, start: int, end: int) -> Int16:
        """Return frames; see :class:`SampleStore`.

        Raises:
            OSError: The file can't be read.
        """
        pieces: list[bytes] = []
        for frame in range(start, min(end, self.length), READ_FRAMES):
            count = min(READ_FRAMES, end - frame, self.length - frame)
            with self._lock:
                self._file.seek(self._head + frame * FRAME_BYTES)
                pieces.append(_read_all(self._file, count * FRAME_BYTES))
        data = b"".join(pieces)
        whole = len(data) - len(data) % FRAME_BYTES
        frames = np.frombuffer(data[:whole], "<i2").astype(np.int16).reshape(-1, 2)
        return _padded(frames, end - start)

    def truncate(self, frames: int) -> None:
        """Make it exactly so many frames long.

        Raises:
            OSError: The disk is full, or gone.
        """
        with self._lock:
            self._file.truncate(self._head + frames * FRAME_BYTES)
            self.length = frames
            self._mark_length()

    def close(self) -> None:
        """Keep the file open for reading; it is closed when nobody holds the store any more."""

    def _mark_length(self) -> None:
        if self._head:
            size = min(self.length * FRAME_BYTES, GREATEST_SIZE - HEADER_BYTES)
            self._put(4, struct.pack("<I", size + HEADER_BYTES - 8))
            self._put(40, struct.pack("<I", size))

    def _put(self, place: int, data: bytes) -> None:
        self._file.seek(place)
        left = memoryview(data)
        while left:  # an unbuffered write may take less than it was given
            left = left[self._file.write(left) or 0 :]


class SplitStore:
    """What a failing store still has, and after it memory: the call goes on without the disk."""

    def __init__(self, failed: SampleStore, frames: int) -> None:
        """Keep the first ``frames`` frames of ``failed``, read-only, and the rest in memory."""
        self._failed = failed
        self._frames = frames
        self._memory = MemoryStore()

    @property
    def length(self) -> int:
        """Frames."""
        return self._frames + self._memory.length

    def write(self, frame: int, frames: Int16) -> None:
        """Put frames at their place; those that belong to the failed store are lost."""
        lost = max(0, self._frames - frame)
        self._memory.write(max(0, frame - self._frames), frames[lost:])

    def read(self, start: int, end: int) -> Int16:
        """Return frames; what the failed store no longer gives is silence."""
        try:
            first = self._failed.read(min(start, self._frames), min(end, self._frames))
        except OSError:
            first = np.zeros((max(0, min(end, self._frames) - start), 2), np.int16)
        split = max(start - self._frames, 0), max(end - self._frames, 0)
        return np.concatenate([first, self._memory.read(*split)])

    def truncate(self, frames: int) -> None:
        """Make it exactly so many frames long."""
        self._frames = min(self._frames, frames)
        self._memory.truncate(frames - self._frames)

    def close(self) -> None:
        """Finish writing."""
        self._memory.close()


def wav_header(sample_rate: int, frames: int | None) -> bytes:
    """Return the 44-byte header of a stereo 16-bit WAV; None for a length not known yet."""
    size = GREATEST_SIZE if frames is None else min(frames * FRAME_BYTES, GREATEST_SIZE - 44)
    riff = GREATEST_SIZE if frames is None else size + HEADER_BYTES - 8
    rates = (sample_rate, sample_rate * FRAME_BYTES, FRAME_BYTES, 16)
    form = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", riff, b"WAVE", b"fmt ", 16, 1, 2, *rates)
    return form + struct.pack("<4sI", b"data", size)


def _read_all(file: IO[bytes] | FileIO, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = file.read(count - len(data))
        if not piece:
            break
        data += piece
    return data


def _padded(frames: Int16, length: int) -> Int16:
    if len(frames) >= length:
        return frames[:length]
    return np.concatenate([frames, np.zeros((length - len(frames), 2), np.int16)])
