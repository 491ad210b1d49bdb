"""The two sides of a foreign recording: files read, the caller's side found, and kept.

Pure but for reading the files; any thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from piopiy_lab.checks.arguments import is_number
from piopiy_lab.checks.texts import shown
from piopiy_lab.elsewhere.draft import Span, Word
from piopiy_lab.errors import AudioFileError, ForeignCallError
from piopiy_lab.sound import pcm
from piopiy_lab.sound.files import open_sound
from piopiy_lab.sound.heard import Frames, Heard
from piopiy_lab.sound.pcm import Int16

#: A file, or the caller's file and the agent's.
Given = str | PathLike[str] | Sequence[str | PathLike[str]]

#: Seconds of a recording at the most: it is read into memory.
LONGEST_SECS = 8 * 3600
#: Hz that a recording may have.
RATES = (8_000, 192_000)
#: Two files of one call may differ by so many seconds at their ends.
SAME_LENGTH_SECS = 1.0
#: A side that never gets louder than this part of full scale is silent.
SILENT = 0.002
#: Two channels whose difference is this part of their sound hold the same: a mix.
SAME_SOUND = 0.02
#: Hz of what is fed to a pipeline that hears the caller again, and samples of a frame of it.
HEARD_RATE, HEARD_FRAME = 16_000, 320
#: Samples of a piece that is handed on.
BLOCK = 1 << 18

_CHANNELS = {"left": 0, "right": 1, 0: 0, 1: 1}


@dataclass
class Sides:
    """Both sides of a call, each at its own rate, beginning at the same moment.

    Attributes:
        caller: int16, (n,).
        caller_rate: Hz.
        agent: int16, (m,).
        agent_rate: Hz.
        notices: What was not as it should be.
        heard: Where each side is heard, once somebody has looked; written by ``hearing``.
        echoes: What was left out of that; written by ``hearing``.
    """

    caller: Int16
    caller_rate: int
    agent: Int16
    agent_rate: int
    notices: list[str] = field(default_factory=list[str])
    heard: tuple[list[Span], list[Span]] | None = None
    echoes: list[str] = field(default_factory=list[str])

    @property
    def secs(self) -> float:
        """The longer side's length in seconds."""
        return max(len(self.caller) / self.caller_rate, len(self.agent) / self.agent_rate)

    def crossed(self) -> Sides:
        """Return the two with their parts exchanged, to be looked at anew."""
        return Sides(self.agent, self.agent_rate, self.caller, self.caller_rate, self.notices)


class KeptSamples:
    """Where the sound of a call from elsewhere is: in memory. Safe from any thread."""

    def __init__(self, sides: Sides, words: Sequence[Word] = ()) -> None:
        """Keep both sides, as a recording at the higher of their rates.

        Args:
            sides: The sound.
            words: The caller's words, with their times.
        """
        self._sides, self._words = sides, tuple(words)
        self._rate = max(sides.caller_rate, sides.agent_rate)
        each = [
            pcm.resample(sides.caller, sides.caller_rate, self._rate),
            pcm.resample(sides.agent, sides.agent_rate, self._rate),
        ]
        self._samples = np.zeros((max(map(len, each)), 2), np.int16)
        for column, samples in enumerate(each):
            self._samples[: len(samples), column] = samples
        self._samples.flags.writeable = False

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self._rate

    @property
    def frames(self) -> int:
        """The length in samples of one side."""
        return len(self._samples)

    def read(self, start: int, end: int) -> Int16:
        """Return frames ``start`` to ``end``, as far as there are any: int16, (n, 2). A copy."""
        return self._samples[max(0, start) : max(0, end)].copy()

    def samples(self) -> Int16:
        """Return everything: int16, (n, 2). A copy."""
        return self._samples.copy()

    def blocks(self) -> Iterator[Int16]:
        """Yield the same in pieces."""
        for start in range(0, len(self._samples), BLOCK):
            yield self._samples[start : start + BLOCK]

    def heard(self) -> Heard | None:
        """Return the caller's side as a pipeline would be fed it: 16 kHz, in frames of 20 ms."""
        if not len(self._samples):
            return None
        sides = self._sides
        samples = pcm.resample(sides.caller, sides.caller_rate, HEARD_RATE)
        count, rest = divmod(len(samples), HEARD_FRAME)
        frames = Frames(
            rate=HEARD_RATE,
            runs=((count, HEARD_FRAME), *([(1, rest)] if rest else ())),
            ended_at=sides.secs,
            words=self._words,
        )
        return Heard(frames, samples)


def read_sides(
    recording: Given, caller_channel: str | int, agent_starts: float | None = None
) -> Sides:
    """Read a recording.

    Args:
        recording: A stereo file, or the caller's file and the agent's.
        caller_channel: Of a stereo file: "left" (or 0), "right" (or 1); "only" for a mono file
            that holds the caller alone.
        agent_starts: Of two files: at which second of the caller's the agent's begins.

    Raises:
        ForeignCallError: It can't be read, has no side of the caller's, or the two files are not
            of one call.
    """
    if isinstance(recording, str | PathLike):
        return _one(Path(recording), caller_channel)
    files: list[object] = list(recording) if isinstance(recording, list | tuple) else [recording]
    if len(files) != 2 or not all(isinstance(file, str | PathLike) for file in files):
        raise ForeignCallError(
            f"the recording {shown(recording)}: give a stereo file's name, or two, the caller's "
            "and the agent's"
        )
    return _two(Path(recording[0]), Path(recording[1]), agent_starts)


