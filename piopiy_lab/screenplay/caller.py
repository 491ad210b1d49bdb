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
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.transports import CallerDescribed
from piopiy_lab.screenplay.behind import Background, as_background
from piopiy_lab.screenplay.caller_manners import CallerManners
from piopiy_lab.screenplay.phrases import Pause, hesitant, phrase_of
from piopiy_lab.screenplay.recalled import Line, Recalls
from piopiy_lab.screenplay.sayings import speakable, words_of
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
from piopiy_lab.screenplay.voice import Spoken, Voice, check_vary, check_voice
from piopiy_lab.sound.heard import Heard

if TYPE_CHECKING:
    from piopiy_lab.sound import speech

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
class Caller(CallerManners):
    """A caller who follows a screenplay, and hangs up at its end.

    If the agent ends the call before what is said, pressed and expected is over, the screenplay has
    failed: the call's ``error`` is a ``ScreenplayError`` that names the step.

    Attributes:
        voice: Who speaks the texts: a service by its short name, as for ``stack()``
            (``"piper/en_US-joe-medium"``); an espeak-ng voice by name; ``Voice(make_tts)`` for any
            TTS service of pipecat's; or a folder of clips, ``Path("clips/anna")``: the text of each
            is its file's name, or what ``clips.json`` or ``clips.csv`` says. ``voices()`` lists
            what is usable here. None for the package's caller voice.
        background: What is heard behind the caller all the time: "television", "speaker" (somebody
            else who speaks now and then), a sound of your own, or ``Background(what, level_db=)``.
            Each passage is in the log (``BackgroundHeard``).
        vary: A seed by which speed, pitch and level of the voice differ a little, the same for the
            same seed. An espeak-ng voice differs by its own settings, any other one by being
            played up to 6 % faster or slower, which moves speed and pitch together.
        steps: What the caller does, in order; written by the methods, each of which returns a
            new caller.
        line: How the line of a recorded caller was; None for one who follows a screenplay.
    """

    voice: str | Path | Voice | speech.Voice | None = None
    background: str | Audio | AudioFile | Path | Background | None = field(
        default=None, kw_only=True
    )
    vary: int | None = field(default=None, kw_only=True)
    steps: tuple[Step, ...] = field(default=(), repr=False)
    line: Line | None = field(default=None, repr=False, compare=False)
    #: What the voice said of the texts before the call, by text; written by ``voicing.prepared``.
    spoken: Mapping[str, Spoken] = field(
        default_factory=dict[str, Spoken], repr=False, compare=False, kw_only=True
    )

    def __post_init__(self) -> None:
        check_voice(self.voice)
        check_vary(self.vary)
        as_background(self.background)

    @property
    def described(self) -> CallerDescribed | None:
        """Who calls, for the log at 0 s; None for an espeak-ng voice by name in a silent room."""
        if self.line is not None:
            return self.line.described
        behind = as_background(self.background)
        named = self.voice is None or (isinstance(self.voice, str) and not self.spoken)
        if named and self.vary is None and behind is None:
            return None
        return CallerDescribed(
            at=0.0,
            voice=None if self.voice is None else _name_of(self.voice),
            vary=self.vary,
            background=None if behind is None else behind.name,
            background_db=None if behind is None else behind.level_db,
            background_seed=None if behind is None else behind.seed,
        )

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
        steps, line, background = recall(call.events, call.heard, call.call_id)
        return cls(steps=steps, line=line, background=background)

    def hears_greeting(self, *, timeout: float = TIMEOUT_SECS) -> Caller:
        """Wait until the agent has greeted and is silent again.

        Args:
            timeout: Seconds to wait; then the call ends with a ScreenplayError.
        """
        return self._then(HearsGreeting(check_step_secs("timeout", timeout)))

    def says(
        self,
        text_or_audio: str | Audio | AudioFile | Path | tuple[object, int] | Pause,
        *parts: str | Pause,
        timeout: float = TIMEOUT_SECS,
        hesitates: int | None = None,
    ) -> Caller:
        """Wait politely until the agent is silent, then say something.

        Args:
            text_or_audio: A text; or a sound: a path, an ``AudioFile``, an ``Audio``, or a pair
                of int16 samples (n,) and their rate in Hz.
            *parts: What follows in the same breath: texts, and silences by ``pause(secs)``, as in
                ``says("a table for two", pause(0.6), "tomorrow")``.
            timeout: Seconds to wait for the agent to fall silent.
            hesitates: A seed by which the caller looks for words, "uh, a table for, um, two"; for
                one text.
        """
        wait = check_step_secs("timeout", timeout)
        if parts or isinstance(text_or_audio, Pause):
            if hesitates is not None:
                raise ArgumentError("says(hesitates=...) takes one text: write the parts yourself")
            return self._then(Says(phrase_of((text_or_audio, *parts)), wait))
        said = speakable(text_or_audio)
        if hesitates is not None:
            if not isinstance(said, str):
                raise ArgumentTypeError(f"says({said!r}, hesitates=...): a recording can't")
            return self._then(Says(hesitant(said, hesitates), wait))
        return self._then(Says(said, wait))

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
        said = speakable(text)
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
        given = [] if self.voice is None else [f"voice={self.voice!r}"]
        given += [] if self.vary is None else [f"vary={self.vary}"]
        given += [] if self.background is None else [f"background={self.background!r}"]
        if self.line is not None:
            return f"<Caller from a call: {'; '.join(map(str, self.steps)) or 'says nothing'}>"
        return f"Caller({', '.join(given)})" + "".join(f".{step}" for step in self.steps)

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


def _name_of(voice: object) -> str:
    return voice if isinstance(voice, str) else repr(voice)
