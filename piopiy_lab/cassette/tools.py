"""Tools on a cassette: what they returned and when, and what they did to the call.

Runs on the session's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from pipecat.adapters.llm.schemas.direct_function import DirectFunctionWrapper
from pipecat.frames.frames import FunctionCallResultProperties
from pipecat.services.llm_service import FunctionCallParams

from piopiy_lab.cassette import seams
from piopiy_lab.cassette.at_work import ToolAtWork, in_tool
from piopiy_lab.cassette.writing import Deck
from piopiy_lab.checks.json_values import Record
from piopiy_lab.redaction import redact
from piopiy_lab.services.frame_values import plain

Handler = Callable[[FunctionCallParams], Awaitable[None]]


class Result(Record):
    """A tool's result as it was recorded, with what the log says of it (``error``, ``value``)."""


def called(handler: Any) -> Handler:
    """Return what calls a tool, whatever pipecat has registered for it."""
    if isinstance(handler, DirectFunctionWrapper):

        async def call(params: FunctionCallParams) -> None:
            await handler.invoke(args=params.arguments, params=params)

        return call
    return handler


def stand_in(llm: Any, name: str, making: Callable[[Any], Handler]) -> None:
    """Put a handler in the place of a tool's, once; a tool that isn't there stays away."""
    tools = seams.tools_of(llm)
    key = name if name in tools else None
    item = tools.get(key)
    if item is None or hasattr(item.handler, "taped"):
        return
    handler = making(item.handler)
    handler.taped = item.handler  # type: ignore[attr-defined] - to know it again
    tools[key] = replace(item, handler=handler)


def asked_of_tool(params: FunctionCallParams) -> Record:
    """Return what a tool is asked, as a cassette compares it."""
    return {"tool": params.function_name, "arguments": redact(plain(params.arguments or {}))}


def record_tool(deck: Deck, part: str, llm: Any, name: str) -> None:
    """Record what a tool does from now on."""
    stand_in(llm, name, lambda handler: recorded_tool(deck, part, llm, handler))


def recorded_tool(deck: Deck, part: str, llm: Any, handler: Any) -> Handler:
    """Return what runs a tool and records what it does."""
    call = called(handler)

    def now() -> float:
        return llm.get_clock().get_time() / 1e9

    async def recorded(params: FunctionCallParams) -> None:
        work = ToolAtWork(deck, deck.ask("tool", part, asked_of_tool(params)), now, now())
        give = params.result_callback

        async def result_callback(
            result: Any, *, properties: FunctionCallResultProperties | None = None
        ) -> None:
            work.came("result", (packed_result(result, properties),), {})
            await give(result, properties=properties)

        token = in_tool.set(work)
        try:
            await call(replace(params, result_callback=result_callback))
        except asyncio.CancelledError:
            deck.end(work.number, cut=now() - work.began)
            raise
        except Exception as error:
            work.came("raise", (error,), {})
            raise
        finally:
            in_tool.reset(token)
        deck.end(work.number)

    # what a double in the tool's place gives goes on the cassette, too
    recorded.recording = lambda double: recorded_tool(  # type: ignore[attr-defined]
        deck, part, llm, double
    )
    return recorded


def packed_result(result: Any, properties: FunctionCallResultProperties | None) -> Record:
    """Return a tool's result as JSON, with what the log says of it."""
    packed: Record = {"returned": plain(result)}
    if isinstance(result, Mapping):
        packed |= {
            name: plain(getattr(result, name))
            for name in ("error", "value")
            if hasattr(result, name)
        }
    if properties is not None:
        kept = {"run_llm": properties.run_llm, "is_final": properties.is_final}
        packed["properties"] = {name: value for name, value in kept.items() if value is not None}
    return packed


def unpacked_result(packed: Record) -> tuple[Any, FunctionCallResultProperties | None]:
    """Return a tool's result, and how pipecat is to take it."""
    result, properties = packed.get("returned"), None
    if isinstance(result, dict) and ("error" in packed or "value" in packed):
        result = Result(result)
        for name in ("error", "value"):
            if name in packed:
                setattr(result, name, packed[name])
    if "properties" in packed:
        properties = FunctionCallResultProperties(**packed["properties"])
    return result, properties
