"""What the two fake realtime models share: hearing, answering, and a voice, on one connection."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from piopiy_lab.errors import ArgumentError
from piopiy_lab.fake_providers.answers import Answers
from piopiy_lab.fake_providers.hearing import Ear
from piopiy_lab.fake_providers.recognition import Recogniser, make_recogniser
from piopiy_lab.fake_providers.scenario import Scenario
from piopiy_lab.fake_providers.server import Connection, FakeProvider
from piopiy_lab.offline.replies import ToolCall
from piopiy_lab.offline.rules import RuleBook
from piopiy_lab.sound import pcm
from piopiy_lab.sound.speech import AGENT_VOICE, Voice, find_voice, synthesize

#: Hz of the sound that realtime models give.
RATE = 24000
#: Seconds of sound in a message.
CHUNK_SECS = 0.1


class FakeRealtime(FakeProvider):
    """A realtime model: a script or an offline recogniser hears, a script or rules answer."""

    def __init__(
        self,
        hears: Sequence[str] | None = None,
        answers: Sequence[str | ToolCall] | None = None,
        *,
        phrases: Sequence[str] | None = None,
        slots: Mapping[str, Sequence[str]] | None = None,
        rules: RuleBook | None = None,
        voice: Voice | str = AGENT_VOICE,
        speed: float = 4.0,
        scenario: Scenario | None = None,
        key: str,
    ) -> None:
        """Make it; ``async with`` opens it.

        Args:
            hears: What it "hears", utterance by utterance, whatever is said.
            answers: What it answers, turn by turn: a text, or ``calls_tool(name, ...)``.
            phrases: Instead of ``hears``: what the offline recogniser listens for.
            slots: The phrases' slots.
            rules: Instead of ``answers``: what is answered to what.
            voice: Who speaks.
            speed: How many times faster than it is played sound is made.
            scenario: How it behaves.
            key: The key that it accepts.

        Raises:
            ArgumentError: Neither or both of two that exclude each other, an unknown voice, or a
                ``speed`` that is not above 0.
        """
        super().__init__(scenario=scenario, key=key)
        if not speed > 0:
            raise ArgumentError(f"speed={speed!r}: use a number above 0")
        self.recogniser: Recogniser = make_recogniser(hears, phrases, slots)
        self.answers: Answers = Answers(answers, rules)
        self.voice: Voice = find_voice(voice)
        self.speed = speed


class Speaker:
    """Posts the sound of an answer, no faster than it is made; knows whether it still speaks."""

    def __init__(self, connection: Connection, provider: FakeRealtime) -> None:
        self.connection = connection
        self._voice = provider.voice
        self._speed = provider.speed
        self._free_at = 0.0  # the loop's time at which all that is posted will have left

    @property
    def active(self) -> bool:
        """Whether something is posted that hasn't left yet."""
        return asyncio.get_running_loop().time() < self._free_at

    def begin(self) -> None:
        """Begin an answer: its first message leaves after the scenario's first byte."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now + self.connection.scenario.first_byte_secs)

    def post(self, message: Mapping[str, object], *, sound_secs: float = 0.0) -> None:
        """Post a message behind those before it, and charge the making of its sound."""
        now = asyncio.get_running_loop().time()
        self.connection.post(message, delay=max(0.0, self._free_at - now))
        self._free_at = max(self._free_at, now) + sound_secs / self._speed

    def stop(self) -> None:
        """All that hasn't left is taken back."""
        self.connection.take_back(lambda _: True)
        self._free_at = 0.0

    def speech(self, text: str) -> Iterator[tuple[str, str, float]]:
        """Return an answer in pieces: base64 of int16 at `RATE`, its words, its seconds."""
        clip = synthesize(text, self._voice, sample_rate=RATE)
        size = round(CHUNK_SECS * RATE)
        words = list(clip.words)
        for at in range(0, len(clip.samples), size):
            piece = clip.samples[at : at + size]
            told = []
            last = at + size >= len(clip.samples)
            while words and (last or words[0].start * RATE < at + size):
                told.append(words.pop(0).text)
            yield base64.b64encode(pcm.to_bytes(piece)).decode(), " ".join(told), len(piece) / RATE


def samples_of(data: str) -> npt.NDArray[np.int16]:
    """Return the int16 samples in base64, shape (n,)."""
    raw = base64.b64decode(data)
    return np.frombuffer(raw[: len(raw) // 2 * 2], "<i2").astype(np.int16)


__all__ = ["RATE", "Ear", "FakeRealtime", "Speaker", "samples_of"]
