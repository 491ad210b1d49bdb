"""Answers that were empty, and words that nobody got to hear.

Pure: what happened in, events out; the times at which something is decided are asked for with
``due_at``. What no event tells comes by ``answered`` and ``sounded``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from piopiy_lab import events
from piopiy_lab.events.at_work import AtWork
from piopiy_lab.redaction import told

#: Seconds after an answer's end by which the tool that it called has begun.
TOOL_SECS = 0.5
#: Seconds without an answer that are no thinking any more.
ANSWER_SECS = 5.0
#: Seconds after the end of a synthesis by which its sound has left it.
SOUND_SECS = 0.5
#: Seconds that a voice may take to begin, before it counts as silent.
BEGIN_SECS = 10.0
#: Seconds of waiting that are too long once the caller has given up, or speaks again.
PATIENT_SECS = 2.0
#: An answer of as many tokens may well be empty: they are its beginning and its end.
FEW_TOKENS = 4

_EMPTY_REMEDY = (
    "look at what it was given (call.context) and at its model, max_tokens and filters; "
    "call.user_says(...) asks again"
)
_UNREADABLE_REMEDY = (
    "its answer was used up by thinking, or by a tool call that was cut or is no JSON: give it "
    "more max_tokens, and look at the tools' schemas"
)
_SLOW_REMEDY = "check that its provider can be reached; for a slow one, hears_reply(timeout=...)"
_SILENT_REMEDY = "check the voice, the model and the language that {source} was given"


class EmptyAnswers:
    """Follows what the LLM is asked and what it answers."""

    def __init__(self, at_work: AtWork) -> None:
        """Nothing has been asked; ``at_work`` knows the call's services."""
        self._at_work = at_work
        self._said = False  # something was said since the caller's turn
        self._called = False  # a tool was called since the LLM was asked
        self._asked_at: float | None = None  # seconds: it was asked, and has said nothing yet
        self._empty_at: float | None = None  # seconds: its answer ended, and was empty
        self._tokens = 0.0  # that it says it gave

    def note(self, event: events.Event) -> None:
        """Take an event of the call's log."""
        match event:
            case events.ContextSent(speculative=True):
                pass  # nothing is owed until the turn is over
            case events.SpeculationSettled(outcome="confirmed"):
                self._ask(event.at)
            case events.ContextSent() if self._at_work.get("stt") is not None:
                self._ask(event.at)
            case events.UserTurnStopped() if self._at_work.get("stt") is None:
                self._ask(event.at)  # a model that hears the caller itself
            case events.UserTurnStarted():
                self._asked_at = None  # it will be asked again
            case events.LLMResponseStarted() if self._asked_at is None:
                self._asked_at = event.at
            case events.LLMTextGenerated() if event.text.strip():
                self.answered()
            case events.ToolCalled():
                self._called = True
                self._forget()
            case events.AudioSynthesized() | events.AgentInterrupted():
                self._forget()
            case events.ErrorOccurred() if event.source == self._at_work.get("llm"):
                self._forget()  # it says itself why
            case events.MetricsReported(name="completion_tokens"):
                self._tokens = event.value
            case events.LLMResponseStopped() if self._asked_at is not None:
                self._forget()
                self._empty_at = None if self._said else event.at
            case _:
                pass

    def answered(self) -> None:
        """The LLM said something, or was right to say nothing."""
        self._said = True
        self._forget()

    def _ask(self, at: float) -> None:
        # What was said before a tool was called is an answer, too: what follows may be empty.
        self._said, self._called = self._said and self._called, False
        self._asked_at, self._empty_at, self._tokens = at, None, 0.0

    def _forget(self) -> None:
        self._asked_at = self._empty_at = None

    def due_at(self) -> float:
        """Return the call's seconds at which something is decided next; ``inf`` for never."""
        if self._empty_at is not None:
            return self._empty_at + TOOL_SECS
        return math.inf if self._asked_at is None else self._asked_at + ANSWER_SECS

    def tell(self, now: float, given_up: bool) -> Iterator[events.TurnLost]:
        """Give what was lost as of ``now``; ``given_up``: the caller waits no longer."""
        source = self._at_work.get("llm")
        if source is None:
            return
        asked, due = self._asked_at, now >= self.due_at()
        if self._empty_at is not None and (due or given_up):
            message, remedy = f"{source} answered with nothing", _EMPTY_REMEDY
            if self._tokens > FEW_TOKENS:
                message = (
                    f"{source} gave {self._tokens:.0f} tokens, and neither text nor a tool call "
                    "that could be read"
                )
                remedy = _UNREADABLE_REMEDY
        elif asked is not None and (due or (given_up and now - asked >= PATIENT_SECS)):
            message = (
                f"{source} was asked at {asked:.1f} s and has said nothing in {now - asked:.1f} s"
            )
            remedy = _SLOW_REMEDY
        else:
            return
        self._forget()
        yield events.EmptyAnswer(at=now, message=message, remedy=remedy, source=source)


