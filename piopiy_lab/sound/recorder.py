"""Records both sides of a call on the call's clock: what is said where, in frames, and kept.

A :class:`~piopiy_lab.sound.track.Track` for each side makes frames of chunks with jittering times;
the last second or so waits here, what is older goes to a
:class:`~piopiy_lab.sound.sample_store.SampleStore`. A WAV also gets a draft of what waits, so that
a killed process loses a fifth of a second at the most.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from piopiy_lab.errors import ArgumentError, SavedCallError
from piopiy_lab.sound.heard import Heard
from piopiy_lab.sound.hearing import HeardTrack
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.sound.sample_store import (
    FRAME_BYTES,
    READ_FRAMES,
    FileStore,
    MemoryStore,
    SampleStore,
    SplitStore,
)
from piopiy_lab.sound.track import Track

CALLER, AGENT = 0, 1  # columns

#: What is older than this goes to the store; late chunks and cuts still find their place there.
FINAL_SECS = 1.0
#: A draft of what waits is written when so much is new: with what the resampler holds back (0.1 s)
#: it stays below the fifth of a second that kill -9 may cost.
DRAFT_SECS = 0.05
#: How much may wait in memory when nobody calls advance().
WAITING_SECS = 30.0


class Recorder:
    """A stereo recording that grows as the call goes on: caller left, agent right.

    Safe from any thread. A disk that fails doesn't end the call: the error is in :attr:`error`,
    and the recording goes on in memory.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        wav_path: Path | None = None,
        keep: bool = True,
        memory_limit_bytes: int = 64 << 20,
    ) -> None:
        """Begin a recording at second 0 of the call's clock.

        Args:
            sample_rate: Of the recording, in Hz.
            wav_path: Write a WAV there as the call goes on, good after kill -9.
            keep: False keeps no audio at all.
            memory_limit_bytes: Without ``wav_path``, what may stay in memory; past it the audio
                is in an unnamed temporary file.

        Raises:
            ArgumentError: The rate isn't positive.
            SavedCallError: The WAV can't be written.
        """
        if sample_rate <= 0:
            raise ArgumentError(f"a sample rate of {sample_rate!r} Hz; give a positive one")
        self._sample_rate = sample_rate
        self._keep = keep
        self._limit = math.inf if wav_path is not None else memory_limit_bytes
        self._lock = threading.Lock()  # guards everything below
        self._tracks = (Track(sample_rate), Track(sample_rate))
        self._tail: Int16 = np.zeros((sample_rate * 2, 2), np.int16)  # frames from _base on
        self._base = 0  # frames before this are in the store
        self._end = 0  # frames that were written, or are silence by now
        self._drafts = keep and wav_path is not None  # whether what waits is written, too
        self._drafted = 0  # frames before this are in the store, as a draft at least
        self._changed: int | None = None  # the first frame that changed since the last draft
        self._closed = False
        self.error: OSError | None = None  # written once, by whoever met it first
        #: What the pipeline hears of the caller, as it is fed.
        self.hearing: HeardTrack = HeardTrack(wav_path.parent if wav_path else None, keep=keep)
        self._store: SampleStore = MemoryStore()
        if keep and wav_path is not None:
            try:
                self._store = FileStore.wav(wav_path, sample_rate)
            except OSError as error:
                raise SavedCallError(
                    f"can't write the recording {wav_path} ({error.strerror or error}); "
                    "give a folder that can be written to"
                ) from error

    @property
    def sample_rate(self) -> int:
        """Hz, of the recording."""
        return self._sample_rate

    def write_caller(self, at: float, samples: Int16, sample_rate: int) -> None:
        """Add what the agent's side heard of the caller.

        Args:
            at: The second of the call's clock of the first sample.
            samples: int16, (n,).
            sample_rate: Theirs, in Hz.
        """
        self._write(CALLER, at, samples, sample_rate)

    def write_agent(self, at: float, samples: Int16, sample_rate: int) -> None:
        """Add what the caller heard of the agent, or will hear; see :meth:`cut_agent`.

        Args:
            at: The second of the call's clock of the first sample; it may lie ahead.
            samples: int16, (n,).
            sample_rate: Theirs, in Hz.
        """
        self._write(AGENT, at, samples, sample_rate)

    def cut_agent(self, at: float) -> None:
        """Erase the agent's audio from second ``at`` on: nobody heard it."""
        with self._lock:
            if self._closed or not self._keep:
                return
            self._put(AGENT, self._tracks[AGENT].finish())
            start = max(0, round(at * self._sample_rate))
            if start < self._end:
                silence = np.zeros(self._end - start, np.int16)
                self._put(AGENT, [(start, silence)])

    def advance(self, now: float) -> None:
        """Hand what is older than about a second to the store; call it a few times a second."""
        with self._lock:
            if self._closed or not self._keep:
                return
            frames = round((now - FINAL_SECS) * self._sample_rate)
            if frames - self._base >= self._sample_rate // 4:
                self._hand_over(frames)
            heard = round(now * self._sample_rate)
            if self._drafts and heard - self._drafted >= DRAFT_SECS * self._sample_rate:
                self._draft(heard)

    def close(self, end: float) -> None:
        """Finish the recording: exactly ``end`` seconds long on both sides. Once is enough."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if not self._keep:
                return
            for column, track in enumerate(self._tracks):
                self._put(column, track.finish())
            frames = max(0, round(end * self._sample_rate))
            if frames > self._base:
                self._hand_over(frames)
            self._base = self._end = frames
            self._tail = np.zeros((0, 2), np.int16)
            try:
                self._store.truncate(frames)
                self._store.close()
            except OSError as error:
                self._lose(error)

    def heard(self) -> Heard | None:
        """Return what the pipeline heard of the caller so far; None if nothing is kept."""
        return self.hearing.heard()

    def samples(self) -> Int16:
        """Return the recording so far: int16, (n, 2), caller left, agent right. A copy.

        Raises:
            SavedCallError: It is on a disk that can't be read any more.
        """
        return self._read(0, self.frames)

    def blocks(self) -> Iterator[Int16]:
        """Yield the recording so far in pieces, (n, 2), so that a long one needs no memory.

        Raises:
            SavedCallError: It is on a disk that can't be read any more.
        """
        frames = self.frames
        for start in range(0, frames, READ_FRAMES):
            yield self._read(start, min(frames, start + READ_FRAMES))

    def read(self, start: int, end: int) -> Int16:
        """Return the frames from ``start`` up to ``end``, as far as there are any. A copy.

        Args:
            start: The first frame, from 0.
            end: The frame after the last.

        Raises:
            SavedCallError: It is on a disk that can't be read any more.
        """
        end = min(end, self.frames)
        return self._read(start, end) if start < end else np.zeros((0, 2), np.int16)

    @property
    def frames(self) -> int:
        """The length of the recording so far, in samples of one side."""
        with self._lock:
            return max(self._base, self._end)

    def __repr__(self) -> str:
        secs = self.frames / self._sample_rate
        kept = "" if self._keep else ", keeps nothing"
        return f"<Recorder: {secs:.2f} s, {self._sample_rate} Hz{kept}>"

    # --- inside ---------------------------------------------------------------------------------

    def _read(self, start: int, end: int) -> Int16:
        if not self._keep:
            return np.zeros((0, 2), np.int16)
        with self._lock:
            store, split = self._store, min(max(self._base, start), end)
            skip = split - self._base
            tail = self._tail[max(0, skip) : max(0, end - self._base)].copy()
        try:
            final = store.read(start, split)
        except OSError as error:
            raise SavedCallError(f"the recording can't be read back ({error})") from error
        frames = np.concatenate([final, tail])
        missing = end - start - len(frames)
        return np.pad(frames, ((0, missing), (0, 0))) if missing > 0 else frames[: end - start]

    def _write(self, column: int, at: float, samples: Int16, sample_rate: int) -> None:
        if not math.isfinite(at):
            raise ArgumentError(f"audio at second {at!r}; give a time of the call's clock")
        with self._lock:
            if self._closed or not self._keep or len(samples) == 0:
                return
            self._put(column, self._tracks[column].write(at, samples, sample_rate))
            if self._end - self._base > WAITING_SECS * self._sample_rate:
                self._hand_over(self._end - round(FINAL_SECS * self._sample_rate))

    # --- inside, while _lock is held ------------------------------------------------------------

    def _put(self, column: int, pieces: list[tuple[int, Int16]]) -> None:
        """Write pieces of one side at their frames, in the tail and, if late, in the store."""
        for frame, samples in pieces:
            if len(samples) == 0:
                continue
            end = frame + len(samples)
            self._end = max(self._end, end)
            late = min(end, self._base) - frame
            if late > 0:
                self._amend(column, frame, samples[:late])
                frame, samples = self._base, samples[late:]
            if len(samples):
                self._room(end - self._base)
                self._tail[frame - self._base : end - self._base, column] = samples
                self._changed = frame if self._changed is None else min(self._changed, frame)

    def _room(self, frames: int) -> None:
        if frames > len(self._tail):
            more = np.zeros((max(frames, 2 * len(self._tail)), 2), np.int16)
            more[: len(self._tail)] = self._tail
            self._tail = more

    def _amend(self, column: int, frame: int, samples: Int16) -> None:
        try:
            frames = self._store.read(frame, frame + len(samples))
            frames[:, column] = samples
            self._store.write(frame, frames)
        except OSError as error:
            self._lose(error)

    def _draft(self, frames: int) -> None:
        """Write what waits up to frame ``frames`` into the file, to be written again when final."""
        changed = frames if self._changed is None else self._changed
        first = max(self._base, min(changed, self._drafted))
        self._room(frames - self._base)
        try:
            self._store.write(first, self._tail[first - self._base : frames - self._base])
        except OSError as error:
            self._drafts = False
            self._lose(error)
        self._drafted, self._changed = frames, None

    def _hand_over(self, frames: int) -> None:
        """Move the tail up to frame ``frames`` to the store."""
        count = frames - self._base
        self._room(count)
        done = self._tail[:count]
        try:
            self._store.write(self._base, done)
        except OSError as error:
            self._lose(error)
            self._store.write(self._base, done)
        kept = len(self._tail) - count
        self._tail[:kept] = self._tail[count:].copy()
        self._tail[kept:] = 0
        self._base = frames
        self._end = max(self._end, frames)
        if self._store.length * FRAME_BYTES > self._limit:
            self._spill()

    def _spill(self) -> None:
        self._limit = math.inf  # tried once; without room for it the memory has to do
        try:
            store = FileStore.temporary()
            for start in range(0, self._base, READ_FRAMES):
                stop = min(self._base, start + READ_FRAMES)
                store.write(start, self._store.read(start, stop))
        except OSError as error:
            self.error = self.error or error
            return
        self._store = store

    def _lose(self, error: OSError) -> None:
        self.error = self.error or error
        if not isinstance(self._store, SplitStore | MemoryStore):
            self._store = SplitStore(self._store, min(self._store.length, self._base))
