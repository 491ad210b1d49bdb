"""The scripted caller: a screenplay as pure data.

A :class:`Caller` is immutable; each step returns a new one::

    caller = (
        Caller()
        .hears_greeting()
        .says("a table for two please")
        .hears("what day", within=3)
        .hangs_up()
    )

Nothing here makes sound, knows a clock or a transport: ``piopiy_lab.transports.caller`` plays it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from piopiy_lab.checks.arguments import check_secs, is_whole
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.sound.pcm import Int16

#: Seconds that a waiting step waits unless told otherwise.
TIMEOUT_SECS = 10.0
#: Seconds of the agent's silence after which its reply counts as over.
REPLY_SILENCE_SECS = 0.8
#: The keys of a phone.
KEYS = "0123456789*#"


@dataclass(frozen=True)
class Audio:
    """A piece of the caller's audio.

    Attributes:
        samples: int16, shape (n,).
        sample_rate: Hz.
    """

    samples: Int16
    sample_rate: int

    def __repr__(self) -> str:
        return f"<Audio: {len(self.samples) / self.sample_rate:.1f} s at {self.sample_rate} Hz>"


@dataclass(frozen=True)
class AudioFile:
    """A recording that stands in for the caller: it is played from its first sample on.

    Any format, rate, channels and width that soundfile reads; a saved stereo call too, by its
    caller channel. It is resampled once, while it streams. When the file is over, the caller
    listens until the agent has been silent for ``then_listens`` seconds and hangs up.

    Attributes:
        path: The file.
        channel: Which channel is the caller's, from 0. None: the only one, or the left channel
            of a saved call (a folder, or ``call.wav`` in one); a stereo file elsewhere is
            mixed down.
        then_listens: Seconds of the agent's silence after which the caller hangs up.
    """

    path: str | Path
    channel: int | None = None
    then_listens: float = 2.0

    def __post_init__(self) -> None:
        if self.channel is not None and (not is_whole(self.channel) or self.channel < 0):
            raise ArgumentError(f"channel={self.channel!r}: give a whole number from 0, or None")
        _check_secs("then_listens", self.then_listens)

    def __repr__(self) -> str:
        channel = "" if self.channel is None else f", channel={self.channel}"
        return f"AudioFile({str(self.path)!r}{channel})"


@dataclass(frozen=True)
class Step:
    """One step of a screenplay; ``str(step)`` is the line that wrote it."""

    def __str__(self) -> str:
        shown: list[str] = []
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in ("text", "pattern", "name", "digits", "secs"):
                shown.append(repr(value.pattern if isinstance(value, re.Pattern) else value))
            elif f.name == "args":
                shown += [f"{key}={wanted!r}" for key, wanted in value]
            elif value != f.default:
                shown.append(f"{f.name}={value!r}")
        return f"{self.verb}({', '.join(shown)})"

    @property
    def verb(self) -> str:
        """The name of the Caller's method that makes this step."""
        return _VERBS[type(self)]


@dataclass(frozen=True)
class HearsGreeting(Step):
    """Wait until the agent has spoken and is silent again."""

    timeout: float = TIMEOUT_SECS


@dataclass(frozen=True)
class Says(Step):
    """Wait until the agent is silent, then speak; over when the last sample was spoken."""

    text: str | Audio | AudioFile
    timeout: float = TIMEOUT_SECS
    over_agent: bool = False  # speak at once, whoever is speaking


@dataclass(frozen=True)
class HearsReply(Step):
    """Wait for a reply, until the agent was silent for a while and no tool call is open."""

    timeout: float = TIMEOUT_SECS


@dataclass(frozen=True)
class Listens(Step):
    """Wait until the agent neither speaks, thinks nor has a tool at work for a while.

    How a file ends: unlike :class:`HearsReply` it needs no reply.
    """

    silence: float


@dataclass(frozen=True)
class Hears(Step):
    """Wait until the agent's words since the caller last spoke contain this."""

    pattern: str | re.Pattern[str]
    within: float = TIMEOUT_SECS


