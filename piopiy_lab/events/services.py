"""Services and settings: switches, changes, measurements, errors."""

from __future__ import annotations

from dataclasses import dataclass

from piopiy_lab.events.base import Event
from piopiy_lab.events.values import ServiceKind, SwitchCause


@dataclass(frozen=True, kw_only=True)
class ServiceSwitched(Event):
    """A switcher's active service changed."""

    kind: ServiceKind
    old: str
    new: str
    cause: SwitchCause = "manual"


@dataclass(frozen=True, kw_only=True)
class SettingsChanged(Event):
    """Detector or turn settings changed while the call ran."""

    old: dict[str, float]
    new: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class InstructionsChanged(Event):
    """The agent's instructions were replaced; they act from the next turn."""

    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class MetricsReported(Event):
    """A service reported a measurement of its own."""

    service: str
    name: str  # "ttfb", "processing", "characters", "prompt_tokens", "completion_tokens", ...
    value: float
    unit: str  # "s", "characters" or "tokens"


@dataclass(frozen=True, kw_only=True)
class ErrorOccurred(Event):
    """Something failed. The call goes on unless CallEnded follows."""

    message: str
    source: str  # the service's or part's name
    remedy: str | None = None


@dataclass(frozen=True, kw_only=True)
class NoticeGiven(Event):
    """Something worth knowing that is no error (an ignored setting, say)."""

    message: str


@dataclass(frozen=True, kw_only=True)
class ComputedOutside(NoticeGiven):
    """A service of a simulated call computes in a thread: said once, when it first does."""

    kind: ServiceKind
    service: str  # its class name
    charged: bool  # whether the call's clock went on meanwhile; else it stood still
