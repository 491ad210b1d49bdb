"""What rules answer with, what a conversation is made of, and how a tool's result is said.

The values that `piopiy_lab.offline.rules` works on. No pipecat, no I/O, no clock; any thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.offline import templates
from piopiy_lab.offline.wording import name_in_words, result_in_words


class DialogueState(dict[str, Any]):
    """What a reply function may remember: a plain dict, rebuilt from the history for each answer.

    Attributes:
        said: The agent's last line; in full if it was this rule book's, even when the caller cut
            it short. Set before every reply function runs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.said = ""


@dataclass(frozen=True)
class ToolCall:
    """A reply that calls a tool; made by `calls_tool`.

    Attributes:
        tool: The tool's name.
        arguments: Its arguments. Texts are templates over the phrase's slots, anything else is
            passed on as it is.
        line: What to say with the result: a template, a function of the result and the state, or
            None for the result in its own words.
    """

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    line: str | Callable[[object, DialogueState], str] | None = None

    def says(self, line: str | Callable[[object, DialogueState], str]) -> ToolCall:
        """Return the same call with a line for its result.

        Args:
            line: A template over the call's arguments, the keys of a mapping result, and
                ``{result}``; or a function ``(result, state) -> str``. A failed call (a mapping
                with an "error") is not given to it. A template that names what the result
                doesn't have gives way to the result in its own words.
        """
        return ToolCall(self.tool, self.arguments, line)


def calls_tool(tool: str, /, **arguments: object) -> ToolCall:
    """Reply by calling a tool: ``calls_tool("open_door", room="{room}")``.

    Add ``.says("The {room} door is {state}.")`` for what to say with its result. Where the tool's
    schema wants a number or a boolean, the service converts the words ("two" becomes 2).
    """
    return ToolCall(tool, MappingProxyType(arguments))


Reply = str | ToolCall
# A function of (slots, state) may return None: "not for me now", and the next rule is asked.
Replier = Callable[[Mapping[str, str], DialogueState], Reply | None]
# A function of (nearest sentences, state), or a template with {nearest}.
Fallback = str | Callable[[Sequence[str], DialogueState], str]

DEFAULT_FALLBACK = "Sorry, I did not get that. You can say: {nearest}."


@dataclass(frozen=True)
class Heard:
    """One user message."""

    text: str


@dataclass(frozen=True)
class Said:
    """One line of the agent, as far as it was heard."""

    text: str


@dataclass(frozen=True)
class ToolReturned:
    """A tool call in the history and what became of it."""

    tool: str
    arguments: Mapping[str, Any]
    status: Literal["running", "partial", "returned", "cancelled"]
    result: Any = None


@dataclass(frozen=True)
class Answer:
    """What the agent does next: says a text (maybe none), then calls tools (maybe none)."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


def check_reply(phrase: str, reply: object) -> None:
    """Raise if a reply can't be used with its phrase."""
    slots = set(re.findall(r"\{\s*(\w+)\s*\}", phrase))
    where = f"the reply for {phrase!r}"
    if isinstance(reply, str):
        templates.check(reply, slots, where)
    elif isinstance(reply, ToolCall):
        if not reply.tool.isidentifier():
            raise ArgumentError(
                f"{where} calls the tool {reply.tool!r}: a tool's name is letters, digits and _"
            )
        for name, value in reply.arguments.items():
            if isinstance(value, str):
                templates.check(value, slots, f"{where}, argument {name!r},")
        if isinstance(reply.line, str):
            templates.fields(reply.line)
    elif not callable(reply):
        raise ArgumentTypeError(
            f"{where} is {reply!r}: give a text, calls_tool(...), or a function (slots, state)"
        )


def evaluate(
    reply: Reply | Replier, slots: Mapping[str, str], state: DialogueState
) -> Reply | None:
    """Work out one reply: fill its templates, or ask its function.

    Returns:
        The reply; None when the function declined.

    Raises:
        ArgumentTypeError: The function returned something else.
    """
    if callable(reply):
        made = reply(slots, state)
        if made is not None and not isinstance(made, (str, ToolCall)):
            raise ArgumentTypeError(
                f"the reply function {reply!r} returned {made!r}: return a text, calls_tool(...), "
                "or None for 'not now'"
            )
        return made
    if isinstance(reply, str):
        return templates.fill(reply, slots)
    arguments = {
        name: templates.fill(value, slots) if isinstance(value, str) else value
        for name, value in reply.arguments.items()
    }
    return ToolCall(reply.tool, arguments, reply.line)


def result_line(returned: ToolReturned, asked: Iterable[ToolCall], state: DialogueState) -> str:
    """What to say for a tool that returned, or "" while it runs.

    Args:
        returned: The call and what became of it.
        asked: Calls whose line may be meant for it, the most likely first.
        state: For a line that is a function.
    """
    if returned.status == "running":
        return ""
    if returned.status == "cancelled":
        tool = name_in_words(returned.tool)
        return f"Sorry, I could not finish that: {tool} took too long or was stopped."
    failure = _failure(returned)
    if failure is not None:
        return failure
    result = returned.result
    line = next((call.line for call in asked if call.tool == returned.tool), None)
    if returned.status == "partial" or line is None:
        return result_in_words(result)
    if callable(line):
        return line(result, state)
    named = result if isinstance(result, Mapping) else {}
    values = {**returned.arguments, **named, "result": result}
    known = templates.fields(line) <= values.keys()
    return templates.fill(line, values) if known else result_in_words(result)


def _failure(returned: ToolReturned) -> str | None:
    """What to say for a tool that failed, or None if it didn't.

    A mapping with a true "error", or one of the two sentences that pipecat's `LLMService` puts in
    a result's place when there is no handler for the tool or the handler raised.
    """
    tool, result = name_in_words(returned.tool), returned.result
    if isinstance(result, Mapping) and result.get("error"):
        error = "" if result["error"] is True else result_in_words(result["error"])
        return f"Sorry, that did not work. {error[:1].upper()}{error[1:]}".strip()
    if isinstance(result, str) and f"`{returned.tool}`" in result:
        if "not currently available" in result:
            return f"Sorry, I can not do that: there is no tool called {tool}."
        if "failed and returned no result" in result:
            return "Sorry, that did not work."
    return None
