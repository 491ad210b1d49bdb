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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.events.log import EventLog
from piopiy_lab.screenplay.recalled import Line, Recalls
from piopiy_lab.screenplay.steps import (
    TIMEOUT_SECS,
    Audio,
    AudioFile,
    ExpectsTool,
    HangsUp,
    Hears,
    HearsGreeting,
    HearsReply,
    Interrupts,
    Listens,
    Presses,
    Says,
    Step,
    Waits,
    check_step_secs,
)
from piopiy_lab.sound.heard import Heard

#: Seconds of the agent's silence after which its reply counts as over.
REPLY_SILENCE_SECS = 0.8
#: The keys of a phone.
KEYS = "0123456789*#"


class RecordedCall(Protocol):
    """What a caller can be made of: a ``Call``."""

    @property
    def call_id(self) -> str:
        """The call's id."""
        ...

    @property
    def events(self) -> EventLog:
        """What happened."""
        ...

    @property
    def heard(self) -> Heard | None:
        """What the pipeline heard of the caller."""
        ...


@dataclass(frozen=True)
class Caller:
    """A caller who follows a screenplay, and hangs up at its end.

    Attributes:
        voice: Name of the espeak voice that speaks the texts (``sound.speech.voices()``);
            None for the package's caller voice.
        steps: What the caller does, in order; written by the methods, each of which returns a
            new caller.
        line: How the line of a recorded caller was; None for one who follows a screenplay.
    """

    voice: str | None = None
    steps: tuple[Step, ...] = field(default=(), repr=False)
    line: Line | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_call(cls, call: RecordedCall) -> Caller:
        """Make the caller of a call: what they said, as sound, at its place beside the agent's.

        An utterance that followed the agent's comes when the agent has been silent for as long as
        it was in the recording; one that came over the agent's words comes at the same place of
        them; a pause in the caller's own turn keeps its length. Keys, typed turns, muting and the
        end come too, and the line's own noise in between. What an act waits for and does not get
        is said in the log (``CallerStepFailed``); it is then done all the same, 5 s after the last
        that was heard or seen of the agent.

        Further steps may follow, unless the caller hung up: ``says()`` and the like.

        Args:
            call: A call, running or ended; ``Call.load(folder)`` for a saved one.

        Raises:
            ArgumentTypeError: It is no call.
            ReplayError: It never began, or hasn't kept what its agent heard.
        """
        from piopiy_lab.screenplay.from_call import recall

        if not hasattr(call, "heard"):
            raise ArgumentTypeError(
                f"Caller.from_call() takes a call, got {call!r}: load a saved one with "
                "Call.load(folder)"
            )
        steps, line = recall(call.events, call.heard, call.call_id)
        return cls(steps=steps, line=line)

    def hears_greeting(self, *, timeout: float = TIMEOUT_SECS) -> Caller:
        """Wait until the agent has greeted and is silent again.

        Args:
            timeout: Seconds to wait; then the call ends with a ScreenplayError.
        """
        return self._then(HearsGreeting(check_step_secs("timeout", timeout)))

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
        return self._then(Says(_speakable(text_or_audio), check_step_secs("timeout", timeout)))

    def hears_reply(self, *, timeout: float = TIMEOUT_SECS) -> Caller:
        """Wait for a reply to end: 0.8 s of the agent's silence with no tool call open.

        A reply answers what the caller said last: the greeting is none, nor is what the agent
        was saying before the caller spoke. Before the caller has said anything, any speech is one.

        Args:
            timeout: Seconds to wait; then the call ends with a ScreenplayError.
        """
        return self._then(HearsReply(check_step_secs("timeout", timeout)))

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
        return self._then(Hears(text_or_regex, check_step_secs("within", within)))

    def expects_tool(
        self, name: str, /, *, timeout: float = TIMEOUT_SECS, **args: object
    ) -> Caller:
        """Wait until the agent has called a tool since the caller last spoke.

        Args:
            name: The tool's name.
            timeout: Seconds to wait; then the call ends with a ScreenplayError.
            **args: Arguments that it must have been called with; others may be there too.
        """
        return self._then(
            ExpectsTool(name, tuple(args.items()), check_step_secs("timeout", timeout))
        )

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
            Interrupts(said, check_step_secs("after", after), check_step_secs("timeout", timeout))
        )

    def waits(self, secs: float) -> Caller:
        """Say nothing for ``secs`` seconds."""
        return self._then(Waits(check_step_secs("secs", secs)))

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
        last = self.steps[-1] if self.steps else None
        if isinstance(last, HangsUp) or (isinstance(last, Recalls) and last.what == "hangs up"):
            raise ArgumentError(f"{step} comes after hangs_up(): the call is over by then")
        return replace(self, steps=(*self.steps, step))

    def __str__(self) -> str:
        voice = f"voice={self.voice!r}" if self.voice else ""
        if self.line is not None:
            return f"<Caller from a call: {'; '.join(map(str, self.steps)) or 'says nothing'}>"
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
