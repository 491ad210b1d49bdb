"""Transports: the scripted caller's steps, devices, levels, and audio that was lost."""

from __future__ import annotations

from dataclasses import dataclass

from piopiy_lab.events.base import Event
from piopiy_lab.events.values import DropCause, Side


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
