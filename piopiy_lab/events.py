"""What can happen in a call: one frozen record for each kind of event.

The event log is the one account of a call: widgets, the recorder's alignment, tests and saved
calls all read it. Names are in the past tense, units are in the field names or comments, and
``at`` is in seconds of the call's clock, taken when the thing happened (for a pipecat frame:
when it was pushed), not when somebody handled it.

A record holds only values that JSON can hold, and nothing that differs between two runs of the
same simulation: no ids, no wall-clock times, no host facts (those live in ``meta.json``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from piopiy_lab.event_base import Event as Event
from piopiy_lab.event_base import UnknownEvent as UnknownEvent
from piopiy_lab.event_base import from_json as from_json

# --- the call -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CallStarted(Event):
    """The call was created; nobody listens yet."""

    origin: str  # "microphone", "browser", "file", "caller", "room" or "custom"
    sample_rate: int  # Hz, of the recording


@dataclass(frozen=True, kw_only=True)
class CallStateChanged(Event):
    """The call moved on: "starting" -> "listening" -> "ended"."""

    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class PipelineStarted(Event):
    """A VoiceAgent's pipeline runs."""

    services: dict[str, str]  # "stt", "llm", "tts" -> the service's class name
    vad: str | None  # the analyzer's class name
    vad_params: dict[str, float]  # confidence, start_secs, stop_secs, min_volume
    audio_in_sample_rate: int  # Hz
    audio_out_sample_rate: int  # Hz
    greeting: str | None


@dataclass(frozen=True, kw_only=True)
class CallEnded(Event):
    """The last event of every call."""

    reason: str  # one of Call.end_reason's values
    error: str | None = None  # the error's type and message


# --- the user's side ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class VADSampled(Event):
    """The voice activity detector judged one window of the caller's audio."""

    confidence: float  # 0..1
    volume: float | None  # 0..1, smoothed; None when the analyzer doesn't tell


@dataclass(frozen=True, kw_only=True)
class UserSpeechStarted(Event):
    """The detector is sure that the user speaks."""

    cause: str  # "vad"
    start_secs: float  # seconds of speech it took to be sure: the onset was about at - start_secs


@dataclass(frozen=True, kw_only=True)
class UserSpeechStopped(Event):
    """The detector is sure that the user is silent."""

    cause: str  # "vad"
    stop_secs: float  # seconds of silence it took to be sure


@dataclass(frozen=True, kw_only=True)
class UserTurnStarted(Event):
    """The turn rules decided that the user has the floor."""


@dataclass(frozen=True, kw_only=True)
class UserTurnStopped(Event):
    """The turn rules decided that the user is done; the agent may answer."""


@dataclass(frozen=True, kw_only=True)
class TurnPredicted(Event):
    """The end-of-turn model judged a pause."""

    complete: bool
    probability: float  # 0..1
    inference_secs: float | None = None  # seconds, None where it would differ from run to run


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


# --- the agent's side -----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ContextSent(Event):
    """The LLM was given a context."""

    messages: list[dict[str, Any]]  # as they stood then, role and content
    tools: list[str]  # names


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

    cause: str  # "finished" or "interrupted"


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

    cause: str  # "user", "typed", "keypad" or "command"
    speaking: bool  # whether the agent was being heard at that moment


# --- tools ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ToolCalled(Event):
    """The LLM called a tool."""

    name: str
    arguments: dict[str, Any]
    number: int  # counts the tool calls of this call of the agent, from 1


@dataclass(frozen=True, kw_only=True)
class ToolReturned(Event):
    """A tool gave its result, or failed."""

    name: str
    number: int
    result: Any
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class ToolCancelled(Event):
    """A tool was cancelled before it gave a result."""

    name: str
    number: int
    cause: str  # "interrupted" or "timeout"


# --- services and settings ------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ServiceSwitched(Event):
    """A switcher's active service changed."""

    kind: str  # "stt", "llm" or "tts"
    old: str
    new: str
    cause: str = "manual"  # or "failover"


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


# --- transports -----------------------------------------------------------------------------


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
