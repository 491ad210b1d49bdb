"""The call: it starts, changes its state, and ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from piopiy_lab.events.base import Event
from piopiy_lab.events.values import CallState, EndReason, Origin, TransferCause, TransferStatus


@dataclass(frozen=True, kw_only=True)
class CallStarted(Event):
    """The call was created; nobody listens yet."""

    origin: Origin
    sample_rate: int  # Hz, of the recording


@dataclass(frozen=True, kw_only=True)
class CallStateChanged(Event):
    """The call moved on: "starting" -> "listening" -> "ended"."""

    old: CallState
    new: CallState


@dataclass(frozen=True, kw_only=True)
class PipelineStarted(Event):
    """A VoiceAgent's pipeline runs."""

    services: dict[str, str]  # "stt", "llm", "tts" -> the service's class name
    vad: str | None  # the detector's class name
    vad_params: dict[str, float]  # confidence, start_secs, stop_secs, min_volume
    audio_in_sample_rate: int  # Hz
    audio_out_sample_rate: int  # Hz
    greeting: str | None
    #: "Smart Turn", or another turn model's name, its class's say; "": none that is known ends
    #: turns; None: the call was saved before that was told.
    turn_model: str | None = None
    #: incomplete_wait_secs, min_words: those that the turn rules have
    turn_params: dict[str, float] = field(default_factory=dict[str, float])
    #: "stt", "llm", "tts" -> {"services": {name: class name}, "active": name, "strategy": ...}
    switchers: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, kw_only=True)
class TransferRequested(Event):
    """The caller is to be handed over to another number."""

    to: str
    #: "tool", "code" (``voice_agent.transfer_call``), "command" (``call.transfer``), or "agent":
    #: as the caller sees it.
    cause: TransferCause


@dataclass(frozen=True, kw_only=True)
class TransferStarted(Event):
    """It rings there; the caller is still with the agent."""

    to: str  # "" if the transfer was begun elsewhere
    request_id: str  # the platform's


@dataclass(frozen=True, kw_only=True)
class TransferFinished(Event):
    """The hand-over is done, or failed and the call goes on."""

    to: str  # "" if the transfer was begun elsewhere
    status: TransferStatus  # "not_on_phone": nothing there to transfer
    #: Why it failed: the platform's reason ("busy", "no_answer", ...), or what went wrong.
    error: str | None = None
    request_id: str | None = None  # the platform's; None if it accepted none


@dataclass(frozen=True, kw_only=True)
class CallEnded(Event):
    """The last event of every call."""

    reason: EndReason
    error: str | None = None  # the error's type and message