class SilentVoice:
    """Follows what is to be spoken and whether it sounds."""

    def __init__(self, at_work: AtWork) -> None:
        """Nothing is to be spoken; ``at_work`` knows the call's services."""
        self._at_work = at_work
        self._text = ""  # to be spoken
        self._sounded = True  # and some of it was heard, or needn't be
        self._written_at: float | None = None  # seconds: all of that text is there
        self._dropped = False  # it was waited for in vain before the caller spoke again
        self._synthesising = False
        self._made_at: float | None = None  # seconds: its synthesis ended
        self._agent_speaks = False

    @property
    def awaits_sound(self) -> bool:
        """Whether there is a text of which nothing has been heard."""
        return not self._sounded

    def note(self, event: events.Event) -> None:
        """Take an event of the call's log."""
        match event:
            case events.LLMResponseStarted():
                self._begin("")
            case events.LLMTextGenerated():
                self._text += event.text
            case events.LLMResponseStopped() if self._text.strip():
                self._written_at = event.at
            case events.SpeechRequested():
                self._begin(event.text)
                self._written_at = event.at
            case events.SynthesisStarted():
                self._synthesising = True
            case events.SynthesisStopped():
                self._synthesising, self._made_at = False, event.at
            case events.AgentSpeechStarted():
                self._agent_speaks = True
            case events.AgentSpeechStopped():
                self._agent_speaks = False
                if self._written_at is not None:
                    self._written_at = event.at  # it may have waited for its turn
            case events.UserTurnStarted() | events.UserTextTyped() | events.DTMFReceived():
                self._user_speaks(event.at)
            case events.AgentInterrupted():
                self.sounded()  # it isn't waited for any more
            case events.ErrorOccurred() if event.source == self._at_work.voice:
                if "no audio" in event.message:  # pipecat's words for what is told here
                    self._made_at = event.at
                else:
                    self.sounded()  # it says itself why
            case _:
                pass

    def sounded(self) -> None:
        """What can be heard left the voice, or nothing is to be heard."""
        self._sounded, self._written_at = True, None

    def _begin(self, text: str) -> None:
        self._text, self._sounded, self._dropped = text, False, False
        self._written_at = self._made_at = None

    def _user_speaks(self, at: float) -> None:
        if self._written_at is not None:
            self._dropped = at - self._written_at >= PATIENT_SECS
            if not self._dropped:
                self.sounded()  # nobody can say whether it would have sounded

    def due_at(self) -> float:
        """Return the call's seconds at which something is decided next; ``inf`` for never."""
        if self._written_at is None or self._sounded:
            return math.inf
        if self._dropped:
            return self._written_at
        if self._synthesising:
            return math.inf
        if self._made_at is not None:
            return max(self._made_at, self._written_at) + SOUND_SECS
        return math.inf if self._agent_speaks else self._written_at + BEGIN_SECS

    def tell(self, now: float, given_up: bool) -> Iterator[events.TurnLost]:
        """Give what was lost as of ``now``; ``given_up``: the caller waits no longer."""
        written, source = self._written_at, self._at_work.voice
        if written is None or source is None or self._sounded:
            return
        waited = given_up and now - written >= PATIENT_SECS and not self._agent_speaks
        if now < self.due_at() and not waited:
            return
        self.sounded()
        text = " ".join(self._text.split())
        yield events.NoSound(
            at=now,
            message=f"{source} gave no sound for {told(text, 60)!r}",
            remedy=_SILENT_REMEDY.format(source=source),
            source=source,
            text=text,
        )
