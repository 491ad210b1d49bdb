"""What is asked of services, as a cassette compares it.

Pure.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any

from pipecat.processors.aggregators.llm_context import LLMContext

from piopiy_lab.checks.json_values import Record
from piopiy_lab.redaction import redact
from piopiy_lab.services.frame_values import plain, readable_messages

#: Roles that instruct; their messages are apart from what was said.
_INSTRUCTING = ("system", "developer")
#: The settings of a voice that its sound depends on.
OF_VOICE = ("voice", "model", "language", "speed", "rate", "pitch")


def asked_of_llm(context: LLMContext, instruction: object) -> Record:
    """Return what a language model is asked: what was said, its instructions, and its tools."""
    messages = redact(readable_messages(context))
    said = [message for message in messages if message.get("role") not in _INSTRUCTING]
    rules = [message for message in messages if message.get("role") in _INSTRUCTING]
    if isinstance(instruction, str) and instruction:
        rules.insert(0, {"role": "system", "content": redact(instruction)})
    offered = getattr(context.tools, "standard_tools", None) or ()
    tools = sorted(
        (redact(plain(tool.to_default_dict())) for tool in offered), key=lambda tool: str(tool)
    )
    return {"said": said, "instructions": rules, "tools": tools}


def prompt_difference(asked: Record, recorded: Record) -> list[str]:
    """Return what of a language model's prompt is another one: "instructions", "tools"."""
    return [what for what in ("instructions", "tools") if asked[what] != recorded[what]]


def turn_of(said: Sequence[Any]) -> int:
    """Return the number of the caller's turn that messages are asked in; 0 before the first."""
    return sum(1 for message in said if message.get("role") == "user")


def shown_message(message: Any) -> str:
    """Return a message in one line, for a person."""
    if not isinstance(message, dict):
        return repr(message)
    if calls := message.get("tool_calls"):
        called = [call.get("function", {}) for call in calls]
        what = ", ".join(f"{c.get('name')}({c.get('arguments')})" for c in called)
        return f"{message.get('role')} calls {what}"
    content = message.get("content")
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return f"{message.get('role')}: {text}"


def difference(asked: Sequence[Any], recorded: Sequence[Any]) -> tuple[str, str]:
    """Return the first messages that differ, for a person: of what is asked, and of the tape."""
    for one, other in zip(asked, recorded, strict=False):
        if one != other:
            return shown_message(one), shown_message(other)
    if len(asked) > len(recorded):
        return shown_message(asked[len(recorded)]), "nothing more"
    if len(recorded) > len(asked):
        return "nothing more", shown_message(recorded[len(asked)])
    return "the same", "the same"


def likeness(asked: str, recorded: str) -> float:
    """Return how alike two texts are, 0 to 1: to name the recorded one that was likely meant."""
    return difflib.SequenceMatcher(None, asked, recorded, autojunk=False).ratio()
