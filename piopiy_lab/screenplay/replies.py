"""Which of the agent's speech answers the caller's last words.

A caller on the phone knows three things that are no reply: the greeting (by its words), what the
agent was saying before the caller spoke, and what it begins to say before anybody can have
understood the caller. Pure: events and the ear in, an answer out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Protocol

from piopiy_lab import events
from piopiy_lab.screenplay.sayings import words_of

#: Seconds into the caller's words before which nobody answers them. For a line whose log doesn't
#: say when the agent took the caller's turn to be over.
SOONEST_SECS = 0.5
#: Seconds by which the log's start of a speech may be later than the ear's.
_SAME_MOMENT_SECS = 0.05


class Ear(Protocol):
    """What has been heard of the agent: a :class:`~piopiy_lab.transports.playout.Playout`."""

    @property
    def speech_starts(self) -> Sequence[float]:
        """Seconds at which audible audio began after silence."""
        ...

    @property
    def audible_until(self) -> float:
        """Seconds until which the last audible sample is heard."""
        ...


class Replies:
    """Tells a reply from whatever else is heard; used on the thread that appends to the log."""

    def __init__(self, ear: Ear, log: Iterable[events.Event] = ()) -> None:
        """Listen with ``ear``; ``log`` is what has happened so far."""
        self._ear = ear
        self._consumed_to = 0.0  # seconds: what began before this was waited for already
        pipeline = next((e for e in log if isinstance(e, events.PipelineStarted)), None)
        self._sees_turns = pipeline is not None  # whether the log says what the agent makes of us
        self._greeting = _Greeting(pipeline)
        self._listen(0.0)
        self._has_said = False  # until then there is nothing to answer, and any speech will do

    def begin_turn(self, at: float) -> None:
        """The caller begins to speak, or to press keys."""
        self._listen(at)
        self._has_said = True

    def _listen(self, at: float) -> None:
        self.turn_from: float = at
        self.spoke_until: float = at  # seconds: the end of what the caller has said
        self._over_at = math.inf  # seconds: when the agent took this turn to be over
        self._thought_at = math.inf  # and when the LLM began to answer it
        self._answered_at = math.inf  # and when the first sound of its answer was made

    def consume(self, at: float) -> None:
        """What is heard up to now has been waited for."""
        self._consumed_to = at

    @property
    def since(self) -> float:
        """Seconds from which on a speech that begins is news to the caller."""
        return max(self.turn_from, self._consumed_to)

    def note(self, event: events.Event) -> None:
        """Take an event of the line's log."""
        self._greeting.note(event)
        match event:
            case events.CallerSpoke() if event.wants_floor:
                self.spoke_until = event.end
            case events.UserTurnStopped() | events.UserTurnAdded():
                self._over_at = min(self._over_at, event.at)
            case events.LLMResponseStarted():
                if not self._sees_turns or self._over_at <= event.at:
                    self._thought_at = min(self._thought_at, event.at)
            case events.AudioSynthesized():
                if self._thought_at <= event.at:
                    self._answered_at = min(self._answered_at, event.at)
            case events.AgentInterrupted():
                self._thought_at = self._answered_at = math.inf
            case _:
                pass

    def speech_heard(self) -> bool:
        """Whether anything has been heard that is news to the caller, a greeting say."""
        starts = self._ear.speech_starts
        return bool(starts) and (
            starts[-1] >= self.since
            or self._ear.audible_until > max(self.spoke_until, self._consumed_to)
        )

    def reply_heard(self) -> bool:
        """Whether the last speech that was heard, or its end, answers the caller's last words."""
        starts = self._ear.speech_starts
        if not self._has_said:
            return self.speech_heard()
        return bool(starts) and (self._is_reply(starts[-1]) or self._runs_on())

    def _is_reply(self, start: float) -> bool:
        """Whether a speech that began at ``start`` is a reply."""
        if start < self.since or self._greeting.holds(start):
            return False
        if start >= self.spoke_until:
            return True
        # It began within the caller's sound: in a pause, or in the silence at its end.
        if self._sees_turns:
            return self._over_at <= start
        return start >= self.turn_from + SOONEST_SECS

    def _runs_on(self) -> bool:
        """Whether an earlier speech, which nobody could interrupt, went on into the answer."""
        answered = self._answered_at if self._sees_turns else self._thought_at
        return self._ear.audible_until > max(answered, self.spoke_until, self._consumed_to)


class _Greeting:
    """When the first pipeline's greeting is heard, if it is."""

    def __init__(self, pipeline: events.PipelineStarted | None) -> None:
        greeting = None if pipeline is None else pipeline.greeting
        self._due = greeting is not None  # it may still come, or is being heard
        # A model that speaks itself has words of its own for it: whatever it says first.
        literally = pipeline is not None and "tts" in pipeline.services
        self._words = words_of(greeting) if greeting and literally else None
        self._heard: list[str] = []
        self._from: float | None = None  # seconds
        self._to = math.inf

    def holds(self, start: float) -> bool:
        """Whether a speech that began at ``start`` is the greeting."""
        return self._from is not None and self._from - _SAME_MOMENT_SECS <= start < self._to

    def note(self, event: events.Event) -> None:
        if not self._due:
            return
        match event:
            case events.AgentSpeechStarted():
                if self._from is None:
                    self._from = event.at
            case events.WordSpoken():
                self._hear(event)
            case events.AgentSpeechStopped(cause="finished") if self._goes_on():
                pass  # a silence between two of its sentences
            case events.AgentSpeechStopped() | events.AgentInterrupted():
                self._end(event.at)
            case events.UserTurnStopped() if self._from is None and self._words is None:
                self._due = False  # the model has something to answer now
            case _:
                pass

    def _hear(self, word: events.WordSpoken) -> None:
        if self._words is None:
            return
        self._heard += words_of(word.text)
        known = min(len(self._heard), len(self._words))
        if self._heard[:known] != self._words[:known]:  # it was dropped: this is something else
            self._due, self._from = False, None
        elif len(self._heard) > len(self._words):
            self._end(word.at)

    def _goes_on(self) -> bool:
        return self._words is not None and 0 < len(self._heard) < len(self._words)

    def _end(self, at: float) -> None:
        self._due, self._to = False, at
