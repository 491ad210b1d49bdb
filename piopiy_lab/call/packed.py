"""An ended call as bytes, to travel between processes and to wait on a disk: nothing is lost.

The events are their own lines (zlib), both sounds are FLAC, which is exact. Of half a minute that
is about 0.5 MB; the WAV would be 2 MB.
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from piopiy_lab import events as ev
from piopiy_lab.call.record import CallRecord
from piopiy_lab.events.log import EventLog
from piopiy_lab.redaction import redact
from piopiy_lab.sound.heard import Frames, Heard
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.sound.recording import SampleSource

#: The hex digits of a call's fingerprint: of 10,000 calls no two have the same by chance.
FINGERPRINT_DIGITS = 16


@dataclass(frozen=True)
class PackedCall:
    """An ended call as bytes; it pickles.

    Attributes:
        events: The lines of ``events.jsonl``, zlib.
        meta: What ``meta.json`` holds, as JSON, without keys and tokens.
        sample_rate: Hz of the recording.
        recording: Both sides as FLAC, caller left and agent right; empty where none was kept.
        heard: What the pipeline heard of the caller as FLAC, mono; empty where none was kept.
        frames: When it was heard, as JSON; empty with ``heard``.
    """

    events: bytes
    meta: str
    sample_rate: int
    recording: bytes = b""
    heard: bytes = b""
    frames: str = ""


def pack(call: CallRecord, *, sound: bool = True) -> PackedCall:
    """Return an ended call as bytes.

    Args:
        call: The call; of a running one what there is so far.
        sound: Whether its sound is in it.
    """
    lines = "\n".join(event.to_json() for event in call.events.snapshot())
    source, heard = call.sample_source, call.heard if sound else None
    frames = "" if heard is None else json.dumps(heard.frames.to_json())
    return PackedCall(
        events=zlib.compress(lines.encode("utf-8", "surrogatepass"), 6),
        meta=json.dumps(redact(call.meta), default=str),
        sample_rate=source.sample_rate,
        recording=_flac(source.samples(), source.sample_rate) if sound else b"",
        heard=b"" if heard is None else _flac(heard.samples, heard.sample_rate),
        frames=frames,
    )


def log_of(packed: PackedCall) -> EventLog:
    """Return a packed call's events."""
    log = EventLog()
    text = zlib.decompress(packed.events).decode("utf-8", "surrogatepass")
    for line in text.split("\n") if text else ():
        log.append(ev.from_json(line))
    return log


def meta_of(packed: PackedCall) -> dict[str, Any]:
    """Return what ``meta.json`` holds."""
    return json.loads(packed.meta)


def fingerprint(events: EventLog, sound: SampleSource) -> str:
    """Return a call's fingerprint: hex digits of SHA-256 over its events' lines and its sound.

    Two calls have the same one if they are the same byte for byte.
    """
    digest = hashlib.sha256()
    for event in events.snapshot():
        digest.update(event.to_json().encode("utf-8", "surrogatepass"))
        digest.update(b"\n")
    for block in sound.blocks():
        digest.update(np.ascontiguousarray(block).tobytes())
    return digest.hexdigest()[:FINGERPRINT_DIGITS]


def course_print(call: CallRecord) -> str:
    """Return a fingerprint of a call's course: hex digits of SHA-256.

    Two calls have the same one if both sides heard the same at the same time, the same was
    understood and the same tools gave the same, whatever the agent is made of and was told.
    """
    digest = hashlib.sha256()
    for tool in call.tool_calls:
        told = [tool.name, tool.arguments, tool.result, tool.error]
        digest.update(json.dumps(told, sort_keys=True, default=repr).encode())
    for entry in call.transcript:
        if entry.role == "user":
            digest.update(entry.text.encode("utf-8", "surrogatepass") + b"\n")
    answers = [round(turn.total, 6) for turn in call.turns]  # where no sound was recorded, too
    digest.update(json.dumps([answers, round(call.duration, 6), call.end_reason]).encode())
    for block in call.sample_source.blocks():
        digest.update(np.ascontiguousarray(block).tobytes())
    return digest.hexdigest()[:FINGERPRINT_DIGITS]


class PackedSound:
    """A packed call's sound, decoded each time it is asked for. Safe from any thread."""

    def __init__(self, packed: PackedCall) -> None:
        self._packed = packed

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self._packed.sample_rate

    @property
    def frames(self) -> int:
        """The length in samples of one side."""
        return _length(self._packed.recording)

    def samples(self) -> Int16:
        """Return everything: int16, (n, 2), caller left, agent right."""
        return _unflac(self._packed.recording, 2)

    def read(self, start: int, end: int) -> Int16:
        """Return the frames from ``start`` up to ``end``, as far as there are any."""
        return self.samples()[start:end]

    def blocks(self) -> Iterator[Int16]:
        """Yield everything in pieces, (n, 2)."""
        yield self.samples()

    def heard(self) -> Heard | None:
        """Return what the pipeline heard of the caller; None where that isn't kept."""
        frames = Frames.from_json(json.loads(self._packed.frames)) if self._packed.frames else None
        return None if frames is None else Heard(frames, _unflac(self._packed.heard, 1))


def _flac(samples: Int16, rate: int) -> bytes:
    import soundfile

    if not len(samples):
        return b""
    soundfile.write(out := io.BytesIO(), np.asarray(samples), rate, format="FLAC")
    return out.getvalue()


def _unflac(flac: bytes, channels: int) -> Int16:
    import soundfile

    if not flac:
        return np.zeros((0, 2) if channels == 2 else 0, np.int16)
    samples, _ = soundfile.read(io.BytesIO(flac), dtype="int16", always_2d=channels == 2)
    return np.asarray(samples, np.int16)


def _length(flac: bytes) -> int:
    import soundfile

    return soundfile.info(io.BytesIO(flac)).frames if flac else 0
