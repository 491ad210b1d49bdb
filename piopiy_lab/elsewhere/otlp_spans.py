"""A call's events as spans, named as pipecat 1.14 names them (``pipecat/utils/tracing``). Pure.

``conversation`` > ``turn`` > ``stt``, ``llm``, ``tts``, ``tool_call``, and when each side was heard
(``caller_audio_active``, ``agent_audio_active``). What the log has and no span can say is an event
of its turn's span, ``piopiy_lab.<kind>``, so that nothing is lost when it is read again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from piopiy_lab import events as ev
from piopiy_lab.call.tool_calls import ToolCall, build_tool_calls
from piopiy_lab.call.transcript import Transcript, build_transcript
from piopiy_lab.call.turns import Turns, build_turns
from piopiy_lab.checks.json_values import Record
from piopiy_lab.elsewhere.otlp_values import OURS

#: What isn't written: many a second, and of a screenplay. Our own log keeps them.
LEFT_OUT = (
    ev.VADSampled,
    ev.LevelMeasured,
    ev.CallerStepStarted,
    ev.CallerStepFinished,
    ev.CallerStepFailed,
)
#: What a metric of ours is called on a span.
_USAGE = {
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "ttfb": "metrics.ttfb",
}


@dataclass
class SpanDraft:
    """A span before it has ids; times in seconds of the call's clock."""

    name: str
    start: float
    end: float
    attributes: Record = field(default_factory=Record)
    events: list[tuple[str, float, Record]] = field(default_factory=list[tuple[str, float, Record]])
    inner: list[SpanDraft] = field(default_factory=list["SpanDraft"])
    error: str | None = None


