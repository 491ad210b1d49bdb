"""What pipecat's own spans tell of a call: into a draft. Pure."""

from __future__ import annotations

from typing import Any

from piopiy_lab import events as ev
from piopiy_lab.elsewhere.draft import Draft, Said, ToolUse
from piopiy_lab.elsewhere.json_files import from_json_text, objects_in
from piopiy_lab.elsewhere.otlp_reading import SpanRead
from piopiy_lab.redaction import JsonObject

#: Seconds that a character takes to say, about: 15 a second.
CHARACTER_SECS = 0.065
#: What pipecat's own measurement of a turn is called among the call's.
LATENCY = "user_bot_latency"
#: Spans that are a tool's, beside those with ``gen_ai.tool.name``. Two are Gemini Live's.
_CALLED = ("tool_call", "llm_tool_call", "tool")
_USAGE = (
    ("metrics.ttfb", "ttfb", "s"),
    ("gen_ai.usage.input_tokens", "prompt_tokens", "tokens"),
    ("gen_ai.usage.output_tokens", "completion_tokens", "tokens"),
    ("metrics.character_count", "characters", "characters"),
)


class Traced:
    """Reads the spans of one conversation."""

    def __init__(self, draft: Draft, spans: list[SpanRead], zero: int) -> None:
        """Take spans.

        Args:
            draft: What is filled.
            spans: By the time of their beginning.
            zero: The wall clock's nanoseconds at the recording's beginning.
        """
        self._draft, self._spans, self._zero = draft, spans, zero
        self._llms = [span for span in spans if span.name in ("llm", "llm_response")]

    def fill(self) -> None:
        """Write what the spans tell into the draft."""
        self._say()
        self._ask()
        self._use_tools()
        for span in self._spans:
            self._measure(span)
        if not any(span.name == "stt" for span in self._spans):
            self._draft.notices.append("no stt spans: the caller's words are not known from them")

    def _secs(self, nanos: int) -> float:
        return round((nanos - self._zero) / 1e9, 6)

    # --- what was said ----------------------------------------------------------------------

    def _say(self) -> None:
        cut = {s.own_id: s.attributes.get("turn.was_interrupted") for s in self._spans}
        turns = [span for span in self._spans if span.name == "turn"]
        lasts = {turns[-1].own_id} if turns else set()
        broken = sum(bool(s.attributes.get("stt.incomplete")) for s in self._spans)
        if broken:
            self._draft.notices.append(f"{broken} stt spans have no transcript (stt.incomplete)")
        said: list[tuple[str, Said]] = []
        for span in self._spans:
            one = self._said_in(span)
            if one is None:
                continue
            if said and said[-1][0] == span.parent and said[-1][1].role == one.role:
                _join(said[-1][1], one)
                continue
            if one.role == "assistant" and one.interrupted is None and span.parent not in lasts:
                known = cut.get(span.parent)  # pipecat calls the last turn interrupted, always
                one.interrupted = known if isinstance(known, bool) else None
            said.append((span.parent, one))
        latencies = {s.own_id: s.number("turn.user_bot_latency_seconds") for s in self._spans}
        for (_, asked), (turn, answer) in zip(said, said[1:], strict=False):
            latency = latencies.get(turn)
            if asked.role == "user" and answer.role == "assistant" and latency is not None:
                ended = (answer.start or 0.0) - latency  # a final comes later than the speech ends
                asked.end = max(asked.start or 0.0, min(asked.end or ended, ended))
        self._draft.said = [one for _, one in said]
        self._end_answers([(turn, one) for turn, one in said if one.role == "assistant"])

    def _end_answers(self, answers: list[tuple[str, Said]]) -> None:
        """Say when answers were over that were cut off, and what was heard of them.

        pipecat's turn ends with the interruption, and the next context has what was heard.
        """
        ends = {span.own_id: self._secs(span.end) for span in self._spans if span.name == "turn"}
        unheard = 0
        for place, (turn, one) in enumerate(answers):
            start, limits = one.start or 0.0, [one.end or 0.0]
            limits += [later.start or 0.0 for _, later in answers[place + 1 : place + 2]]
            if one.interrupted:
                limits.append(ends.get(turn, limits[0]))
                heard = self._heard_of(one)
                unheard += heard is None
                one.text = one.text if heard is None else heard
            one.end = max(start, min(limits))
        if unheard:
            self._draft.notices.append(
                f"what was heard of {unheard} interrupted answers isn't known: all of it stands "
                "there"
            )

    def _heard_of(self, one: Said) -> str | None:
        """Return the part of an answer that a later context has."""
        for span in self._llms:
            if self._secs(span.start) > (one.start or 0.0):
                said = (m.get("content") for m in _messages(span) if m.get("role") == "assistant")
                parts = [text.strip() for text in said if isinstance(text, str)]
                found = [part for part in parts if part and one.text.startswith(part)]
                if found:
                    return max(found, key=len)
        return None

    def _said_in(self, span: SpanRead) -> Said | None:
        start, end = self._secs(span.start), self._secs(span.end)
        if span.name == "stt" and span.text("transcript"):
            following = [one for one in self._llms if one.start >= span.end]
            asked = next((one for one in following if one.parent == span.parent), None)
            decided = None if asked is None else self._secs(asked.start)
            text = span.text("transcript")
            return Said("user", text, max(0.0, start), end, final_at=end, decided_at=decided)
        if span.name == "tts" and span.text("text"):
            text, ttfb = span.text("text"), span.number("metrics.ttfb")
            sound = start + (ttfb or 0.0)
            one = Said("assistant", text, max(0.0, sound), sound + CHARACTER_SECS * len(text))
            one.tts_at = None if ttfb is None else sound
            thought = [llm for llm in self._llms if llm.start <= span.start]
            if thought and thought[-1].parent == span.parent:
                first = thought[-1].number("metrics.ttfb")
                if first is not None:
                    one.llm_at = min(start, self._secs(thought[-1].start) + first)
            if span.attributes.get("tts.interrupted") is True:
                one.interrupted = True
            return one
        return None

    # --- the LLM and its tools --------------------------------------------------------------

    def _ask(self) -> None:
        for span in self._llms:
            at = max(0.0, self._secs(span.start))
            tools = [_name_of(tool) for tool in objects_in(_listed(span.attributes.get("tools")))]
            self._draft.events += [
                ev.ContextSent(at=at, messages=[dict(m) for m in _messages(span)], tools=tools),
                ev.LLMResponseStarted(at=at),
                ev.LLMResponseStopped(at=max(at, self._secs(span.end))),
            ]

    def _use_tools(self) -> None:
        results = {
            span.text("tool.call_id"): span
            for span in self._spans
            if span.name == "llm_tool_result"
        }
        for span in self._spans:
            name = span.text("gen_ai.tool.name") or span.text("tool.function_name")
            if not name or not (span.name in _CALLED or "gen_ai.tool.name" in span.attributes):
                continue
            given = span.attributes.get("gen_ai.tool.call.arguments")
            given = span.attributes.get("tool.arguments") if given is None else given
            after = results.get(span.text("tool.call_id"))
            holder = span if after is None else after
            result = holder.attributes.get("gen_ai.tool.call.result")
            result = holder.attributes.get("tool.result") if result is None else result
            tool = ToolUse(name, from_json_text(given), max(0.0, self._secs(span.start)))
            tool.end = max(tool.at, self._secs(holder.end))
            tool.result, tool.error = from_json_text(result), span.error
            self._draft.tools.append(tool)
        if not self._draft.tools:
            self._tools_of_messages()

    def _tools_of_messages(self) -> None:
        """Find the tools in what the LLM was sent: a cascade of pipecat's has no span of them."""
        known: dict[str, ToolUse] = {}
        for before, span in zip([None, *self._llms], self._llms, strict=False):
            for message in _messages(span):
                for call in objects_in(message.get("tool_calls")):
                    number = str(call.get("id"))
                    if number not in known and before is not None:
                        function = call.get("function")
                        function = function if isinstance(function, dict) else call
                        arguments = from_json_text(function.get("arguments"))
                        at = max(0.0, self._secs(before.end))
                        known[number] = ToolUse(str(function.get("name")), arguments, at)
                if message.get("role") == "tool":
                    tool = known.get(str(message.get("tool_call_id")))
                    content = from_json_text(message.get("content"))
                    if tool is not None and content != "IN_PROGRESS" and tool.end is None:
                        tool.end = max(tool.at, self._secs(span.start))
                        tool.result = content
        if known:
            self._draft.notices.append(
                f"no times of the {len(known)} tools: they ran between the LLM's two spans"
            )
        else:
            self._draft.notices.append("no tools in the spans")
        self._draft.tools += known.values()

    def _measure(self, span: SpanRead) -> None:
        latency = span.number("turn.user_bot_latency_seconds")
        if span.name == "turn" and latency is not None:
            answers = [one for one in self._draft.said if one.role == "assistant"]
            begun = [one.start or 0.0 for one in answers]
            at = next((at for at in begun if at >= self._secs(span.start)), self._secs(span.end))
            self._draft.events.append(
                ev.MetricsReported(
                    at=max(0.0, at), service="pipecat", name=LATENCY, value=latency, unit="s"
                )
            )
        if span.name not in ("stt", "llm", "tts", "llm_response"):
            return
        service = span.text("gen_ai.provider.name") or span.name
        for key, name, unit in _USAGE:
            value = span.number(key)
            if value is not None:
                at = max(0.0, self._secs(span.end))
                self._draft.events.append(
                    ev.MetricsReported(at=at, service=service, name=name, value=value, unit=unit)
                )


def _join(one: Said, more: Said) -> None:
    one.text = f"{one.text} {more.text}"
    one.end = max(one.end or 0.0, more.end or 0.0)
    one.interrupted = one.interrupted or more.interrupted
    if more.role == "user":
        one.final_at, one.decided_at = more.final_at, more.decided_at


def _messages(span: SpanRead) -> list[JsonObject]:
    return objects_in(_listed(span.attributes.get("input")))


def _listed(value: object) -> list[Any]:
    found = from_json_text(value)
    return found if isinstance(found, list) else []


def _name_of(tool: JsonObject) -> str:
    function = tool.get("function")
    inner = function.get("name") if isinstance(function, dict) else tool.get("name")
    return str(inner or "tool")
