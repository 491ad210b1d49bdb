"""The closed sets of words that events, calls and agents speak in.

A checker refuses any other word where one is written; a saved call of another version may have
others, and is read as it is.
"""

from __future__ import annotations

from typing import Literal

#: What a call is on. "phone" is the loopback platform's side of one.
Origin = Literal["microphone", "browser", "keyboard", "file", "caller", "room", "custom", "phone"]
#: Who called: the person on the line, or the agent.
Direction = Literal["inbound", "outbound"]
#: How far a call is.
CallState = Literal["starting", "listening", "ended"]
#: What the agent does: the caller speaks or has the turn, an answer is made, it is heard, or none.
Activity = Literal["hearing", "thinking", "speaking", "idle"]
#: Why a call ended.
EndReason = Literal[
    "caller_hung_up",
    "agent_ended",
    "hung_up",
    "idle_timeout",
    "error",
    "cancelled",
    "audio_device_lost",
    "unresponsive",
]
#: Who said something.
Role = Literal["user", "assistant"]
#: A part that a switcher can switch.
ServiceKind = Literal["stt", "llm", "tts"]
#: All of them, in the order in which a call uses them.
SERVICE_KINDS: tuple[ServiceKind, ...] = ("stt", "llm", "tts")
#: Why a switcher switched.
SwitchCause = Literal["manual", "failover"]
#: Who judged the user's speech: the detector, or the scripted caller who knows.
SpeechCause = Literal["vad", "caller"]
#: What a scripted caller's sound was: a turn of theirs, words to break in with, words said over the
#: agent's without giving way, a beginning that broke off, a listener's "mm hmm", a cough, words to
#: somebody else in the room.
Manner = Literal[
    "turn", "interruption", "talk_over", "false_start", "backchannel", "cough", "aside"
]
#: Those that the agent is to take for the caller's turn, or for a part of it.
FLOOR_MANNERS: tuple[Manner, ...] = ("turn", "interruption", "talk_over", "false_start")
#: Why the detector heard nothing of what a scripted caller said.
UnheardCause = Literal["muted", "quiet", "short", "unclear", "unknown"]
#: What came of a verdict of the turn model: it counted; the model looked again when the pause was
#: long enough; the caller spoke on.
LookOutcome = Literal["used", "again", "void"]
#: What came of an answer that was begun before the turn was over: the turn ended with those words;
#: the caller spoke on; other words came; it wanted a tool, or something else was answered; the turn
#: ended otherwise.
SpeculationOutcome = Literal["confirmed", "spoke_on", "other_words", "tool", "superseded", "ended"]
#: Why the agent fell silent.
SilenceCause = Literal["finished", "interrupted"]
#: How the agent's sound is held while somebody may be interrupting: it waits, or is 20 dB lower.
HoldMode = Literal["pause", "duck"]
#: What is done about a voice over the agent's until it is decided: one of them, or first 20 dB
#: lower, and silent when the voice goes on.
HoldManner = Literal["pause", "duck", "duck_then_pause"]
#: Why it went on: the words of a listener, a short voice, a shorter noise, a long voice that was no
#: interruption, words to somebody else, the caller's side was muted, it was over anyway, or nobody
#: had decided for too long.
ResumeCause = Literal["backchannel", "short", "noise", "long", "aside", "muted", "over", "watchdog"]
#: How a hold of the agent's sound ended: it went on, it was over anyway, or it was cut off.
HoldEnd = Literal["resumed", "over", "cut"]
#: Who stopped the agent.
InterruptionCause = Literal["user", "typed", "keypad", "command"]
#: Why a tool was cancelled.
CancelCause = Literal["interrupted", "timeout"]
#: Who asked for a hand-over; "agent" is how the caller's side sees any of them.
TransferCause = Literal["tool", "code", "command", "agent"]
#: How a hand-over came out; "not_on_phone": there was nothing to transfer.
TransferStatus = Literal["transferred", "failed", "not_on_phone"]
#: What the platform says of a transfer: accepted, it rings, nobody took it, the caller is there.
#: "other" is any other word of its: how far it is.
TransferProgress = Literal["queued", "started", "failed", "completed", "other"]
#: How far a phone call is, on the platform's side.
PhoneStatus = Literal["ringing", "answered", "ended"]
#: How an agent stands with signalling.
AgentState = Literal["stopped", "connecting", "connected", "reconnecting", "draining"]
#: How an agent on a thread of its own stands: "failed" when it has stopped by itself.
ServedState = AgentState | Literal["failed"]
#: How far a tool call is.
ToolStatus = Literal["running", "returned", "failed", "cancelled"]
#: Which way audio goes, as the agent sees it.
Side = Literal["input", "output"]
#: How audio was lost or invented.
DropCause = Literal["overflow", "underflow", "stale", "lost"]
