"""Steps that a caller takes beside their turns: what people do on the phone. Pure data.

None of them waits for a reply, and none but a false start and words over the agent's begins a turn
of the caller's. Each is told in the log as what it was (``CallerSpoke.manner``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from piopiy_lab.events.values import Manner
from piopiy_lab.screenplay.phrases import Phrase
from piopiy_lab.screenplay.steps import TIMEOUT_SECS, Audio, Step

#: The part of a sentence that is heard of a false start.
HEARD = 0.6


@dataclass(frozen=True)
class Cough:
    """A cough, to be made as sound.

    Attributes:
        seed: Which one: any whole number.
    """

    seed: int = 0


@dataclass(frozen=True)
class Backchannels(Step):
    """Show that one listens, ``after`` seconds from the first audio of the agent's reply."""

    text: str | Audio | Phrase
    after: float = 1.0
    timeout: float = TIMEOUT_SECS
    manner: ClassVar[Manner] = "backchannel"


@dataclass(frozen=True)
class Coughs(Step):
    """Cough: at once, or ``after`` seconds from the first audio of the agent's reply."""

    after: float | None = None
    seed: int = 0
    timeout: float = TIMEOUT_SECS
    manner: ClassVar[Manner] = "cough"


@dataclass(frozen=True)
class SaysAside(Step):
    """Say something to somebody else in the room; when, as for :class:`Coughs`."""

    text: str | Audio | Phrase
    after: float | None = None
    timeout: float = TIMEOUT_SECS
    manner: ClassVar[Manner] = "aside"


@dataclass(frozen=True)
class TalksOver(Step):
    """Speak over the agent to one's own end, ``after`` seconds from its reply's first audio."""

    text: str | Audio | Phrase
    after: float = 1.0
    timeout: float = TIMEOUT_SECS
    manner: ClassVar[Manner] = "talk_over"


@dataclass(frozen=True)
class FalseStarts(Step):
    """Wait until the agent is silent, begin a sentence and break it off."""

    text: str | Audio | Phrase
    heard: float = HEARD
    timeout: float = TIMEOUT_SECS
    manner: ClassVar[Manner] = "false_start"


@dataclass(frozen=True)
class StaysSilent(Step):
    """Wait until the agent is silent, and then say nothing for a while."""

    secs: float
    timeout: float = TIMEOUT_SECS


#: Those that wait for the agent's speech.
Beside = Backchannels | Coughs | SaysAside | TalksOver


def said_in(step: Step) -> str | Audio | Phrase | Cough | None:
    """Return what a step says that has to be made as sound; None if it says nothing."""
    match step:
        case Coughs(seed=seed):
            return Cough(seed)
        case Backchannels() | SaysAside() | TalksOver() | FalseStarts():
            return step.text
        case _:
            return None
