"""What the pipeline heard of the caller: kept sample by sample and frame by frame, to be fed again.

A recording is for ears: it is stretched and resampled so that both sides keep to the clock. A
detector is no ear: where a sound stands in its windows, and where frames begin, decides what it
says. So the caller's samples are kept once more, as they were fed: at the input rate, without
loss, with the frames' sizes. In a folder they are ``caller.wav`` while the call runs, appended as
they come, and ``caller.flac`` afterwards.
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from piopiy_lab.errors import SavedCallError
from piopiy_lab.sound.pcm import Int16

WAV, FLAC = "caller.wav", "caller.flac"

HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


@dataclass(frozen=True)
class Frames:
    """When which samples were fed, and what else the caller did.

    Attributes:
        rate: Hz of the samples.
        begins: The call's seconds of the first sample.
        runs: ``(count, samples)``: so many frames of so many samples, in order.
        pushed: Frame numbers, from 0, to the call's seconds at which such a frame was fed, where
            that is not when its last sample was heard. Of calls in virtual time only.
        jumps: ``(sample number, seconds)``: from that sample on the clock is this one. Of live
            calls, whose frames may be lost or late.
        ended_at: The call's seconds at which its end was asked for; None if the process died.
        words: ``(text, start, end)`` in the call's seconds: a scripted caller's own words.
        virtual: Whether the call was on virtual time, where frames come when they are due.
        mutes: ``(seconds, muted)``: when the caller's side was muted by hand.
        late: Seconds by which all of it is later than it was said, over a phone line; ``words`` are
            when they were heard.
    """

    rate: int
    begins: float = 0.0
    runs: tuple[tuple[int, int], ...] = ()
    pushed: Mapping[int, float] = field(default_factory=dict[int, float])
    jumps: tuple[tuple[int, float], ...] = ()
    ended_at: float | None = None
    words: tuple[tuple[str, float, float], ...] = ()
    mutes: tuple[tuple[float, bool], ...] = ()
    virtual: bool = False
    late: float = 0.0

    def second_of(self, sample: int) -> float:
        """Return the call's seconds at which a sample was heard."""
        place = bisect.bisect_right([first for first, _ in self.jumps], sample) - 1
        first, secs = self.jumps[place] if place >= 0 else (0, self.begins)
        return secs + (sample - first) / self.rate

    def sample_at(self, secs: float) -> int:
        """Return the number of the sample that was heard then, or would have been; 0 at least."""
        place = bisect.bisect_right([at for _, at in self.jumps], secs) - 1
        first, at = self.jumps[place] if place >= 0 else (0, self.begins)
        sample = first + round((secs - at) * self.rate)
        if place + 1 < len(self.jumps):  # into a gap: what was lost was not heard
            sample = min(sample, self.jumps[place + 1][0])
        return max(0, sample)

    def sizes(self) -> list[int]:
        """Return every frame's number of samples, in order."""
        return [size for count, size in self.runs for _ in range(count)]

    @property
    def longest(self) -> float:
        """Seconds of the longest frame."""
        return max((size for _, size in self.runs), default=0) / self.rate

    def to_json(self) -> dict[str, Any]:
        """Return what ``meta.json`` has of it."""
        return {
            "rate": self.rate,
            "begins": self.begins,
            "frames": [list(run) for run in self.runs],
            "pushed": [[number, at] for number, at in self.pushed.items()],
            "jumps": [list(jump) for jump in self.jumps],
            "ended_at": self.ended_at,
            "words": [list(word) for word in self.words],
            "mutes": [list(mute) for mute in self.mutes],
            "virtual": self.virtual,
            **({"late": self.late} if self.late else {}),
        }

    @classmethod
    def from_json(cls, told: object) -> Frames | None:
        """Read what :meth:`to_json` has written; None if it is something else."""
        if not isinstance(told, dict):
            return None
        try:
            rate = int(told["rate"])
            if rate <= 0:
                return None
            ended = told.get("ended_at")
            return cls(
                rate=rate,
                begins=float(told["begins"]),
                runs=tuple((int(count), int(size)) for count, size in told["frames"]),
                pushed={int(number): float(at) for number, at in told.get("pushed", ())},
                jumps=tuple((int(sample), float(at)) for sample, at in told.get("jumps", ())),
                ended_at=None if ended is None else float(ended),
                words=tuple((str(w), float(a), float(b)) for w, a, b in told.get("words", ())),
                mutes=tuple((float(at), bool(on)) for at, on in told.get("mutes", ())),
                virtual=bool(told.get("virtual", False)),
                late=float(told.get("late", 0.0)),
            )
        except (KeyError, TypeError, ValueError):
            return None