class Tree:
    """Makes the spans of one call."""

    def __init__(self, log: Sequence[ev.Event], meta: Record, secs: float) -> None:
        """Take a call.

        Args:
            log: Its events, without secrets.
            meta: What ``meta.json`` holds, without secrets.
            secs: How long it was.
        """
        self._log = [event for event in log if not isinstance(event, LEFT_OUT)]
        self._measurements = [e for e in self._log if isinstance(e, ev.MetricsReported)]
        self._meta = meta
        self._secs = max([secs, *(event.at for event in self._log)])
        self._turns: list[SpanDraft] = []
        self._answers: Turns = build_turns(self._log)
        self._said: Transcript = build_transcript(self._log)

    def conversation(self) -> SpanDraft:
        """Return the root with everything in it."""
        root = SpanDraft("conversation", 0.0, self._secs)
        call_id = str(self._meta.get("call_id", "call"))
        root.attributes |= {"conversation.id": call_id, "conversation.type": "voice"}
        root.attributes["gen_ai.conversation.id"] = call_id
        self._cut_into_turns(call_id)
        for spans in (self._stt(), self._llm(), self._tts(), self._tools(), self._heard()):
            for span in spans:
                self._turn_at(span.start).inner.append(span)
        for turn in self._turns:
            turn.inner.sort(key=lambda span: span.start)
        root.inner = self._turns
        return root

    # --- turns ------------------------------------------------------------------------------

    def _cut_into_turns(self, call_id: str) -> None:
        """Begin a turn when the user does, if the agent spoke in the one before it."""
        turn, spoke = self._begin(0.0, call_id), False
        for event in self._log:
            match event:
                case ev.AgentSpeechStarted():
                    spoke = True
                case ev.UserTurnStarted() | ev.UserTextTyped() | ev.DTMFReceived() if spoke:
                    turn.end = max(turn.start, event.at)
                    turn, spoke = self._begin(turn.end, call_id), False
                case ev.AgentInterrupted(speaking=True):
                    last = self._turns[-2] if not spoke and len(self._turns) > 1 else turn
                    last.attributes["turn.was_interrupted"] = True
                    last.attributes["gen_ai.agent.invocation.end_reason"] = "barge_in"
                case _:
                    pass
            name = f"{OURS}.{type(event).__name__}"
            turn.events.append((name, event.at, _fields_of(event)))
        turn.end = self._secs
        turn.attributes["turn.ended_by_conversation_end"] = True
        for turn in self._turns:
            turn.attributes["turn.duration_seconds"] = round(turn.end - turn.start, 6)
        for answer in self._answers:
            into = self._turn_at(answer.answered).attributes
            into.setdefault("turn.user_bot_latency_seconds", round(answer.total, 6))

    def _begin(self, at: float, call_id: str) -> SpanDraft:
        turn = SpanDraft("turn", at, at)
        turn.attributes = {
            "turn.number": len(self._turns) + 1,
            "turn.type": "conversation",
            "conversation.id": call_id,
            "turn.was_interrupted": False,
        }
        self._turns.append(turn)
        return turn

    def _turn_at(self, at: float) -> SpanDraft:
        return [self._turns[0], *(turn for turn in self._turns if turn.start <= at)][-1]

    # --- services ---------------------------------------------------------------------------

    def _service(self, kind: str, operation: str) -> Record:
        services = self._meta.get("services")
        about = services.get(kind) if isinstance(services, dict) else None
        about = about if isinstance(about, dict) else {}
        name = str(about.get("class", "unknown"))
        provider = name.removesuffix(f"{kind.upper()}Service").lower()
        found = {
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": str(about.get("model", "unknown")),
            "gen_ai.operation.name": operation,
        }
        if kind == "tts" and about.get("voice"):
            found["voice_id"] = found["gen_ai.speech.voice"] = str(about["voice"])
        if kind == "stt" and about.get("language"):
            language = str(about["language"])
            found["language"] = found["gen_ai.speech.input.language"] = language
        return found

    def _stt(self) -> list[SpanDraft]:
        found: list[SpanDraft] = []
        begun: float | None = None
        for event in self._log:
            match event:
                case ev.UserSpeechStarted() if begun is None:
                    begun = event.at - event.start_secs
                case ev.Transcribed():
                    if begun is None or begun > event.at:
                        begun = min([event.at, *(float(word[1]) for word in event.words[:1])])
                    span = SpanDraft("stt", max(0.0, begun), event.at, self._service("stt", "stt"))
                    span.attributes |= {"transcript": event.text, "is_final": True}
                    span.attributes["vad_enabled"] = bool(self._log_has(ev.UserSpeechStarted))
                    self._measured(span, "stt")
                    found.append(span)
                    begun = None
                case _:
                    pass
        return found

    def _llm(self) -> list[SpanDraft]:
        found: list[SpanDraft] = []
        sent: ev.ContextSent | None = None
        for event in self._log:
            match event:
                case ev.ContextSent():
                    sent = event
                case ev.LLMResponseStarted():
                    start = event.at if sent is None else sent.at
                    span = SpanDraft("llm", start, event.at, self._service("llm", "chat"))
                    span.attributes |= {"gen_ai.output.type": "text", "stream": True}
                    if sent is not None:
                        span.attributes |= _asked(sent)
                    found.append(span)
                    sent = None
                case ev.LLMTextGenerated() if found:
                    if "output" not in found[-1].attributes:
                        found[-1].events.append(("llm.first_token", event.at, {}))
                    before = found[-1].attributes.get("output", "")
                    found[-1].attributes["output"] = before + event.text
                    found[-1].end = max(found[-1].end, event.at)
                case ev.LLMResponseStopped() if found:
                    found[-1].end = max(found[-1].end, event.at)
                case _:
                    pass
        for span in found:
            self._measured(span, "llm")
        return found

    def _tts(self) -> list[SpanDraft]:
        """Return a span for each reply: from its text to its last sound."""
        begun = [event.at for event in self._log if isinstance(event, ev.SynthesisStarted)]
        cuts = [e.at for e in self._log if isinstance(e, ev.AgentInterrupted) and e.speaking]
        found: list[SpanDraft] = []
        for entry in self._said:
            if entry.role != "assistant":
                continue
            last = found[-1].end if found else 0.0
            starts = [at for at in begun if last <= at <= entry.start]
            start = starts[-1] if starts else entry.start
            span = SpanDraft("tts", start, max(start, entry.end), self._service("tts", "tts"))
            span.attributes["gen_ai.output.type"] = "speech"
            span.attributes["text"] = entry.text
            span.attributes["metrics.character_count"] = len(entry.text)
            self._measured(span, "tts")
            span.attributes.setdefault("metrics.ttfb", round(entry.start - start, 6))
            if entry.interrupted:
                span.attributes["tts.interrupted"] = True
                cut = [at for at in cuts if start <= at <= entry.end]
                at = cut[-1] if cut else entry.end
                span.events.append(("tts.cancel_requested", at, {}))
                span.events.append(("tts.audio_stopped", entry.end, {}))
            found.append(span)
        return found

    def _measured(self, span: SpanDraft, kind: str) -> None:
        services = self._meta.get("services")
        about = services.get(kind) if isinstance(services, dict) else None
        name = about.get("class") if isinstance(about, dict) else None
        for event in self._measurements:
            key = _USAGE.get(event.name) if event.service == name else None
            if key is not None and span.start <= event.at <= span.end:
                value = int(event.value) if event.unit == "tokens" else event.value
                span.attributes.setdefault(key, value)

    # --- tools, and what was heard ----------------------------------------------------------

    def _tools(self) -> list[SpanDraft]:
        return [_of_tool(tool, self._secs) for tool in build_tool_calls(self._log)]

    def _heard(self) -> list[SpanDraft]:
        found = [
            SpanDraft("caller_audio_active", event.at, max(event.at, event.end))
            for event in self._log
            if isinstance(event, ev.CallerSpoke)
        ]
        speaking = {"caller_audio_active": not found, "agent_audio_active": True}
        open_at: dict[str, float] = {}
        for event in self._log:
            match event:
                case ev.UserSpeechStarted():
                    open_at.setdefault("caller_audio_active", event.at - event.start_secs)
                case ev.AgentSpeechStarted():
                    open_at.setdefault("agent_audio_active", event.at)
                case ev.UserSpeechStopped() | ev.AgentSpeechStopped():
                    users = isinstance(event, ev.UserSpeechStopped)
                    name = "caller_audio_active" if users else "agent_audio_active"
                    start = open_at.pop(name, None)
                    end = event.at - (event.stop_secs if users else 0.0)
                    if start is not None and speaking[name]:
                        found.append(SpanDraft(name, max(0.0, start), max(start, end)))
                case _:
                    pass
        return found

    def _log_has(self, kind: type[ev.Event]) -> bool:
        return any(isinstance(event, kind) for event in self._log)


