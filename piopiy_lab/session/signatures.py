"""What an agent's signature tells: which fields of a call it takes, and whose runner it is for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Literal

#: The fields that a callback may take, by name.
FIELDS = (
    *("agent_id", "call_id", "from_number", "to_number", "metadata"),
    *("direction", "variables", "sip_headers", "trace_id", "room_name"),
)

#: Whose runner a bot was written for.
BotKind = Literal["pipecat", "vendor"]
#: What pipecat's examples call the one argument of a bot.
_RUNNER_ARGUMENTS = ("runner_args", "runner_arguments", "args", "session_args")


def bot_kind(agent: Callable[..., object]) -> BotKind | None:
    """Tell from its signature whose runner an agent was written for; None: a session callback.

    What decides is what the function can't be called without: ``runner_args`` (or one argument
    that is annotated with one of pipecat's ``...RunnerArguments``), or ``transport`` and ``call``.
    Both runners look for a function called ``bot`` and give it these by position, so one of that
    name may call them as it likes.
    """
    named_bot = getattr(agent, "__name__", None) == "bot"
    required = [
        parameter
        for parameter in parameters_of(agent)
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.POSITIONAL_ONLY)
    ]
    match required:
        case [args] if args.name not in FIELDS and (
            named_bot or args.name in _RUNNER_ARGUMENTS or annotated(args).endswith("Arguments")
        ):
            return "pipecat"
        case [transport, call] if not {transport.name, call.name} & set(FIELDS) and (
            named_bot
            or (
                (transport.name == "transport" or annotated(transport).endswith("Transport"))
                and (call.name == "call" or annotated(call).endswith("Call"))
            )
        ):
            return "vendor"
        case _:
            return None


def annotated(parameter: inspect.Parameter) -> str:
    """Return the name of a parameter's type, be it the type or its name as a text."""
    annotation = parameter.annotation
    if isinstance(annotation, str):
        return annotation.strip("\"'").rpartition(".")[2]
    return getattr(annotation, "__name__", "")


def parameters_of(function: Callable[..., object]) -> list[inspect.Parameter]:
    """Return a function's parameters; none of one that doesn't tell."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []
