"""The scripted caller's mouth: sound sources read at the pace of the call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from piopiy_lab.errors import AudioFileError
from piopiy_lab.events.transports import CallerSpoke
from piopiy_lab.events.values import FLOOR_MANNERS, Manner
from piopiy_lab.screenplay.steps import AudioFile
from piopiy_lab.sound import pcm
from piopiy_lab.sound.anew import Anew, place_for
from piopiy_lab.sound.files import open_sound
from piopiy_lab.sound.pcm import Int16

if TYPE_CHECKING:
    from soundfile import SoundFile


class Source(Protocol):
    """A sound that is read piece by piece."""

    def read(self, n: int) -> Int16:
        """Return the next int16 samples, fewer than ``n`` only at the end."""
        ...


class Behind(Protocol):
    """What is heard behind everything: a :class:`~piopiy_lab.screenplay.behind.Behind`."""

    def under(self, samples: Int16) -> Int16:
        """Return the next samples with the background under them: int16, (n,)."""
        ...

    def begin_anew(self, anew: Anew) -> None:
        """Go on from the place that is drawn for an utterance."""
        ...


class Clip:
    """A sound held in memory, at the call's input rate."""

    def __init__(self, samples: Int16) -> None:
        """Take int16 samples of shape (n,)."""
        self._samples = samples
        self._at = 0

    def read(self, n: int) -> Int16:
        """Return the next samples, at most ``n``."""
        piece = self._samples[self._at : self._at + n]
        self._at += len(piece)
        return piece


class FileSource:
    """A sound file, read in blocks and resampled once on the way."""

    _BLOCK_SECS = 0.5

    def __init__(self, file: AudioFile, sample_rate: int) -> None:
        """Open the file.

        Args:
            file: What to play.
            sample_rate: Hz of what :meth:`read` returns.

        Raises:
            AudioFileError: It can't be read, has no such channel, or holds no samples.
        """
        self._sound, self._channel = open_audio_file(file)
        self._resampler = pcm.StreamResampler(self._sound.samplerate, sample_rate)
        self._ready: Int16 = np.zeros(0, np.int16)
        self._at_end = False

    def read(self, n: int) -> Int16:
        """Return the next samples, at most ``n``."""
        while len(self._ready) < n and not self._at_end:
            block = self._sound.read(
                int(self._sound.samplerate * self._BLOCK_SECS), dtype="float32", always_2d=True
            )
            if len(block):
                mono = block[:, self._channel] if self._channel is not None else block.mean(axis=1)
                piece = self._resampler.process(pcm.to_int16(mono))
            else:
                piece = self._resampler.flush()
                self._at_end = True
                self._sound.close()
            self._ready = np.concatenate([self._ready, piece])
        piece, self._ready = self._ready[:n], self._ready[n:]
        return piece


def open_audio_file(file: AudioFile) -> tuple[SoundFile, int | None]:
    """Open a sound file and find the caller's channel.

    Returns:
        The open ``soundfile.SoundFile``, and the channel to take; None mixes all of them down.

    Raises:
        AudioFileError: It isn't there, is no sound file, is empty, or has no such channel.
    """
    path = Path(file.path)
    saved_call = path.is_dir() or (path.parent / "events.jsonl").is_file()
    if path.is_dir():
        path = path / "call.wav"
    sound = open_sound(path)
    if sound.frames == 0:
        sound.close()
        raise AudioFileError(f"{str(path)!r} holds no samples: record it again")
    channel = file.channel
    if channel is None and saved_call and sound.channels == 2:
        channel = 0
    if channel is not None and channel >= sound.channels:
        channels = sound.channels
        sound.close()
        raise AudioFileError(
            f"{str(path)!r} has {channels} channel(s), so there is no channel {channel}: "
            f"give one from 0 to {channels - 1}"
        )
    return sound, channel


@dataclass(frozen=True)
class Sound:
    """Something to say.

    Attributes:
        source: Where its samples come from.
        text: Its text; None for a piece of audio.
        words: ``(text, start, end)`` in seconds from its first sample; none for audio.
        manner: What it is in the conversation.
        parts: ``(text, start, end)`` likewise, of what is said in parts; None if it isn't.
        found: Whether a detector found it in a call: it has some of the line before and after it.
        said: Seconds from its first sample between which it was said, if that is another time.
    """

    source: Source
    text: str | None
    words: tuple[tuple[str, float, float], ...] = ()
    manner: Manner = "turn"
    parts: tuple[tuple[str, float, float], ...] | None = None
    found: bool = False
    said: tuple[float, float] | None = None

    @property
    def wants_floor(self) -> bool:
        """Whether it is the caller's turn, or a part of it."""
        return self.manner in FLOOR_MANNERS

    def as_heard(self, at: float, end: float) -> CallerSpoke:
        """Return the record of it: heard from ``at`` to ``end``, the call's seconds."""
        parts = self.parts
        told = (
            None
            if parts is None
            else [
                [text, round(at + start, 6), round(min(end, at + stop), 6)]
                for text, start, stop in parts
                if at + start < end
            ]
        )
        return CallerSpoke(
            at=at,
            text=self.text,
            end=round(end, 6),
            manner=self.manner,
            parts=told,
            found=self.found,
        )


