"""Keeps what the pipeline hears of the caller while the call runs; see ``sound/heard.py``."""

from __future__ import annotations

import struct
import tempfile
import threading
import weakref
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np

from piopiy_lab.errors import SavedCallError
from piopiy_lab.sound.heard import FLAC, HEADER, WAV, Frames, Heard, mono_header, write_flac
from piopiy_lab.sound.pcm import Int16

#: Samples wait for so long until they are appended: what kill -9 may cost.
APPEND_SECS = 0.1
#: Bytes that a call without a folder keeps in memory; what is more goes to a temporary file.
MEMORY_BYTES = 32 << 20
#: A live frame that begins so much later than the one before it ends follows something that was
#: lost. Less is a network's jitter, after which frames come all at once.
JUMP_SECS = 0.15
#: From so many seconds on the FLAC is written on a thread of its own: the loop has other calls.
SHORT_SECS = 60.0


class HeardTrack:
    """Keeps what the pipeline hears, as it hears it.

    :meth:`add` is called on the session's loop; everything else from any thread. A disk that
    fails doesn't end the call: the error is in :attr:`error`, and the sound goes on in memory.
    """

    def __init__(self, folder: Path | None = None, *, keep: bool = True) -> None:
        """Keep nothing yet.

        Args:
            folder: Where ``caller.wav`` grows, and ``caller.flac`` is left.
            keep: False keeps nothing at all.
        """
        self._folder = folder
        self._keep = keep
        self._lock = threading.Lock()  # guards everything below
        self._file: IO[bytes] | None = None
        self._on_disk = False  # whether _file is ours in the folder, with a header
        self._waiting: list[Int16] = []
        self._counts = [0, 0]  # samples: written, waiting
        self._runs: list[list[int]] = []
        self._pushed: dict[int, float] = {}
        self._jumps: list[tuple[int, float]] = []
        self._number = 0  # of the next frame
        self._rate, self._begins = 0, 0.0
        self._ends = 0.0  # seconds: where the frames so far end
        self._ended_at: float | None = None
        self._words: tuple[tuple[str, float, float], ...] = ()
        self._mutes: list[tuple[float, bool]] = []
        self._closed = False
        self._virtual = False  # whether frames come with the time at which they were pushed
        self._other_rate = False  # the rate has changed in mid-call: what comes isn't kept
        self.error: OSError | None = None  # written once
        #: Seconds by which it is later than it was said; written by the transport, before add().
        self.late: float = 0.0

    def add(
        self, start: float, samples: Int16, rate: int, *, pushed_at: float | None = None
    ) -> None:
        """Keep a frame that the pipeline gets.

        Args:
            start: The call's seconds of its first sample.
            samples: int16, (n,).
            rate: Theirs, in Hz. What has another rate than the first frame isn't kept.
            pushed_at: In virtual time: the call's seconds now.
        """
        with self._lock:
            if not self._keep or self._closed or len(samples) == 0 or self._other_rate:
                return
            if not self._rate:
                self._begin(start, rate)
                self._virtual = pushed_at is not None
            if rate != self._rate:
                self._other_rate = True
                return
            if pushed_at is None and start - self._ends > JUMP_SECS:
                self._jumps.append((sum(self._counts), start))
                self._ends = start
            if self._runs and self._runs[-1][1] == len(samples):
                self._runs[-1][0] += 1
            else:
                self._runs.append([1, len(samples)])
            self._waiting.append(samples.copy())
            self._counts[1] += len(samples)
            if pushed_at is None:
                self._ends += len(samples) / rate
            else:
                due = self._begins + sum(self._counts) / rate
                if abs(due - pushed_at) > 1e-9:
                    self._pushed[self._number] = pushed_at
            self._number += 1
            if self._counts[1] >= APPEND_SECS * rate:
                self._append()

    def mute(self, at: float, muted: bool) -> None:
        """Note that the caller's side was muted, or opened, by hand."""
        with self._lock:
            self._mutes.append((at, muted))

    def end(self, at: float | None, words: Iterable[tuple[str, float, float]] = ()) -> None:
        """Finish: nothing comes any more. Once is enough.

        Args:
            at: The call's seconds at which its end was asked for.
            words: A scripted caller's own words.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._ended_at, self._words = at, tuple(words)
            if self._file is None:
                return
            self._append()
            if not self._on_disk or self._folder is None:
                return
            secs = self._counts[0] / self._rate
        if secs <= SHORT_SECS:
            self._compress()
        else:
            threading.Thread(target=self._compress, name="piopiy_lab.heard.flac").start()

    @property
    def frames(self) -> Frames | None:
        """When what was fed, so far; None while nothing was, or if nothing is kept."""
        with self._lock:
            if not self._rate:
                return None
            return Frames(
                rate=self._rate,
                begins=self._begins,
                runs=tuple((count, size) for count, size in self._runs),
                pushed=dict(self._pushed),
                jumps=tuple(self._jumps),
                ended_at=self._ended_at,
                words=self._words,
                mutes=tuple(self._mutes),
                virtual=self._virtual,
                late=self.late,
            )

    def heard(self) -> Heard | None:
        """Return a copy of what was heard so far; None while nothing was, or if nothing is kept.

        Raises:
            SavedCallError: It is on a disk that can't be read any more.
        """
        frames = self.frames
        if frames is None:
            return None
        with self._lock:
            pieces = [self._written(), *self._waiting]
        samples = np.concatenate(pieces)[: sum(count * size for count, size in frames.runs)]
        return Heard(frames, samples)

    # --- inside, while _lock is held ------------------------------------------------------------

    def _begin(self, start: float, rate: int) -> None:
        self._rate, self._begins, self._ends = rate, start, start
        if self._folder is not None:
            try:
                self._file = self._kept(open(self._folder / WAV, "w+b", buffering=0))  # noqa: SIM115
                self._file.write(mono_header(rate, None))
                self._on_disk = True
                return
            except OSError as error:
                self.error = error
        self._file = BytesIO()

    def _append(self) -> None:
        assert self._file is not None, "a track that has begun has a file"
        data = np.concatenate([np.zeros(0, np.int16), *self._waiting]).astype("<i2").tobytes()
        try:
            self._put(data)
        except OSError as error:
            self.error = self.error or error
            self._go_on_in_memory(data)
        self._counts = [self._counts[0] + len(data) // 2, 0]
        self._waiting = []

    def _put(self, data: bytes) -> None:
        assert self._file is not None
        self._file.seek(0, 2)
        if isinstance(self._file, BytesIO) and self._file.tell() > MEMORY_BYTES:
            self._spill(self._file)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) or 0 :]
        if self._on_disk:
            size = self._file.tell() - HEADER.size
            for place, value in ((4, size + HEADER.size - 8), (40, size)):
                self._file.seek(place)
                self._file.write(struct.pack("<I", value))

    def _kept(self, file: IO[bytes]) -> IO[bytes]:
        """Close a file when nobody holds this track any more."""
        weakref.finalize(self, file.close)
        return file

    def _spill(self, memory: BytesIO) -> None:
        """Move a long call's sound to a temporary file; without room for one it stays."""
        try:
            file = self._kept(tempfile.TemporaryFile())  # noqa: SIM115 (kept)
            file.write(memory.getbuffer())
        except OSError as error:
            self.error = self.error or error
            return
        self._file = file

    def _go_on_in_memory(self, data: bytes) -> None:
        """Take what the failing disk still gives, and keep the rest in memory."""
        whole = self._counts[0] * 2
        try:
            kept = self._read_bytes()[:whole]
        except OSError:
            kept = b""
        self._file = BytesIO()
        self._on_disk = False
        self._put(kept.ljust(whole, b"\0") + data)

    def _read_bytes(self) -> bytes:
        assert self._file is not None
        self._file.seek(HEADER.size if self._on_disk else 0)
        pieces = iter(lambda: self._file.read(1 << 20), b"")  # type: ignore[union-attr]
        return b"".join(pieces)

    def _written(self) -> Int16:
        if self._file is None:
            return np.zeros(0, np.int16)
        try:
            return np.frombuffer(self._read_bytes(), "<i2").astype(np.int16)
        except OSError as error:
            raise SavedCallError(f"what the call heard can't be read back ({error})") from error

    # --- inside ---------------------------------------------------------------------------------

    def _compress(self) -> None:
        """Leave a FLAC in place of the WAV; the WAV, if that fails."""
        assert self._folder is not None
        try:
            with self._lock:
                samples = self._written()
            write_flac(self._folder / FLAC, samples, self._rate)
            (self._folder / WAV).unlink()  # what is open goes on being read
        except (OSError, SavedCallError, RuntimeError):
            return  # as good a file, and as exact
