"""What a source knows of a call, before the sound is looked at. Pure data; seconds of the sound."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from piopiy_lab import events as ev
from piopiy_lab.checks.json_values import Record
from piopiy_lab.events.values import Role

#: ``(start, end)`` in seconds of the recording.
Span = tuple[float, float]
#: ``(text, start, end)`` in seconds of the recording.
Word = tuple[str, float, float]


@dataclass
class Said:
    """What one side said in one go.

    Attributes:
        role: "user" or "assistant".
        text: The words; "" where nobody knows them.
        start: When it began, in seconds of the recording; None where it isn't known.
        end: When it ended; None where it isn't known.
        words: Each word's times, where they are known.
        interrupted: Whether the agent was cut off; None where the sound has to say.
        spans: Where the sound of it is; written by ``placing``.
        final_at: When the recogniser gave the words.
        decided_at: When the turn was taken to be over.
        llm_at: When the first text of the agent's answer was there.
        tts_at: When the first sound of it was there.
    """

    role: Role
    text: str
    start: float | None = None
    end: float | None = None
    words: tuple[Word, ...] = ()
    interrupted: bool | None = None
    spans: list[Span] = field(default_factory=list[Span])
    final_at: float | None = None
    decided_at: float | None = None
    llm_at: float | None = None
    tts_at: float | None = None


@dataclass
class ToolUse:
    """A tool's call.

    Attributes:
        name: The tool's.
        arguments: As the LLM gave them.
        at: Seconds of the recording.
        end: When it was over; None where it isn't known that it was.
        result: What it gave.
        error: Why it failed.
    """

    name: str
    arguments: Any
    at: float
    end: float | None = None
    result: Any = None
    error: str | None = None


@dataclass
class Draft:
    """What is known of a call.

    Attributes:
        source: Where it is from: "recording", "pipecat", "livekit", "retell", "vapi".
        said: What was said, in the order of the source.
        tools: The tools' calls.
        events: What the source knows as the log has it: keys, measurements, transfers ...
        notices: What is not known, each said once.
        meta: For ``meta.json``.
        end_reason: Why it ended.
        error: What ended it badly.
        either_side: Whether the caller may be on the other channel, where the times fit better.
    """

    source: str
    said: list[Said] = field(default_factory=list[Said])
    tools: list[ToolUse] = field(default_factory=list[ToolUse])
    events: list[ev.Event] = field(default_factory=list[ev.Event])
    notices: list[str] = field(default_factory=list[str])
    meta: Record = field(default_factory=Record)
    end_reason: Any = "caller_hung_up"
    error: str | None = None
    either_side: bool = False