@dataclass(frozen=True)
class ExpectsTool(Step):
    """Wait until the agent has called this tool, with at least these arguments."""

    name: str
    args: tuple[tuple[str, Any], ...] = ()
    timeout: float = TIMEOUT_SECS


@dataclass(frozen=True)
class Interrupts(Step):
    """Speak while the agent speaks, ``after`` seconds from its first audio on."""

    text: str | Audio
    after: float = 1.0
    timeout: float = TIMEOUT_SECS


@dataclass(frozen=True)
class Waits(Step):
    """Say nothing for a while."""

    secs: float


@dataclass(frozen=True)
class Presses(Step):
    """Press keys of the phone."""

    digits: str


@dataclass(frozen=True)
class HangsUp(Step):
    """End the call."""


_VERBS: dict[type[Step], str] = {
    HearsGreeting: "hears_greeting",
    Says: "says",
    HearsReply: "hears_reply",
    Listens: "listens",
    Hears: "hears",
    ExpectsTool: "expects_tool",
    Interrupts: "interrupts",
    Waits: "waits",
    Presses: "presses",
    HangsUp: "hangs_up",
}


@dataclass(frozen=True)
class Caller:
    """A caller who follows a screenplay, and hangs up at its end.

    Attributes:
        voice: Name of the espeak voice that speaks the texts (``sound.speech.voices()``);
            None for the package's caller voice.
        steps: What the caller does, in order; written by the methods, each of which returns a
            new caller.
    """

    voice: str | None = None
    steps: tuple[Step, ...] = field(default=(), repr=False)

    def hears_greeting(self, *, timeout: float = TIMEOUT_SECS) -> Caller:
        """Wait until the agent has greeted and is silent again.

        Args:
            timeout: Seconds to wait; then the call ends with a ScreenplayError.
        """
        return self._then(HearsGreeting(_check_secs("timeout", timeout)))

    def says(
        self,
        text_or_audio: str | Audio | AudioFile | Path | tuple[object, int],
        *,
        timeout: float = TIMEOUT_SECS,
    ) -> Caller:
        """Wait politely until the agent is silent, then say something.

        Args:
            text_or_audio: A text; or a sound: a path, an ``AudioFile``, an ``Audio``, or a pair
                of int16 samples (n,) and their rate in Hz.
            timeout: Seconds to wait for the agent to fall silent.
        """
        return self._then(Says(_speakable(text_or_audio), _check_secs("timeout", timeout)))

    def hears_reply(self, *, timeout: float = TIMEOUT_SECS) -> Caller:
        """Wait for a reply to end: 0.8 s of the agent's silence with no tool call open.

        A reply answers what the caller said last: the greeting is none, nor is what the agent
        was saying before the caller spoke. Before the caller has said anything, any speech is one.

        Args:
            timeout: Seconds to wait; then the call ends with a ScreenplayError.
        """
        return self._then(HearsReply(_check_secs("timeout", timeout)))

    def hears(self, text_or_regex: str | re.Pattern[str], within: float = TIMEOUT_SECS) -> Caller:
        """Wait until the agent says something.

        What counts is heard since the caller last spoke. A text is compared word by word,
        without case and punctuation; a compiled pattern is searched in the words as written.

        Args:
            text_or_regex: What must be heard.
            within: Seconds to wait; then the call ends with a ScreenplayError.
        """
        if isinstance(text_or_regex, str):
            if not words_of(text_or_regex):
                raise ArgumentError(f"hears({text_or_regex!r}) has no words: say what to wait for")
        elif not isinstance(text_or_regex, re.Pattern):
            raise ArgumentTypeError(
                f"hears() takes a text or re.compile(...), got {text_or_regex!r}"
            )
        return self._then(Hears(text_or_regex, _check_secs("within", within)))

    def expects_tool(
        self, name: str, /, *, timeout: float = TIMEOUT_SECS, **args: object
    ) -> Caller:
        """Wait until the agent has called a tool since the caller last spoke.

        Args:
            name: The tool's name.
            timeout: Seconds to wait; then the call ends with a ScreenplayError.
            **args: Arguments that it must have been called with; others may be there too.
        """
        return self._then(ExpectsTool(name, tuple(args.items()), _check_secs("timeout", timeout)))

    def interrupts(
        self,
        text: str | Audio | AudioFile | Path | tuple[object, int],
        *,
        after: float = 1.0,
        timeout: float = TIMEOUT_SECS,
    ) -> Caller:
        """Speak into the agent's speech.

        Args:
            text: What to say.
            after: Seconds from the first audio heard of the agent's current (or next) speech.
            timeout: Seconds to wait for the agent to speak.
        """
        said = _speakable(text)
        if isinstance(said, AudioFile):
            raise ArgumentTypeError("interrupts() takes a text or an Audio, not an AudioFile")
        return self._then(
            Interrupts(said, _check_secs("after", after), _check_secs("timeout", timeout))
        )

    def waits(self, secs: float) -> Caller:
        """Say nothing for ``secs`` seconds."""
        return self._then(Waits(_check_secs("secs", secs)))

    def presses(self, digits: str) -> Caller:
        """Press the phone's keys, one every 0.2 s.

        Args:
            digits: Of ``0-9``, ``*`` and ``#``.
        """
        wrong = sorted(set(str(digits)) - set(KEYS))
        if not digits or wrong:
            raise ArgumentError(f"presses({digits!r}): a phone has only the keys {KEYS}")
        return self._then(Presses(str(digits)))

    def hangs_up(self) -> Caller:
        """End the call."""
        return self._then(HangsUp())

    def _then(self, step: Step) -> Caller:
        if self.steps and isinstance(self.steps[-1], HangsUp):
            raise ArgumentError(f"{step} comes after hangs_up(): the call is over by then")
        return replace(self, steps=(*self.steps, step))

    def __str__(self) -> str:
        voice = f"voice={self.voice!r}" if self.voice else ""
        return f"Caller({voice})" + "".join(f".{step}" for step in self.steps)

    __repr__ = __str__


