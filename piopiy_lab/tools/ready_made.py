"""Tools that ship: end the call, transfer it.

::

    VoiceAgent(instructions=..., tools=[end_call, transfer_call_to({"sales": "+918012345678"})])
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.session.targets import check_target
from piopiy_lab.tools.params import ToolCallParams


async def end_call(params: ToolCallParams, goodbye: str = "") -> dict[str, object]:
    """End the call. Use it when the caller has said goodbye or needs nothing more.

    Args:
        params: The tool call.
        goodbye: What to say before the line is closed, unless you said it in this reply.
    """
    if goodbye.strip():
        await params.say(goodbye)
    await params.end_call()
    return {"status": "ended"}


async def transfer_call(
    params: ToolCallParams, number: str, announcement: str = ""
) -> dict[str, object]:
    """Transfer the caller to another telephone number. The call with you ends then.

    Args:
        params: The tool call.
        number: The telephone number or extension.
        announcement: What to say before, unless you said it in this reply.
    """
    to = check_target(number)
    if announcement.strip():
        await params.say(announcement)
    await params.transfer(to)
    return {"status": "transferred", "number": to}


def transfer_call_to(numbers: Mapping[str, str]) -> FunctionSchema:
    """Return the tool ``transfer_call``, to some numbers only; the LLM picks one by its name.

    A language model can be talked into calling any number; this one can't.

    Args:
        numbers: Names to telephone numbers: ``{"sales": "+918012345678", "reception": "204"}``.

    Raises:
        ArgumentTypeError: It is no mapping of texts.
        ArgumentError: It is empty, or one of them is no number.
    """
    if not isinstance(numbers, Mapping):
        raise ArgumentTypeError(f'transfer_call_to({numbers!r}): give {{"sales": "+9180..."}}')
    if not numbers:
        raise ArgumentError("transfer_call_to({}): give at least one name and number")
    for name in numbers:
        if not isinstance(name, str) or not name.strip():
            raise ArgumentTypeError(f"transfer_call_to(): {name!r} is no name; give a text")
    targets = {name: check_target(number) for name, number in numbers.items()}

    async def transfer(params: Any) -> Any:
        to = params.args.get("to")
        if to not in targets:
            raise ArgumentError(
                f"there is no {to!r} to transfer to; there is: {', '.join(targets)}"
            )
        announcement = str(params.args.get("announcement") or "")
        if announcement.strip():
            await params.say(announcement)
        await params.transfer(targets[to])
        return {"status": "transferred", "to": to}

    return FunctionSchema(
        name="transfer_call",
        description="Transfer the caller to somebody else. The call with you ends then.",
        properties={
            "to": {"type": "string", "enum": list(targets), "description": "To whom."},
            "announcement": {
                "type": "string",
                "description": "What to say before, unless you said it in this reply.",
            },
        },
        required=["to"],
        handler=transfer,
    )
