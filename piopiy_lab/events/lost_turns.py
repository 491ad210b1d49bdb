"""Turns that came to nothing: where each was lost, and what can be done about it.

A call in which every turn is answered has none of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from piopiy_lab.events.base import Event
from piopiy_lab.events.values import UnheardCause


@dataclass(frozen=True, kw_only=True)
class TurnLost(Event):
    """Something was said, and nothing came of it. The base of the events that say where."""

    message: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class SpeechUnheard(TurnLost):
    """The scripted caller spoke, and the detector heard nothing of it."""

    text: str | None  # None for a piece of audio
    start: float  # seconds of the call's clock: when the caller spoke
    end: float
    cause: UnheardCause


@dataclass(frozen=True, kw_only=True)
class NoWords(TurnLost):
    """The recogniser gave no words for what was heard as speech."""

    source: str  # the recogniser's class name
    start: float  # seconds of the call's clock: the speech, as the detector heard it
    end: float


@dataclass(frozen=True, kw_only=True)
class EmptyAnswer(TurnLost):
    """The LLM said nothing and called no tool, or called one in a way that can't be read."""

    source: str  # the LLM's class name


@dataclass(frozen=True, kw_only=True)
class NoSound(TurnLost):
    """The voice gave no sound, or only silence, for what it was to say."""

    source: str  # the class name of the voice, or of the model that speaks itself
    text: str  # what should have been heard
