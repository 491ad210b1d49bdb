"""Transports: the scripted caller's steps, devices, levels, and audio that was lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from piopiy_lab.events.base import Event, said_if_other
from piopiy_lab.events.values import FLOOR_MANNERS, DropCause, Manner, Side


@dataclass(frozen=True, kw_only=True)
class CallerStepStarted(Event):
    """The scripted caller began a step of its screenplay."""

    number: int  # from 1
    step: str


@dataclass(frozen=True, kw_only=True)
class CallerStepFinished(Event):
    """The scripted caller's step was met."""

    number: int
    step: str


@dataclass(frozen=True, kw_only=True)
class CallerStepFailed(Event):
    """The scripted caller waited in vain, or heard something else."""

    number: int
    step: str
    why: str


@dataclass(frozen=True, kw_only=True)
class CallerSpoke(Event):
    """The scripted caller's voice was heard from ``at`` to ``end``: ground truth, not detected.

    Of a real caller who is heard again it is what the recorded call's detector found, with what is
    needed to find it again: ``found``.
    """

    text: str | None  # None for a piece of audio
    end: float  # seconds of the call's clock; cut short when the caller is stopped
    manner: Manner = said_if_other("turn")  # what it was; old logs have "turn" for all
    parts: list[list[Any]] | None = said_if_other(None)
    """``[text, start, end]`` in seconds of the call's clock, where it was said in parts."""
    found: bool = said_if_other(False)
    """Whether a detector found it: nobody knows when the speech ended."""

    def moved(self, secs: float) -> CallerSpoke:
        """Return the same, so many seconds later."""
        parts = self.parts
        if parts is not None:
            parts = [[text, start + secs, end + secs] for text, start, end in parts]
        return replace(self, at=self.at + secs, end=round(self.end + secs, 6), parts=parts)

    @property
    def beside(self) -> str:
        """What it is called where it is no plain turn, and no words to break in with; else ""."""
        return "" if self.manner in ("turn", "interruption") else self.manner.replace("_", " ")

    @property
    def wants_floor(self) -> bool:
        """Whether the agent is to take it for the caller's turn, or for a part of it."""
        return self.manner in FLOOR_MANNERS


@dataclass(frozen=True, kw_only=True)
class CallerDescribed(Event):
    """Who the scripted caller is, where it isn't an espeak-ng voice by name in a silent room."""

    voice: str | None = None  # its name; of one that has none, what it is made by
    vary: int | None = None  # the seed by which it differs
    background: str | None = None  # what is heard behind it
    background_db: float | None = None  # its level, relative to a caller's voice
    background_seed: int | None = None  # which sentences of it


@dataclass(frozen=True, kw_only=True)
class BackgroundHeard(Event):
    """Behind the scripted caller something was said from ``at`` to ``end``: ground truth.

    With each utterance of the caller's it goes on from another place: what is said there is told
    with its whole text, though only a part of it was heard.
    """

    what: str  # "television", "speaker", or a file's name
    text: str | None  # None for a sound whose words nobody knows
    end: float  # seconds of the call's clock


@dataclass(frozen=True, kw_only=True)
class CallerStayedSilent(Event):
    """The scripted caller said nothing from ``at`` to ``end``, on purpose: ground truth."""

    end: float  # seconds of the call's clock


@dataclass(frozen=True, kw_only=True)
class AudioDropped(Event):
    """Audio was lost or invented on the way."""

    where: Side
    cause: DropCause
    secs: float
    remedy: str


@dataclass(frozen=True, kw_only=True)
class AudioDeviceOpened(Event):
    """A microphone or a speaker began to work."""

    side: Side
    device: str  # its name
    sample_rate: int  # Hz that it runs at
    latency_secs: float  # what it says of itself


@dataclass(frozen=True, kw_only=True)
class AudioDeviceLost(Event):
    """A microphone or a speaker stopped working while the call ran."""

    side: Side
    device: str  # its name
    why: str


@dataclass(frozen=True, kw_only=True)
class LevelMeasured(Event):
    """How loud both sides are, about ten times a second; on devices and in rooms."""

    user_dbfs: float  # RMS of the user's side as the agent hears it; -96 is silence
    agent_dbfs: float  # RMS of what the user hears of the agent
