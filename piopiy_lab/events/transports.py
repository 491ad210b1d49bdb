"""Transports: the scripted caller's steps, and audio that was lost."""

from __future__ import annotations

from dataclasses import dataclass

from piopiy_lab.event_base import Event


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
    """The scripted caller's voice was heard from ``at`` to ``end``: ground truth, not detected."""

    text: str | None  # None for a piece of audio
    end: float  # seconds of the call's clock; cut short when the caller is stopped


@dataclass(frozen=True, kw_only=True)
class AudioDropped(Event):
    """Audio was lost or invented on the way."""

    where: str  # "input" or "output"
    cause: str  # "overflow", "underflow", "stale"
    secs: float
    remedy: str