def _asked(sent: ev.ContextSent) -> Record:
    asked: Record = {"input": json.dumps(sent.messages, ensure_ascii=False)}
    asked["tools"] = json.dumps([{"name": name} for name in sent.tools], ensure_ascii=False)
    asked["tool_count"] = len(sent.tools)
    first = sent.messages[0] if sent.messages else {}
    if first.get("role") in ("system", "developer") and isinstance(first.get("content"), str):
        asked["gen_ai.system_instructions"] = first["content"]
    return asked


def _of_tool(tool: ToolCall, secs: float) -> SpanDraft:
    end = secs if tool.end is None else tool.end
    span = SpanDraft("tool_call", tool.start, max(tool.start, end))
    span.attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool.name,
        "gen_ai.tool.call.id": str(tool.number),
        "gen_ai.tool.call.arguments": json.dumps(tool.arguments, ensure_ascii=False),
    }
    if tool.status == "returned":
        result = json.dumps(tool.result, ensure_ascii=False)
        span.attributes["gen_ai.tool.call.result"] = result
    elif tool.error:
        span.error = tool.error
        span.attributes["error.type"] = tool.status
    return span


def _fields_of(event: ev.Event) -> Record:
    values = {name: value for name, value in event.told().items() if name != "at"}
    if isinstance(event, ev.ContextSent):
        del values["messages"]  # they are the llm span's "input"
    return values
