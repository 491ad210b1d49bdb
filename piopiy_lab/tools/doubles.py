"""Doubles: what ``replace={"tools": ...}`` has called in the place of an agent's tools.

A double takes the place of the handler and of nothing else: what the LLM is told of the tool, the
tool's options, its events and what becomes of a failure stay. It stands in where an LLM service
looks a function up to run it, so it takes the place of any: one of a VoiceAgent, of an MCP server,
or one that a bot has registered with the service itself.

Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.services.llm_service import FunctionCallParams

from piopiy_lab.errors import ArgumentError
from piopiy_lab.session.replaced import ToolDoubles
from piopiy_lab.tools import seams
from piopiy_lab.tools.box import Tool
from piopiy_lab.tools.calling import answering
from piopiy_lab.tools.options import ToolOptions, options_of
from piopiy_lab.tools.params import ToolHost
from piopiy_lab.tools.schemas import matched
from piopiy_lab.tools.signatures import Handler, Signature, signature_of

#: For a tool that was registered with the service: what pipecat makes of a limit stays pipecat's.
_NO_LIMIT = ToolOptions(cancel_on_interruption=False)


class Doubles:
    """The doubles in one run of an agent."""

    def __init__(self, given: ToolDoubles | None) -> None:
        """Take what ``replace=`` said; None doubles nothing."""
        self._given = given or ToolDoubles(lambda name: None)
        self._idle = given is None
        self._tools: dict[str, Tool] = {}  # a VoiceAgent's own, by know()
        self._llms: list[Any] = []  # by stand_in()
        self._host: ToolHost | None = None  # the running agent; by stand_in()

    @property
    def idle(self) -> bool:
        """Whether nothing is doubled."""
        return self._idle

    def check(self, tools: Iterable[Tool], llms: Iterable[object]) -> None:
        """Check the doubles of an agent that starts.

        Args:
            tools: Those of a VoiceAgent.
            llms: Its LLM services, which may have functions of their own.

        Raises:
            ArgumentError: There is no tool of a name, or its double can't be called as the tool is.
        """
        names: set[str] = set()
        for tool in tools:
            names.add(tool.name)
            if (handler := self._given.find(tool.name)) is not None:
                _doubled(tool, handler)
        if (error := self.missing(llms, names)) is not None:
            raise error

    def know(self, tool: Tool) -> None:
        """Learn how a VoiceAgent's tool is called."""
        self._tools[tool.name] = tool

    def stand_in(self, llms: Iterable[object], host: ToolHost) -> None:
        """Take the place of the tools of LLM services, until :meth:`leave`."""
        if self._idle:
            return
        self._host = host
        for llm in llms:
            self._llms.append(llm)
            seams.stand_in_for_tools(llm, self._handler)

    def leave(self) -> None:
        """Give the services their own tools back."""
        for llm in self._llms:
            seams.stop_standing_in(llm)

    def missing(
        self, llms: Iterable[object] = (), more: Iterable[str] = ()
    ) -> ArgumentError | None:
        """Return what is wrong with the names, None if there is, or was, a tool for each.

        Args:
            llms: LLM services that may have it, beside those that are stood in for.
            more: Names of tools.
        """
        known = {*self._tools, *more}
        for llm in (*self._llms, *llms):
            known |= {*seams.functions_of(llm), *getattr(llm, "own_tools", ())}
        lost = next((name for name in self._given.names if name not in known), None)
        if lost is None:
            return None
        return ArgumentError(
            f"replace={{'tools': {{{lost!r}: ...}}}}: the agent has no tool of that name (it has: "
            f"{', '.join(sorted(known)) or 'none'}). A tool that comes later in the call is "
            "doubled by a function from a name to a handler: replace={'tools': {...}.get}"
        )

    def _handler(self, name: str | None, item: Any) -> Callable[..., Any] | None:
        """Return what an LLM service calls in a function's place, None for the function itself."""
        if name is not None and self._given.find(name) is None:
            return None

        async def call(params: FunctionCallParams) -> None:
            handler = self._given.find(params.function_name)
            if handler is None:  # a function that serves all names
                await item.handler(params)
                return
            answer = self._answering(handler, params)
            if (recording := getattr(item.handler, "recording", None)) is not None:
                answer = recording(answer)  # on the call's cassette
            await answer(params)

        return call

    def _answering(
        self, handler: Handler, params: FunctionCallParams
    ) -> Callable[[FunctionCallParams], Awaitable[None]]:
        name = params.function_name
        tool = self._tools.get(name)
        try:
            doubled = _doubled(tool, handler) if tool is not None else _registered(handler, params)
        except ArgumentError as error:  # a tool that came in mid-call; told as any failure
            schema = FunctionSchema(name, "", {}, [])
            doubled = Tool(schema, _raising(name, error), _NO_LIMIT, double=True)
        assert self._host is not None, "it stands in"
        return answering(doubled, self._host)


def _doubled(tool: Tool, handler: Handler) -> Tool:
    signature = replace(matched(tool.schema, handler), name=tool.name)
    options = options_of(handler).over(tool.options)
    return Tool(tool.schema, signature, options, double=_is_named(handler))


def _registered(handler: Handler, params: FunctionCallParams) -> Tool:
    """Return the double of a tool that was registered with the service itself."""
    name = params.function_name
    schema = _schema_in(params, name)
    signature = signature_of(name, handler, schema.properties)
    options = options_of(handler).over(_NO_LIMIT)
    return Tool(schema, signature, options, double=_is_named(handler))


def _is_named(handler: Handler) -> bool:
    """Whether a failure is a double's, and not the tool's own as it was recorded."""
    return not getattr(handler, "recorded", False)


def _schema_in(params: FunctionCallParams, name: str) -> FunctionSchema:
    """Return what the LLM was told of a tool; of one that nobody told it, what it gave."""
    tools: Any = getattr(params.context, "tools", None)
    for schema in getattr(tools, "standard_tools", ()):
        if schema.name == name:
            return schema
    arguments = params.arguments if isinstance(params.arguments, dict) else {}
    return FunctionSchema(name, "", dict.fromkeys(arguments, {}), [])


def _raising(name: str, error: Exception) -> Signature:
    def fail(params: object) -> None:
        raise error

    return Signature(name, fail, True, (), False)