class Mouth:
    """Where a sound becomes the caller's side of the call, sample by sample.

    Pure: it counts samples, and the transport says when each of them is.
    """

    def __init__(self, noise: Int16 | None = None) -> None:
        """Start silent.

        Args:
            noise: What is heard where nothing is said, over and over: int16, (n,). None for
                digital silence. It stands still while something is said.
        """
        self._behind: Behind | None = None
        self._noise = noise
        self._noise_at = 0  # samples of it that were heard
        self._floor_seed: str | None = None  # of the place of a floor that begins anew
        self._anew: tuple[int, Anew] | None = None  # samples until something does; by speak()
        self._source: Source | None = None
        self._lead = 0  # samples of silence before the source's first one

    def put_behind(self, behind: Behind) -> None:
        """Have something behind everything, before the first sample is read."""
        self._behind = behind

    def resample_noise(self, from_rate: int, to_rate: int) -> None:
        """Take the noise at another rate, in Hz, before the first sample is read."""
        if self._noise is not None:
            self._noise = pcm.resample(self._noise, from_rate, to_rate)

    def add_floor(self, floor: Int16, seed: str) -> None:
        """Play a noise floor, int16 of (n,), where nothing is said; one from a call stays.

        Args:
            floor: White noise: where it begins anew no change is heard.
            seed: Of the places that it goes on from.
        """
        if self._noise is None:
            self._noise, self._floor_seed = floor, seed

    @property
    def speaking(self) -> bool:
        """Whether a sound is being spoken or about to be."""
        return self._source is not None

    def speak(self, source: Source, lead: int = 0, anew: Anew | None = None) -> None:
        """Begin a sound, ``lead`` samples from the next one read; it replaces the current one.

        Args:
            source: The sound.
            lead: Samples of silence before its first one.
            anew: When, within the lead, background and floor begin anew for it.
        """
        self._source = source
        self._lead = lead
        self._anew = None if anew is None else (lead - anew.early, anew)

    def read(self, n: int) -> tuple[Int16, int | None]:
        """Return the next ``n`` samples.

        Returns:
            int16 of shape (n,), silence where nothing is said; and, when the sound ended in
            them, the number of samples up to its end, else None.
        """
        if self._anew is None or self._anew[0] >= n:
            if self._anew is not None:
                self._anew = (self._anew[0] - n, self._anew[1])
            return self._heard(n)
        (first, anew), self._anew = self._anew, None
        before, _ = self._heard(first)  # the lead, in which no sound ends
        self._begin_anew(anew)
        after, ended = self._heard(n - first)
        return np.concatenate([before, after]), None if ended is None else first + ended

    def _begin_anew(self, anew: Anew) -> None:
        if self._noise is not None and self._floor_seed is not None:
            place = place_for(self._floor_seed, anew.number, len(self._noise))
            self._noise_at = (place - anew.early) % len(self._noise)
        if self._behind is not None:
            self._behind.begin_anew(anew)

    def _heard(self, n: int) -> tuple[Int16, int | None]:
        out, ended = self._read(n)
        return out if self._behind is None else self._behind.under(out), ended

    def _read(self, n: int) -> tuple[Int16, int | None]:
        if self._source is None:
            return self._silence(n), None
        if self._lead >= n:
            self._lead -= n
            return self._silence(n), None
        start, self._lead = self._lead, 0
        before = self._silence(start)
        piece = self._source.read(n - start)
        heard = start + len(piece)
        if heard < n:
            self._source = None
            return np.concatenate([before, piece, self._silence(n - heard)]), heard
        return np.concatenate([before, piece]), None

    def _silence(self, n: int) -> Int16:
        if self._noise is None:
            return np.zeros(n, np.int16)
        places = (np.arange(n) + self._noise_at) % len(self._noise)
        self._noise_at += n
        return self._noise[places]
