"""What the user of an eval says, word by word, on the bot's clock: from the clips that are spoken.

The bot's end of the line gets sound only. Which words it holds is told when it is made, so the log
has the caller's lines, and the "screenplay" recogniser works as in a simulation. On the call's
loop.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from piopiy_lab import events
from piopiy_lab.screenplay.spoken_words import SpokenWord
from piopiy_lab.session.session import Session
from piopiy_lab.sound import pcm
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.transports.playout import AUDIBLE_PEAK


@dataclass(frozen=True)
class Clip:
    """One text as sound.

    Attributes:
        text: What is said.
        begins: Seconds from its first sample to the first that can be heard.
        ends: Seconds to the last one.
    """

    text: str
    begins: float
    ends: float


def clip_of(text: str, samples: Int16, sample_rate: int) -> Clip | None:
    """Return a text's clip; None if nothing of it can be heard."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) >= AUDIBLE_PEAK)
    if not len(loud):
        return None
    return Clip(text, float(loud[0]) / sample_rate, float(loud[-1] + 1) / sample_rate)


class UserWords:
    """Puts the words of the clips that were made on the bot's clock, as their sound comes."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._made: deque[Clip] = deque()  # written by told(): in the order of their sound
        # The clip whose sound comes now, and the call's seconds of its begin and end.
        self._now: tuple[Clip, float, float] | None = None

    def told(self, clip: Clip | None) -> None:
        """Take a clip that is about to be spoken."""
        if clip is not None:
            self._made.append(clip)

    def spoken(self, text: str, sound: bytes, sample_rate: int) -> None:
        """Take a text that was just made sound of, int16 at a rate in Hz."""
        self.told(clip_of(text, np.frombuffer(sound, np.int16), sample_rate))

    def came(self, session: Session, start: float, samples: Int16, sample_rate: int) -> None:
        """Take a piece of the user's sound as the bot gets it.

        Args:
            session: The bot's call.
            start: The call's seconds of its first sample.
            samples: int16, shape (n,).
            sample_rate: Hz.
        """
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) >= AUDIBLE_PEAK)
        end = start + len(samples) / sample_rate
        if self._now is not None and end >= self._now[2]:
            self._end(session)
        if self._now is None and self._made and len(loud):
            self._begin(session, start + float(loud[0]) / sample_rate)

    def over(self, session: Session) -> None:
        """Close what is being said: the call ends."""
        if self._now is not None:
            self._end(session)

    def _begin(self, session: Session, at: float) -> None:
        clip = self._made.popleft()
        end = at + clip.ends - clip.begins
        self._now = (clip, at, end)
        words = clip.text.split()
        step = (end - at) / max(1, len(words))
        session.script.words += [
            SpokenWord(word, at + n * step, at + (n + 1) * step) for n, word in enumerate(words)
        ]

    def _end(self, session: Session) -> None:
        assert self._now is not None
        (clip, at, end), self._now = self._now, None
        session.log.append(events.CallerSpoke(at=round(at, 6), text=clip.text, end=round(end, 6)))
        session.script.end_sound(end)


class Recordings:
    """The recordings that a scenario plays, with what they say."""

    def __init__(self, texts: Mapping[str, str], sample_rate: int, words: UserWords) -> None:
        """Have recordings at a rate.

        Args:
            texts: What is said, by path.
            sample_rate: Hz of the user's sound.
            words: Told of each that is played.
        """
        self._texts = texts
        self._rate = sample_rate
        self._words = words
        self._folder = tempfile.TemporaryDirectory(prefix="piopiy-lab-eval-")

    def __enter__(self) -> Recordings:
        return self

    def __exit__(self, *_: object) -> None:
        """Throw away what was made."""
        self._folder.cleanup()

    def prepared(self, path: str) -> str:
        """Return a recording at the user's rate, and tell what it says.

        pipecat would resample it with dither, so no run would be like another. What can't be read
        is left as it is: pipecat's own error says so when it is played.
        """
        try:
            samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
        except (OSError, soundfile.LibsndfileError):
            return path
        sound = pcm.resample(pcm.mono(samples), rate, self._rate)
        self._words.told(clip_of(self._texts.get(path, ""), sound, self._rate))
        if rate == self._rate:
            return path
        at_rate = Path(self._folder.name, f"{Path(path).stem}-{self._rate}.wav")
        soundfile.write(at_rate, sound, self._rate, subtype="PCM_16")
        return str(at_rate)
