"""Calls a tool for an LLM service, and makes a result of whatever happens.

What a handler returns is the result; one that calls ``params.result_callback`` itself is served
too, and the first result counts. An exception, and running out of time, become a result that the
LLM reads (``{"error": ...}``), and events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from pipecat.frames.frames import FunctionCallResultProperties
from pipecat.services.llm_service import FunctionCallParams
from pipecat.utils.errors import ErrorCategory

from piopiy_lab.errors import ToolError
from piopiy_lab.redaction import redact_text
from piopiy_lab.tools import seams
from piopiy_lab.tools.box import Tool
from piopiy_lab.tools.options import DEFAULT_FILLER_AFTER_SECS, DEFAULT_TIMEOUT_SECS, ToolOptions
from piopiy_lab.tools.params import ToolCallParams, ToolHost


class ToolFailure(dict[str, object]):
    """The result of a tool that failed, as the LLM reads it: ``{"error": ...}``.

    Attributes:
        error: The exception's type and message, for the log.
    """

    def __init__(self, told: str, error: str) -> None:
        """Take what the LLM reads, and what the log says."""
        super().__init__(error=told)
        self.error = error


class ToolValue(dict[str, object]):
    """The result of a tool that returned nothing, 0, False or "", as ``{"result": ...}``.

    pipecat takes a result that is false for none: it would be lost, and the LLM would stay silent.

    Attributes:
        value: What the handler returned, for the log.
    """

    def __init__(self, value: object) -> None:
        """Take what the handler returned."""
        super().__init__(result=value)
        self.value = value


def register_with(llm: Any, tool: Tool, host: ToolHost) -> None:
    """Tell an LLM service, or every LLM of a switcher, to call a tool our way."""
    for service in getattr(llm, "llms", None) or [llm]:
        service.register_function(
            tool.name,
            answering(tool, host),
            cancel_on_interruption=tool.options.cancel_on_interruption is not False,
        )


def answering(tool: Tool, host: ToolHost) -> Callable[[FunctionCallParams], Awaitable[None]]:
    """Return the function that pipecat calls for a tool."""

    async def call(params: FunctionCallParams) -> None:
        answered = False
        deliver = params.result_callback

        async def result_callback(result: Any, *, properties: Any = None) -> None:
            nonlocal answered
            if properties is None or properties.is_final:
                answered = True
            await deliver(result or ToolValue(result), properties=properties)

        ours = ToolCallParams(**{**vars(params), "result_callback": result_callback, "host": host})
        limit = time_limit(tool.options, params.llm)
        deadline = asyncio.timeout(limit)
        try:
            async with _filler(tool.options, host), deadline:
                value = await tool.signature.call(ours)
        except Exception as error:
            if isinstance(error, TimeoutError) and deadline.expired():
                error = ToolError(f"{tool.name} did not finish within {limit:g} s")
            await params.llm.push_error(
                error_msg=f"the tool {tool.name} failed: {described(error)}",
                exception=error,
                category=ErrorCategory.APPLICATION,
            )
            value = ToolFailure(_told(error), described(error))
        if not answered:
            ending = FunctionCallResultProperties(run_llm=False) if host.over else None
            await deliver(value or ToolValue(value), properties=ending)

    return call


def time_limit(options: ToolOptions, llm: object) -> float | None:
    """Return the seconds that a tool may take; None for no limit.

    The tool's own limit goes first, then the LLM service's, then ours.
    """
    if options.timeout_secs is not None:
        return options.timeout_secs
    if seams.service_time_limit(llm) or options.background:
        return None  # pipecat keeps the service's own limit
    return DEFAULT_TIMEOUT_SECS


@asynccontextmanager
async def _filler(options: ToolOptions, host: ToolHost) -> AsyncIterator[None]:
    """Say the tool's filler when the block takes long."""
    if options.filler is None:
        yield
        return
    text, after = options.filler, options.filler_after_secs or DEFAULT_FILLER_AFTER_SECS

    async def speak() -> None:
        await asyncio.sleep(after)
        await host.remark(text)

    task = asyncio.create_task(speak(), name="piopiy_lab.filler")
    try:
        yield
    finally:
        task.cancel()


def described(error: BaseException) -> str:
    """Return an error's type and message for the log, without secrets."""
    if isinstance(error, ToolError):
        return redact_text(str(error))
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return redact_text(text)


def _told(error: BaseException) -> str:
    """Return what the LLM reads of an error: its message, with the type if that says little."""
    text = redact_text(str(error)).strip()
    return text if len(text.split()) > 1 else described(error)