def as_caller(file: AudioFile) -> Caller:
    """Return the caller that plays a file from the first moment on, listens, and hangs up."""
    return Caller(
        steps=(
            Says(file, over_agent=True),
            Listens(file.then_listens),
            HangsUp(),
        )
    )


def words_of(text: str) -> list[str]:
    """Return a text's words as they are compared: lower case, without punctuation."""
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text.lower())


def contains(heard: str, pattern: str | re.Pattern[str]) -> bool:
    """Say whether the heard words contain the pattern (see :meth:`Caller.hears`)."""
    if isinstance(pattern, re.Pattern):
        return pattern.search(heard) is not None
    wanted, words = words_of(pattern), words_of(heard)
    return any(words[i : i + len(wanted)] == wanted for i in range(len(words) - len(wanted) + 1))


def _speakable(said: object) -> str | Audio | AudioFile:
    if isinstance(said, str):
        if not words_of(said):
            raise ArgumentError(f"{said!r} has no words that can be spoken")
        return said
    if isinstance(said, Path):
        return AudioFile(said)
    if isinstance(said, tuple) and len(said) == 2:
        said = Audio(np.asarray(said[0]), int(said[1]))
    if isinstance(said, Audio):
        if said.samples.dtype != np.int16 or said.samples.ndim != 1 or said.sample_rate <= 0:
            raise ArgumentTypeError(
                "audio must be int16 samples of shape (n,) with a rate in Hz, got "
                f"{said.samples.dtype} of shape {said.samples.shape} at {said.sample_rate} Hz"
            )
        if len(said.samples) == 0:
            raise ArgumentError("the audio is empty: give at least one sample")
        return said
    if isinstance(said, AudioFile):
        return said
    raise ArgumentTypeError(
        f"can't say {said!r}: give a text, a Path, an AudioFile, an Audio, or (samples, rate)"
    )


def _check_secs(name: str, value: object) -> float:
    """A step may take no time, or wait for ever: a simulation has an end all the same."""
    return check_secs(name, value, zero=True, endless=True)
