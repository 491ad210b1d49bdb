"""The user's side: speech, turns, transcripts and keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from piopiy_lab.events.base import Event, said_if_other
from piopiy_lab.events.values import LookOutcome, SpeechCause


@dataclass(frozen=True, kw_only=True)
class VADSampled(Event):
    """The voice activity detector judged one window of the caller's audio."""

    confidence: float  # 0..1
    volume: float | None  # 0..1, smoothed; None when the analyzer doesn't tell


@dataclass(frozen=True, kw_only=True)
class UserSpeechStarted(Event):
    """The detector is sure that the user speaks."""

    cause: SpeechCause
    start_secs: float  # seconds of speech it took to be sure: the onset was about at - start_secs


@dataclass(frozen=True, kw_only=True)
class UserSpeechStopped(Event):
    """The detector is sure that the user is silent."""

    cause: SpeechCause
    stop_secs: float  # seconds of silence it took to be sure


@dataclass(frozen=True, kw_only=True)
class UserTurnStarted(Event):
    """The turn rules decided that the user has the floor."""


@dataclass(frozen=True, kw_only=True)
class UserTurnStopped(Event):
    """The turn rules decided that the user is done; the agent may answer."""


@dataclass(frozen=True, kw_only=True)
class TurnPredicted(Event):
    """The end-of-turn model judged a pause; told when it is known what comes of that."""

    complete: bool
    probability: float  # 0..1
    inference_secs: float | None = None  # seconds, None where it would differ from run to run
    early: bool = said_if_other(False)  # it looked while the detector still waited
    outcome: LookOutcome = said_if_other("used")
    silence_secs: float | None = said_if_other(None)  # how much silence it was given to judge by
    asked_at: float | None = said_if_other(None)  # seconds of the call's clock when it was asked


@dataclass(frozen=True, kw_only=True)
class InterimTranscribed(Event):
    """The recogniser's guess so far."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Transcribed(Event):
    """The recogniser's final words for a stretch of speech."""

    text: str
    words: list[list[Any]] = field(default_factory=list[list[Any]])
    """``[text, start, end]`` in seconds of the call's clock; empty when the service gives none."""


@dataclass(frozen=True, kw_only=True)
class BackchannelHeard(Event):
    """The user showed over the agent's words that they listen: no turn, and nothing to answer.

    Or they said something to somebody else, if ``Action(aside_db=...)`` looks for that.
    """

    text: str  # "" where no words came
    start: float  # seconds of the call's clock at which the voice began
    end: float  # and ended
    aside: bool = said_if_other(False)  # it was so much lower than the user's own voice


@dataclass(frozen=True, kw_only=True)
class UserTurnAdded(Event):
    """A user turn was written to the LLM's context."""

    text: str


@dataclass(frozen=True, kw_only=True)
class UserTextTyped(Event):
    """A user turn was typed (``call.user_says``)."""

    text: str


@dataclass(frozen=True, kw_only=True)
class DTMFReceived(Event):
    """The caller pressed a key."""

    digit: str


@dataclass(frozen=True, kw_only=True)
class UserMuted(Event):
    """A mute strategy, or the user's mute button, closed or opened the user's side."""

    muted: bool