def _one(path: Path, caller_channel: str | int) -> Sides:
    samples, rate = _read(path)
    count = samples.shape[1]
    if count == 1:
        if caller_channel != "only":
            raise ForeignCallError(
                f"{str(path)!r} has one channel, so the caller's side can't be told from the "
                "agent's: give a recording with a channel for each, two files, or, if only the "
                'caller is on it, caller_channel="only"'
            )
        only = samples[:, 0]
        told = "no sound of the agent's: the recording holds the caller alone"
        return _checked(Sides(only, rate, np.zeros(len(only), np.int16), rate, [told]), path)
    if count != 2:
        raise ForeignCallError(
            f"{str(path)!r} has {count} channels: give one with two, the caller's and the agent's"
        )
    named = isinstance(caller_channel, str | int) and not isinstance(caller_channel, bool)
    column = _CHANNELS.get(caller_channel) if named else None
    if column is None:
        raise ForeignCallError(
            f"caller_channel={caller_channel!r}: {str(path)!r} has two channels; "
            'give "left" or "right" (0 or 1)'
        )
    if _is_mix(samples):
        raise ForeignCallError(
            f"both channels of {str(path)!r} hold the same sound, a mix of both sides: give a "
            "recording with a channel for each side, or two files"
        )
    caller = np.ascontiguousarray(samples[:, column])
    agent = np.ascontiguousarray(samples[:, 1 - column])
    return _checked(Sides(caller, rate, agent, rate), path)


def _two(caller_file: Path, agent_file: Path, agent_starts: float | None) -> Sides:
    both: list[tuple[Int16, int]] = []
    for path, whose in ((caller_file, "the caller's"), (agent_file, "the agent's")):
        samples, rate = _read(path)
        if samples.shape[1] != 1:
            if samples.any() and not _is_mix(samples):
                raise ForeignCallError(
                    f"{str(path)!r}, given as {whose} file, has {samples.shape[1]} different "
                    "channels: of two files each holds one side; a stereo file is given alone"
                )
            samples = samples[:, :1]
        both.append((np.ascontiguousarray(samples[:, 0]), rate))
    (caller, caller_rate), (agent, agent_rate) = both
    sides = Sides(caller, caller_rate, agent, agent_rate)
    lengths = len(caller) / caller_rate, len(agent) / agent_rate
    if agent_starts is not None:
        if not is_number(agent_starts) or not 0 <= agent_starts <= lengths[0]:
            raise ForeignCallError(
                f"agent_starts={agent_starts!r}: give a second of the caller's file, which has "
                f"{lengths[0]:.1f}"
            )
        lead = np.zeros(round(agent_starts * agent_rate), np.int16)
        sides.agent = np.concatenate([lead, agent])
    elif abs(lengths[0] - lengths[1]) > SAME_LENGTH_SECS:
        raise ForeignCallError(
            f"{str(caller_file)!r} has {lengths[0]:.1f} s and {str(agent_file)!r} {lengths[1]:.1f} "
            "s, so they don't begin at the same moment or are of two calls: say at which second "
            "of the caller's file the agent's begins, agent_starts=0.0 if it is the first"
        )
    return _checked(sides, caller_file)


def _checked(sides: Sides, path: Path) -> Sides:
    if sides.secs < 0.1:
        raise ForeignCallError(
            f"{str(path)!r} has {sides.secs:.2f} s of sound: is it the right one?"
        )
    if pcm.peak(sides.caller) < SILENT:
        sides.notices.append(
            f"the caller's channel of {path.name} is silent: nothing of the caller's is known; "
            "is it the other channel (caller_channel=)?"
        )
    return sides


def _is_mix(samples: Int16) -> bool:
    """Whether all channels, (n, channels), hold the same sound."""
    first = rest = 0.0
    for start in range(0, len(samples), BLOCK):
        piece = samples[start : start + BLOCK].astype(np.float64)
        first += float(np.square(piece[:, 0]).sum())
        rest += float(np.square(piece[:, 1:] - piece[:, :1]).sum(axis=0).max(initial=0.0))
    return first > len(samples) and rest <= SAME_SOUND**2 * first


def _read(path: Path) -> tuple[Int16, int]:
    """Return a file's samples, int16 of shape (n, channels), and its rate in Hz."""
    path = path.expanduser()
    if path.is_dir():
        raise ForeignCallError(
            f"{str(path)!r} is a folder; load a saved call with Call.load(), or give a sound file"
        )
    try:
        with open_sound(path) as file:
            rate = int(file.samplerate)
            if file.frames > LONGEST_SECS * rate:
                raise ForeignCallError(
                    f"{str(path)!r} is longer than {LONGEST_SECS // 3600} hours; cut it"
                )
            pieces = [np.zeros((0, file.channels), np.int16)]
            while len(piece := file.read(BLOCK, dtype="float32", always_2d=True)):
                pieces.append(pcm.to_int16(piece))
            samples = np.concatenate(pieces)
    except (AudioFileError, OSError, RuntimeError) as error:
        raise ForeignCallError(f"the recording can't be read: {error}") from error
    low, high = RATES
    if not low <= rate <= high:
        raise ForeignCallError(f"{str(path)!r} has {rate} Hz; give one of {low} to {high} Hz")
    return samples, rate
