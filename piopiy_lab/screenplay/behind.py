"""What is heard behind a caller, and how the line's own sound is made of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from piopiy_lab.checks.arguments import is_number
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, AudioFileError
from piopiy_lab.events.transports import BackgroundHeard, CallerDescribed
from piopiy_lab.screenplay.sayings import speakable
from piopiy_lab.screenplay.steps import Audio, AudioFile
from piopiy_lab.sound import pcm
from piopiy_lab.sound.anew import FADE_SECS, LEAD_SECS, Anew, place_for, rising
from piopiy_lab.sound.background import KINDS, Loop, background, loop_of
from piopiy_lab.sound.heard import Heard, gaps_of
from piopiy_lab.sound.pcm import Int16

#: How much quieter than a caller's voice it is, in dB, unless told otherwise.
LEVEL_DB = -30.0


@dataclass(frozen=True)
class Background:
    """What is heard behind a caller from the first moment to the last.

    Attributes:
        what: "television" (two voices and a chord, with hardly a pause), "speaker" (somebody else
            in the room, now and then), or a sound of one's own: an ``Audio``, an ``AudioFile`` or a
            ``Path``, looped.
        level_db: Its peak, in dB relative to that of a caller's voice.
        seed: Which sentences, and when.
    """

    what: str | Audio | AudioFile | Path
    level_db: float = LEVEL_DB
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.what, str):
            if self.what not in KINDS:
                kinds = " or ".join(map(repr, KINDS))
                raise ArgumentError(f"background={self.what!r}: give {kinds}, or a sound")
        else:
            speakable(self.what)
        if not is_number(self.level_db) or not -80 <= self.level_db <= 20:
            raise ArgumentError(f"level_db={self.level_db!r}: give dB from -80 to 20")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise ArgumentTypeError(f"seed={self.seed!r}: give a whole number")

    @property
    def name(self) -> str:
        """What it is, in a word or by its file."""
        match self.what:
            case str():
                return self.what
            case Audio():
                return "a sound"
            case AudioFile(path=path) | path:
                return Path(path).name

    def loop(self, rate: int) -> Loop:
        """Return its sound at a rate, in Hz.

        Raises:
            AudioFileError: The file can't be read, or is silent.
            MissingExtraError: espeak-ng isn't installed.
        """
        match self.what:
            case str(kind):
                found = background(kind, self.seed)
            case Audio(samples=samples, sample_rate=own):
                found = loop_of(samples, own)
            case file:
                found = loop_of(*_read(file if isinstance(file, AudioFile) else AudioFile(file)))
        return found.louder(self.level_db).at_rate(rate)


def as_background(given: object) -> Background | None:
    """Return what is behind a caller, from what ``Caller(background=)`` was given.

    Raises:
        ArgumentError: There is no such background.
        ArgumentTypeError: It is no sound.
    """
    if given is None or isinstance(given, Background):
        return given
    if isinstance(given, str | Audio | AudioFile | Path):
        return Background(given)
    raise ArgumentTypeError(
        f"background={given!r}: give {' or '.join(map(repr, KINDS))}, Background(...), or a sound"
    )


def _read(file: AudioFile) -> tuple[Int16, int]:
    from piopiy_lab.screenplay.mouth import open_audio_file

    sound, channel = open_audio_file(file)
    with sound:
        read = sound.read(dtype="float32", always_2d=True)
        rate = int(sound.samplerate)
    samples = pcm.mono(read if channel is None else read[:, channel])
    if not samples.any():
        raise AudioFileError(f"{str(file.path)!r} is silent, so it can be no background")
    return samples, rate


class Behind:
    """A background as it runs beside one call, sample by sample. Pure: it counts samples.

    For each utterance it goes on from another place of its loop, and runs on from there.
    """

    def __init__(self, given: Background, rate: int, seed: int = 0) -> None:
        """Begin a background.

        Args:
            given: Which.
            rate: Hz of what it is mixed into.
            seed: Of the places that it goes on from, beside its own.
        """
        self._what = given.name
        self._seed = f"background {given.seed} {seed}"
        self._loop = given.loop(rate)
        self._fade = round(FADE_SECS * rate)
        self._at = 0  # samples mixed so far
        self._begun = (0, 0)  # such a number, and the place in the loop where it went on then
        self._before = 0  # where what is faded out would be at the loop's first sample
        self._told = 0  # passages since then that are told, over all rounds
        self._over: list[tuple[str | None, float, float]] = []  # of before, not told yet

    def begin_anew(self, anew: Anew) -> None:
        """Go on from the place that is drawn for an utterance, faded into within 10 ms."""
        length = len(self._loop.samples)
        self._over += self._passages(over=True)
        at, place = self._begun
        self._before = place - at
        place = (place_for(self._seed, anew.number, length) - anew.early) % length
        self._begun = (self._at, place)
        secs = place / self._loop.sample_rate
        self._told = sum(end <= secs for _, _, end in self._loop.passages)

    def under(self, samples: Int16) -> Int16:
        """Return the next samples with the background under them: int16, (n,)."""
        loop = self._loop.samples
        numbers = np.arange(len(samples)) + self._at
        at, place = self._begun
        behind = loop[(numbers + place - at) % len(loop)].astype(np.int32)
        if at and self._at < at + self._fade:
            part = rising(self._at - at, len(samples), self._fade)
            old = loop[(numbers + self._before) % len(loop)]
            behind = np.rint(old * (1 - part) + behind * part).astype(np.int32)
        self._at += len(samples)
        return np.clip(samples.astype(np.int32) + behind, -32768, 32767).astype(np.int16)

    def heard(self, begin: float, *, over: bool = False) -> Iterator[BackgroundHeard]:
        """Yield what was said in it since the last time.

        Args:
            begin: The call's seconds of its first sample.
            over: Whether it ends here, so that what is being said is heard no further.
        """
        told, self._over = [*self._over, *self._passages(over=over)], []
        for text, start, end in told:
            yield BackgroundHeard(
                at=begin + start, what=self._what, text=text, end=round(begin + end, 6)
            )

    def _passages(self, *, over: bool) -> Iterator[tuple[str | None, float, float]]:
        """Yield what was said since it last began anew: seconds from its first sample."""
        passages, rate = self._loop.passages, self._loop.sample_rate
        length, (at, place) = len(self._loop.samples) / rate, self._begun
        begun, until = place / rate, (place + self._at - at) / rate
        shift = (at - place) / rate
        while True:
            turn, number = divmod(self._told, len(passages))
            text, start, end = passages[number]
            start, end = turn * length + start, turn * length + end
            if end > until and not (over and start < until):
                return
            self._told += 1
            if until > begun:
                yield text, shift + max(start, begun), shift + min(end, until)


def without_background(
    heard: Heard, described: CallerDescribed | None, acts: Sequence[tuple[float, float]]
) -> tuple[Heard, Background | None]:
    """Take out of what was heard what was behind the caller, to be put behind them again.

    A television and another speaker are the same samples every time, so that what is left of a call
    without them is exact. Where it isn't (over a phone line, say), what was heard stays as it is.

    Args:
        heard: What the pipeline heard of the caller.
        described: Who called.
        acts: When the caller's own sounds were heard, from and to the call's seconds.
    """
    if described is None or described.background not in KINDS:
        return heard, None
    level_db, seed = described.background_db, described.background_seed
    given = Background(
        described.background, LEVEL_DB if level_db is None else level_db, int(seed or 0)
    )
    silence = np.zeros(len(heard.samples), np.int16)
    behind = _behind_acts(given, heard, acts, silence)
    rest = np.clip(heard.samples.astype(np.int32) - behind, -32768, 32767).astype(np.int16)
    alone = Heard(heard.frames, rest)
    if any(piece.any() for piece in gaps_of(alone, acts)):
        return heard, None
    return alone, given


def _behind_acts(
    given: Background, heard: Heard, acts: Sequence[tuple[float, float]], silence: Int16
) -> Int16:
    """Return what was behind a caller who acted then."""
    behind = Behind(given, heard.sample_rate)
    early = round(LEAD_SECS * heard.sample_rate)
    pieces: list[Int16] = []
    at = 0
    for number, (start, _) in enumerate(acts, 1):
        begins = max(at, heard.frames.sample_at(start) - early)
        pieces.append(behind.under(silence[at:begins]))
        behind.begin_anew(Anew(number, early))
        at = begins
    return np.concatenate([*pieces, behind.under(silence[at:])])
