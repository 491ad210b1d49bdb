"""Tools that ship: end the call, transfer it.

::

    VoiceAgent(instructions=..., tools=[end_call, transfer_call_to({"sales": "+918012345678"})])
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Unpack

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.frames.frames import FunctionCallResultProperties

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.session.transfer_order import TransferOptions, TransferOrder
from piopiy_lab.tools.params import ToolCallParams

_RINGING = "it rings there; stay with the caller until you are told how it came out"


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
    params: ToolCallParams, number: str, announcement: str = "", summary: str = ""
) -> dict[str, object]:
    """Transfer the caller to another telephone number. You stay with them until it is answered.

    Args:
        params: The tool call.
        number: The telephone number with its country code, or the SIP address.
        announcement: What to say before, unless you said it in this reply.
        summary: One or two sentences for whoever picks up: who calls, and what they need.
    """
    order = TransferOrder(number, summary=summary.strip() or None)
    return await _hand_over(params, order, announcement, {"number": order.to})


def transfer_call_to(
    numbers: Mapping[str, str], **options: Unpack[TransferOptions]
) -> FunctionSchema:
    """Return the tool ``transfer_call``, to some numbers only; the LLM picks one by its name.

    A language model can be talked into calling any number; this one can't.

    Args:
        numbers: Names to telephone numbers or SIP addresses: ``{"sales": "+918012345678",
            "reception": "sip:204@pbx.example.com"}``.
        **options: How they are called, ``caller_id="+918011112222", confirm=True`` say: those of
            :meth:`piopiy_lab.call.call.Call.transfer`. With ``summary`` left out the LLM writes
            one for whoever picks up.

    Raises:
        ArgumentTypeError: It is no mapping of texts.
        ArgumentError: It is empty, one of them is no number, or an option can't be used.
    """
    if not isinstance(numbers, Mapping):
        raise ArgumentTypeError(f'transfer_call_to({numbers!r}): give {{"sales": "+9180..."}}')
    if not numbers:
        raise ArgumentError("transfer_call_to({}): give at least one name and number")
    for name in numbers:
        if not isinstance(name, str) or not name.strip():
            raise ArgumentTypeError(f"transfer_call_to(): {name!r} is no name; give a text")
    orders = {name: TransferOrder(number, **options) for name, number in numbers.items()}
    summarised = not options.get("blind") and options.get("summary") is None

    async def transfer(params: Any) -> Any:
        to = params.args.get("to")
        if to not in orders:
            raise ArgumentError(f"there is no {to!r} to transfer to; there is: {', '.join(orders)}")
        order, summary = orders[to], str(params.args.get("summary") or "").strip()
        if summarised and summary:
            order = replace(order, summary=summary)
        announcement = str(params.args.get("announcement") or "")
        return await _hand_over(params, order, announcement, {"to": to})

    texts = {"announcement": "What to say before, unless you said it in this reply."}
    if summarised:
        texts["summary"] = (
            "One or two sentences for whoever picks up: who calls, and what they need."
        )
    return FunctionSchema(
        name="transfer_call",
        description=(
            "Transfer the caller to somebody else. "
            + (
                "The call with you ends then."
                if options.get("blind")
                else "You stay with them until it is answered."
            )
        ),
        properties={
            "to": {"type": "string", "enum": list(orders), "description": "To whom."},
            **{name: {"type": "string", "description": text} for name, text in texts.items()},
        },
        required=["to"],
        handler=transfer,
    )


async def _hand_over(
    params: ToolCallParams, order: TransferOrder, announcement: str, which: Mapping[str, object]
) -> dict[str, object]:
    """Announce a transfer and ask for it; the result says whether it rings or is done."""
    if announcement.strip():
        await params.say(announcement)
    status = await params.transfer_as(order)
    if status == "transferred":
        return {"status": status, **which}
    result = {"status": status, **which, "detail": _RINGING}
    # the caller is told when it rings: an answer of the LLM's would say it twice
    await params.result_callback(result, properties=FunctionCallResultProperties(run_llm=False))
    return result
