"""Reads a recording's WAV even if the process that wrote it was killed.

A header that was never brought up to date says too much, too little or nothing about the length.
The file's size knows better, so it decides; the file itself is never changed.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from piopiy_lab.checks.regular_files import open_regular
from piopiy_lab.errors import SavedCallError
from piopiy_lab.sound.heard import Heard
from piopiy_lab.sound.pcm import Int16, to_int16
from piopiy_lab.sound.sample_store import FRAME_BYTES, GREATEST_SIZE, READ_FRAMES

#: Hz that a recording of a call can have.
SAMPLE_RATES = (1_000, 768_000)
#: Seconds of a sound file that isn't ours: it is read into memory, however small it is on disk.
LONGEST_FOREIGN_SECS = 8 * 3600


@dataclass(frozen=True)
class _Layout:
    """Where a stereo 16-bit WAV has its frames."""

    sample_rate: int  # Hz; 0 when the header was never written
    offset: int  # bytes
    frames: int
    inode: int  # of the file that was looked at


class SavedAudio:
    """The sound of a saved call, read from disk when it is asked for."""

    def __init__(
        self, path: Path, sample_rate: int, heard: Callable[[], Heard | None] = lambda: None
    ) -> None:
        """Look at the WAV's header.

        Args:
            path: The WAV, which may be missing (a call that kept no audio).
            sample_rate: Hz, to be told by :attr:`sample_rate` if it is.
            heard: Reads what the pipeline heard of the caller, when it is asked for.

        Raises:
            SavedCallError: It is no stereo sound file.
        """
        self._path = path
        self.heard = heard
        self._layout = _layout(path) if _is_there(path) else None
        self._foreign = None  # samples of a file that is not ours; see below
        self._sample_rate = sample_rate
        if self._layout is not None:
            self._sample_rate = self._layout.sample_rate or sample_rate
        elif path.exists():  # somebody converted it: whatever soundfile reads will do
            self._foreign, self._sample_rate = _read_any(path)
        low, high = SAMPLE_RATES
        if not low <= self._sample_rate <= high:
            raise _unreadable(path, f"{self._sample_rate} Hz is no sample rate of a call")

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self._sample_rate

    @property
    def frames(self) -> int:
        """The length in samples of one side."""
        if self._foreign is not None:
            return len(self._foreign)
        return 0 if self._layout is None else self._layout.frames

    def samples(self) -> Int16:
        """Return everything: int16, (n, 2), caller left, agent right.

        Raises:
            SavedCallError: The file can't be read.
        """
        blocks = list(self.blocks())
        return np.concatenate(blocks) if blocks else np.zeros((0, 2), np.int16)

    def read(self, start: int, end: int) -> Int16:
        """Return the frames from ``start`` up to ``end``, as far as there are any.

        Raises:
            SavedCallError: The file can't be read.
        """
        parts: list[Int16] = [np.zeros((0, 2), np.int16)]
        at = 0
        for block in self.blocks():
            if at >= end:
                break
            parts.append(block[max(0, start - at) : max(0, end - at)])
            at += len(block)
        return np.concatenate(parts)

    def blocks(self) -> Iterator[Int16]:
        """Yield everything in pieces, (n, 2).

        Raises:
            SavedCallError: The file can't be read.
        """
        if self._foreign is not None:
            yield self._foreign
        if self._layout is None:
            return
        try:
            with open_regular(self._path) as file:
                if os.fstat(file.fileno()).st_ino != self._layout.inode:
                    raise SavedCallError(
                        f"{self._path} was replaced since the call was loaded; load it again"
                    )
                file.seek(self._layout.offset)
                left = self._layout.frames
                while left:
                    data = file.read(min(left, READ_FRAMES) * FRAME_BYTES)
                    frames = np.frombuffer(data[: len(data) // 4 * 4], "<i2").reshape(-1, 2)
                    if len(frames) == 0:
                        break
                    left -= len(frames)
                    yield frames.astype(np.int16)
        except SavedCallError:
            raise
        except OSError as error:
            raise _unreadable(self._path, error.strerror or str(error)) from error


def _is_there(path: Path) -> bool:
    """Whether there is a file, be it one that is refused when it is opened."""
    try:
        return path.exists()
    except OSError as error:  # a link to itself, say
        raise _unreadable(path, error.strerror or str(error)) from error


def _layout(path: Path) -> _Layout | None:
    """Find the frames of a WAV as we write it; None for another kind of sound file.

    Raises:
        SavedCallError: The file can't be read.
    """
    try:
        with open_regular(path) as file:
            status = os.fstat(file.fileno())
            size = status.st_size
            head = file.read(4096)
            if size == 0 or (size < 44 and b"RIFF".startswith(head[:4])):
                return _Layout(0, size, 0, status.st_ino)  # killed while the header was written
            if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
                return None
            place, form = 12, None
            while place + 8 <= len(head):
                name, length = struct.unpack_from("<4sI", head, place)
                place += 8
                if name == b"fmt " and length >= 16:
                    form = struct.unpack_from("<HHIIHH", head, place)
                elif name == b"data":
                    if form is None or form[0] != 1 or form[1] != 2 or form[5] != 16:
                        return None
                    frames = _true_length(file, place, length, size) // FRAME_BYTES
                    return _Layout(form[2], place, frames, status.st_ino)
                place += length + length % 2
    except (OSError, struct.error) as error:
        raise _unreadable(path, str(error)) from error
    return None


def _true_length(file: BinaryIO, place: int, declared: int, size: int) -> int:
    """Return the bytes of sound: what the header says only if another chunk follows it."""
    rest = size - place
    if declared in (0, GREATEST_SIZE) or declared >= rest:
        return rest
    after = place + declared + declared % 2
    file.seek(after)
    chunk = file.read(8)
    if len(chunk) == 8 and chunk[:4].isalnum() and chunk[:4].isascii():
        length = struct.unpack("<I", chunk[4:])[0]
        if after + 8 + length <= size:
            return declared
    return rest


def _read_any(path: Path) -> tuple[Int16, int]:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            if file.frames > LONGEST_FOREIGN_SECS * rate:
                raise _unreadable(path, f"it is longer than {LONGEST_FOREIGN_SECS} s")
            samples = file.read(dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise _unreadable(path, str(error)) from error
    if samples.shape[1] != 2:
        raise _unreadable(
            path, f"it has {samples.shape[1]} channel(s), and not the caller's and the agent's"
        )
    return to_int16(samples), int(rate)


def _unreadable(path: Path, why: str) -> SavedCallError:
    return SavedCallError(
        f"the recording {path} can't be read ({why}); put a copy of the original there, "
        "or move the file away to load the call without sound"
    )
