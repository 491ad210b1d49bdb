"""The agent's side: the LLM, the synthesis and what is heard."""

from __future__ import annotations

from dataclasses import dataclass

from piopiy_lab.events.base import Event, said_if_other
from piopiy_lab.events.values import (
    HoldMode,
    InterruptionCause,
    ResumeCause,
    SilenceCause,
    SpeculationOutcome,
)


@dataclass(frozen=True, kw_only=True)
class ContextSent(Event):
    """The LLM was given a context."""

    messages: list[dict[str, object]]  # as they stood then, role and content
    tools: list[str]  # names
    speculative: bool = said_if_other(False)  # for a turn that may not be over


@dataclass(frozen=True, kw_only=True)
class AnswerSpeculated(Event):
    """An answer was begun before the turn was over; nothing of it is heard or done until it is."""

    text: str  # the turn, as far as it was heard


@dataclass(frozen=True, kw_only=True)
class SpeculationSettled(Event):
    """What came of that: it is the answer ("confirmed"), or it was thrown away."""

    text: str
    outcome: SpeculationOutcome


@dataclass(frozen=True, kw_only=True)
class LLMResponseStarted(Event):
    """The LLM began to answer."""


@dataclass(frozen=True, kw_only=True)
class LLMTextGenerated(Event):
    """The LLM gave a piece of text."""

    text: str


@dataclass(frozen=True, kw_only=True)
class LLMResponseStopped(Event):
    """The LLM finished its answer."""


@dataclass(frozen=True, kw_only=True)
class SpeechRequested(Event):
    """A text was given to the speech synthesis outside of the LLM (greeting, ``call.say``)."""

    text: str


@dataclass(frozen=True, kw_only=True)
class SynthesisStarted(Event):
    """The speech synthesis began on a reply."""


@dataclass(frozen=True, kw_only=True)
class AudioSynthesized(Event):
    """The first audio of a reply left the speech synthesis."""


@dataclass(frozen=True, kw_only=True)
class SynthesisStopped(Event):
    """The speech synthesis finished a reply."""


@dataclass(frozen=True, kw_only=True)
class AgentSpeechStarted(Event):
    """The first audio of a reply was given to the listener."""


@dataclass(frozen=True, kw_only=True)
class AgentSpeechStopped(Event):
    """The agent fell silent."""

    cause: SilenceCause


@dataclass(frozen=True, kw_only=True)
class AgentSpeechHeld(Event):
    """The agent's sound waits, or goes on 20 dB lower: somebody may be interrupting it."""

    how: HoldMode


@dataclass(frozen=True, kw_only=True)
class AgentSpeechResumed(Event):
    """It goes on where it stood: nobody was interrupting; else ``AgentInterrupted`` comes.

    With the cause "over" it was heard to its end, low, before anybody knew.
    """

    cause: ResumeCause
    held_secs: float  # since it was held


@dataclass(frozen=True, kw_only=True)
class WordSpoken(Event):
    """A word (or, without word times, a sentence) of the agent's began to be heard."""

    text: str
    timed: bool = True  # False: the service gave no word times, so at is the sentence's


@dataclass(frozen=True, kw_only=True)
class AgentTurnAdded(Event):
    """What was heard of the agent's turn was written to the LLM's context."""

    text: str


@dataclass(frozen=True, kw_only=True)
class AgentInterrupted(Event):
    """The agent was stopped."""

    cause: InterruptionCause
    speaking: bool  # whether the agent was being heard at that moment
