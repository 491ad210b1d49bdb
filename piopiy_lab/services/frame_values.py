"""Reading what frames carry: contexts, arguments, metrics and word times as plain values.

Pure. ``pipeline.observer`` decides what becomes of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipecat.frames import frames as f
from pipecat.metrics import metrics as m
from pipecat.processors.aggregators.llm_context import LLMContext

from piopiy_lab.checks.texts import shown


def readable_messages(context: LLMContext) -> list[dict[str, object]]:
    """Return a context's messages as plain JSON values, without their random call ids."""
    numbers: dict[str, str] = {}
    readable: list[dict[str, object]] = []
    for message in context.messages:
        if not isinstance(message, Mapping):  # an LLM-specific message
            readable.append({"role": "specific", "content": repr(getattr(message, "message", ""))})
            continue
        record = plain(dict(message))
        for call in record.get("tool_calls") or ():
            call["id"] = numbers.setdefault(call.get("id", ""), f"call-{len(numbers) + 1}")
        if "tool_call_id" in record:
            known = record["tool_call_id"]
            record["tool_call_id"] = numbers.setdefault(known, f"call-{len(numbers) + 1}")
        readable.append(record)
    return readable


def tool_names(context: LLMContext) -> list[str]:
    """Return the names of the tools that a context offers."""
    tools = getattr(context.tools, "standard_tools", None) or ()
    return [str(getattr(tool, "name", tool)) for tool in tools]


def plain(value: object) -> Any:
    """Return a value as JSON would give it back; its ``repr`` where JSON can't hold it."""
    try:
        return json.loads(json.dumps(value, default=repr), parse_constant=str)
    except Exception:  # a cycle, a key that is no text, a repr that raises
        return shown(value)


def notice_with(result: object) -> str | None:
    """Return what one of our recognisers has to tell with a transcript, if anything."""
    notice = result.get("piopiy_lab_notice") if isinstance(result, Mapping) else None
    return notice if isinstance(notice, str) else None


def word_times(result: object) -> list[list[Any]]:
    """Return a recogniser's word times, when it gave them in a form that we know."""
    words = result.get("words") if isinstance(result, Mapping) else None
    if not isinstance(words, list | tuple):
        return []
    return [
        [str(w[0]), round(float(w[1]), 6), round(float(w[2]), 6)]
        for w in words
        if isinstance(w, list | tuple) and len(w) == 3
    ]


def measured(data: m.MetricsData) -> list[tuple[str, str, float | None]]:
    """Return the values of a metrics record that become events, each with its name and unit."""
    match data:
        case m.TTFBMetricsData():
            return [("ttfb", "s", data.value)]
        case m.ProcessingMetricsData():
            return [("processing", "s", data.value)]
        case m.TTSUsageMetricsData():
            return [("characters", "characters", float(data.value))]
        case m.LLMUsageMetricsData():
            return [
                ("prompt_tokens", "tokens", float(data.value.prompt_tokens)),
                ("completion_tokens", "tokens", float(data.value.completion_tokens)),
            ]
        case _:
            return []


def is_timed(frame: f.TTSTextFrame) -> bool:
    """Tell whether a text is a word with a time of its own.

    pipecat hands on whole sentences in the same way when a provider gave no times for their words.
    """
    return frame.pts is not None and len(frame.text.split()) == 1
