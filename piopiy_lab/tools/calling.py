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

from piopiy_lab.cassette.at_work import recorded_host
from piopiy_lab.checks import texts
from piopiy_lab.checks.texts import text_of
from piopiy_lab.display.user_traceback import user_line
from piopiy_lab.errors import ToolError
from piopiy_lab.redaction import redact_text
from piopiy_lab.tools import seams
from piopiy_lab.tools.box import Tool
from piopiy_lab.tools.json_form import NoJsonForm, complaint, json_form, unreadable
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


class FailureText(str):
    """The result of a tool that failed, where it was a text: pipecat's own words.

    Attributes:
        error: As of a :class:`ToolFailure`.
    """

    error: str


class RecordedFailure(ToolError):  # noqa: N818 - an error as it was recorded
    """A tool failed in a recorded call, and so it does now.

    Attributes:
        result: What the LLM read of it.
        message: What the log said of it; None if nothing is known.
    """

    def __init__(self, error: str, result: object, message: str | None) -> None:
        """Take the error's type and message, as the log had them, and what was told of it."""
        super().__init__(error)
        self.result, self.message = result, message

    def told(self) -> ToolFailure | FailureText:
        """Return what the LLM reads of it now."""
        error = str(self)
        if isinstance(self.result, dict) and "error" in self.result:
            return ToolFailure(str(self.result["error"]), error)
        if isinstance(self.result, str) and self.result:
            text = FailureText(self.result)
            text.error = error
            return text
        return ToolFailure(error, error)


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
        answer = _Answer(tool, params, host)
        ours = ToolCallParams(
            **{
                **vars(params),
                # what a model gives that has nothing to say
                "arguments": {} if params.arguments is None else params.arguments,
                "result_callback": answer.give,
                "host": recorded_host(host),
                "filler": tool.options.filler,
            }
        )
        limit = time_limit(tool.options, params.llm)
        deadline = asyncio.timeout(limit)
        try:
            async with _filler(tool.options, recorded_host(host)), deadline:
                value = await tool.signature.call(ours)
        except asyncio.CancelledError:
            if is_being_cancelled():
                raise
            await answer.fail(ToolError(f"{tool.name} was cancelled from inside"))
        except Exception as error:
            if isinstance(error, TimeoutError) and deadline.expired():
                error = ToolError(f"{tool.name} did not finish within {limit:g} s")
            await answer.fail(error)
        else:
            if not answer.given:
                await answer.give(value)

    call.host = host  # type: ignore[attr-defined] - for a cassette that is played
    return call


class _Answer:
    """The answer to one tool call: one result, whoever gives it first."""

    def __init__(self, tool: Tool, params: FunctionCallParams, host: ToolHost) -> None:
        self._tool, self._params, self._host = tool, params, host
        self._deliver = params.result_callback
        self.given = False  # the final one; written here

    async def give(self, value: object, *, properties: Any = None) -> None:
        """Give what the tool returned, or a failure where the LLM could not read it."""
        try:
            form = json_form(value)
        except NoJsonForm as why:
            error = ToolError(complaint(self._tool.name, value, why))
            error.__cause__ = why.__cause__
            await self.fail(error, redact_text(unreadable(self._tool.name, value)))
            return
        if properties is None or properties.is_final:
            self.given = True
        await self._deliver(form or ToolValue(form), properties=properties or self._ending())

    async def fail(self, error: Exception, told: str | None = None) -> None:
        """Tell everybody that the tool failed, and the LLM if it has no result yet.

        Args:
            error: What happened.
            told: What the LLM reads of it; the error's message if None.
        """
        line = redact_text(user_line(error))  # a key may stand in it
        where = f" at {line}" if line else ""
        what = "the double of the tool" if self._tool.double else "the tool"
        message = f"{what} {self._tool.name} failed{where}: {described(error)}"
        recorded = error if isinstance(error, RecordedFailure) else None
        await self._params.llm.push_error(
            error_msg=(recorded and recorded.message) or message,
            exception=error,
            category=ErrorCategory.APPLICATION,
        )
        if not self.given:
            self.given = True
            failure = (
                ToolFailure(told or _told(error), described(error))
                if recorded is None
                else recorded.told()
            )
            await self._deliver(failure, properties=self._ending())

    def _ending(self) -> FunctionCallResultProperties | None:
        return FunctionCallResultProperties(run_llm=False) if self._host.over else None


def is_being_cancelled() -> bool:
    """Whether this task was told to stop; a CancelledError may also be a tool's own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


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
    return redact_text(text_of(error) if isinstance(error, ToolError) else texts.described(error))


def _told(error: BaseException) -> str:
    """Return what the LLM reads of an error: its message, with the type if that says little."""
    text = redact_text(text_of(error)).strip()
    return text if len(text.split()) > 1 else described(error)