class Heard:
    """What the pipeline heard of the caller, as far as it has come. Safe from any thread."""

    def __init__(self, frames: Frames, samples: Int16) -> None:
        """Take samples, int16 of shape (n,), and when they were heard."""
        self.frames = frames
        self._samples = samples

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.frames.rate

    @property
    def samples(self) -> Int16:
        """int16, shape (n,), at :attr:`sample_rate`; silence where the side was muted."""
        return self._samples

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self._samples) / self.frames.rate

    def between(self, start: float, end: float) -> Int16:
        """Return what was heard between two of the call's seconds: int16, (n,)."""
        return self._samples[self.frames.sample_at(start) : self.frames.sample_at(end)]

    def __repr__(self) -> str:
        return f"<Heard: {self.duration:.2f} s of the caller, {self.sample_rate} Hz>"


def write_flac(path: Path, samples: Int16, rate: int) -> None:
    """Write int16 samples, (n,), as a FLAC file, in one step.

    Raises:
        OSError: It can't be written.
    """
    import soundfile

    draft = path.with_name(f".{path.name}.new")
    try:
        soundfile.write(draft, samples, rate, format="FLAC", subtype="PCM_16")
        draft.replace(path)
    except soundfile.LibsndfileError as error:
        draft.unlink(missing_ok=True)
        raise OSError(str(error)) from error


def mono_header(rate: int, samples: int | None) -> bytes:
    """Return the header of a mono 16-bit WAV; None for a length not known yet."""
    size = 0xFFFFFFFF - HEADER.size if samples is None else samples * 2
    sizes = (b"RIFF", min(size + HEADER.size - 8, 0xFFFFFFFF), b"WAVE", b"fmt ", 16)
    return HEADER.pack(*sizes, 1, 1, rate, rate * 2, 2, 16, b"data", size)


def heard_in(folder: Path, told: object, begins: float = 0.0) -> Heard | None:
    """Return what a saved call's pipeline heard; None if its folder doesn't keep it.

    Args:
        folder: The call's folder.
        told: What ``meta.json`` has of it; of a call whose process was killed nothing, and its
            frames are taken to be of 20 ms.
        begins: The call's seconds of the first sample, where nothing else says it: when somebody
            began to listen.

    Raises:
        SavedCallError: The sound is there and can't be read.
    """
    path = next((folder / name for name in (FLAC, WAV) if (folder / name).is_file()), None)
    if path is None:
        return None
    samples, rate = _read(path)
    frames = Frames.from_json(told)
    if frames is None or frames.rate != rate:
        count, rest = divmod(len(samples), rate // 50)
        runs = [(count, rate // 50), *([(1, rest)] if rest else ())]
        frames = Frames(rate=rate, begins=begins, runs=tuple(runs) if len(samples) else ())
    return Heard(frames, samples)


def _read(path: Path) -> tuple[Int16, int]:
    import soundfile

    try:
        if path.name == WAV:  # its header may be that of a process that was killed
            data = path.read_bytes()
            if len(data) < HEADER.size or data[:4] != b"RIFF":
                return np.zeros(0, np.int16), 16000
            rate = HEADER.unpack_from(data)[7]
            whole = (len(data) - HEADER.size) // 2 * 2
            return np.frombuffer(data, "<i2", whole // 2, HEADER.size).astype(np.int16), rate
        read, rate = soundfile.read(path, dtype="int16")
    except (OSError, RuntimeError) as error:
        raise SavedCallError(
            f"{path} can't be read ({error}); put a copy of the original there, or move the file "
            "away: the call then loads, and can't be replayed exactly"
        ) from error
    samples = np.asarray(read, np.int16)
    if samples.ndim != 1:
        raise SavedCallError(
            f"{path} has {samples.shape[1]} channels and not the caller's one; put a copy of the "
            "original there, or move the file away"
        )
    return samples, int(rate)


def gaps_of(heard: Heard, acts: Sequence[tuple[float, float]]) -> list[Int16]:
    """Return what was heard between the caller's acts: int16 pieces, each (n,)."""
    found: list[Int16] = []
    at = heard.frames.begins
    for start, end in [*acts, (heard.frames.second_of(len(heard.samples)), 0.0)]:
        if start > at:
            found.append(heard.between(at, start))
        at = max(at, end)
    return [piece for piece in found if len(piece)]
