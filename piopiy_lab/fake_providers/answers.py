"""What a fake language model answers: a script's next line, or what rules say. No network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.offline.replies import Answer, ToolCall
from piopiy_lab.offline.rules import RuleBook
from piopiy_lab.redaction import JsonObject
from piopiy_lab.services.realtime import requested_line


class Answers:
    """Answers conversations in the form of OpenAI's messages."""

    def __init__(self, script: Sequence[str | ToolCall] | None, rules: RuleBook | None) -> None:
        """Take a script or rules, one of the two.

        Raises:
            ArgumentError: Neither or both were given.
            ArgumentTypeError: A line of the script is no text and no tool call.
        """
        if (script is None) == (rules is None):
            raise ArgumentError("give either script=[...] or rules=RuleBook(...)")
        if isinstance(script, str):
            raise ArgumentTypeError(f"script={script!r}: give a list of texts and tool calls")
        for line in script or ():
            if not isinstance(line, str | ToolCall):
                raise ArgumentTypeError(f"script: {line!r}: give a text, or calls_tool(...)")
        self._script = None if script is None else list(script)
        self._rules = rules
        self._answered = 0

    def to(self, messages: Sequence[Mapping[str, object]]) -> Answer:
        """Return the next answer.

        A message of ours that asks for a line (a realtime model's greeting) is obeyed.
        """
        line = requested_line(messages[-1]) if messages else None
        if line is not None:
            return Answer(line)
        if self._script is not None:
            self._answered += 1
            if self._answered > len(self._script):
                return Answer(f"There is no line {self._answered} in my script.")
            scripted = self._script[self._answered - 1]
            if isinstance(scripted, ToolCall):
                return Answer("", (scripted,))
            return Answer(scripted)
        from pipecat.processors.aggregators.llm_context import LLMContext

        from piopiy_lab.offline.history import history_of

        assert self._rules is not None
        plain = [message for message in messages if requested_line(message) is None]
        return self._rules.answer(list(history_of(LLMContext(plain))))  # type: ignore[arg-type]


def typed(call: ToolCall, tools: Sequence[JsonObject]) -> dict[str, Any]:
    """Return a call's arguments in the types that its schema wants.

    Args:
        call: The call.
        tools: Schemas with ``name`` and ``parameters``; those of chat completions are in
            ``function``.
    """
    from pipecat.adapters.llm.schemas.function_schema import FunctionSchema

    from piopiy_lab.offline.llm import typed_arguments

    for tool in tools:
        function = tool.get("function", tool)
        if function.get("name") == call.tool:
            parameters = function.get("parameters") or {}
            properties = {
                name: {**value, "type": str(value.get("type", "")).lower()}
                for name, value in (parameters.get("properties") or {}).items()
            }
            schema = FunctionSchema(call.tool, "", properties, parameters.get("required") or [])
            return typed_arguments(call.arguments, schema)
    return dict(call.arguments)
