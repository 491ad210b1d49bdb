"""The conversation in pipecat's context, read as the values that rules answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from pipecat.processors.aggregators import async_tool_messages
from pipecat.processors.aggregators.async_tool_messages import AsyncToolMessagePayload
from pipecat.processors.aggregators.llm_context import LLMContext, LLMSpecificMessage

from piopiy_lab.offline.replies import Heard, Said, ToolReturned


def history_of(context: LLMContext) -> Iterator[Heard | Said | ToolReturned]:
    """Read a conversation out of pipecat's context, without its system and developer messages.

    Yields:
        What was said and what tools returned, oldest first. A tool that was registered as
        asynchronous appears once when it starts and again for each result it sends later.
    """
    calls: dict[str, tuple[str, Mapping[str, object]]] = {}
    for message in context.get_messages():
        if isinstance(message, LLMSpecificMessage):
            continue
        role = message.get("role")
        text = _text_of(message.get("content"))
        if role == "user" and text:
            yield Heard(text)
        elif role == "assistant":
            for call in message.get("tool_calls") or ():
                function = call.get("function", {})
                arguments = _from_json(function.get("arguments") or "{}")
                calls[call["id"]] = (
                    function.get("name", ""),
                    arguments if isinstance(arguments, Mapping) else {},
                )
            if text:
                yield Said(text)
        elif role in ("tool", "developer"):
            later = async_tool_messages.parse_message(message)
            call_id = later.tool_call_id if later else str(message.get("tool_call_id"))
            if call_id in calls:
                yield _returned(*calls[call_id], text if later is None else later)


def _returned(
    tool: str, arguments: Mapping[str, object], outcome: str | AsyncToolMessagePayload
) -> ToolReturned:
    if isinstance(outcome, str):
        if outcome == "IN_PROGRESS":
            return ToolReturned(tool, arguments, "running")
        if outcome == "CANCELLED":
            return ToolReturned(tool, arguments, "cancelled")
        result = None if outcome == "COMPLETED" else _from_json(outcome)
        result = _unwrapped(result)
        return ToolReturned(tool, arguments, "returned", result)
    if outcome.kind == "started":
        return ToolReturned(tool, arguments, "running")
    if outcome.result is not None and outcome.result.startswith("CANCELLED"):
        return ToolReturned(tool, arguments, "cancelled")
    status = "returned" if outcome.kind == "final" else "partial"
    return ToolReturned(tool, arguments, status, _unwrapped(_from_json(outcome.result or "null")))


def _unwrapped(result: object) -> object:
    """Return the 0, False, "" or nothing that a tool returned as ``{"result": ...}``."""
    if isinstance(result, Mapping) and result.keys() == {"result"} and not result["result"]:
        return result["result"]
    return result


def _text_of(content: object) -> str:
    """A message's text; of a list of parts, the texts among them."""
    if isinstance(content, str):
        return content.strip()
    if isinstance(content, list):
        parts = [p.get("text", "") for p in content if isinstance(p, Mapping)]
        return " ".join(part.strip() for part in parts if part)
    return ""


def _from_json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
