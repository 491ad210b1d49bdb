"""Tools: what a VoiceAgent offers to its LLM, and how a handler's answer gets back.

A handler takes ``params`` (pipecat's ``FunctionCallParams``; ``params.args`` is an alias of
``params.arguments``). What it *returns* is the result; a handler that calls
``params.result_callback`` itself is served too. An exception becomes an error result that the LLM
sees, and an event.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.frames.frames import FunctionCallResultProperties
from pipecat.services.llm_service import FunctionCallParams, LLMService

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, NotYetError

Handler = Callable[..., Any]


class ToolCallParams(FunctionCallParams):
    """pipecat's parameters of a tool call, with the names that Piopiy's examples use."""

    @property
    def args(self) -> Any:
        """The arguments: an alias of ``arguments``."""
        return self.arguments


@dataclass(frozen=True)
class Tool:
    """A tool that can be offered: its schema and its handler."""

    schema: FunctionSchema
    handler: Handler


class ToolBox:
    """The tools of one VoiceAgent: schemas by name, and handlers by name."""

    def __init__(self, tools: Iterable[Any] | None = None) -> None:
        """Take the constructor's ``tools``.

        Raises:
            ArgumentTypeError: One of them is no FunctionSchema.
            ArgumentError: Two of them have one name.
        """
        self._schemas: dict[str, FunctionSchema] = {}
        self._handlers: dict[str, Handler] = {}
        if tools is not None and not isinstance(tools, Iterable):
            raise NotYetError(
                f"tools={tools!r}: this version takes a list of FunctionSchema; other forms come "
                "in a later one"
            )
        for schema in tools or ():
            self._add_schema(schema)

    def add(self, schema: Any, handler: Any) -> None:
        """Take a schema and its handler; one of the same name is replaced."""
        if not isinstance(schema, FunctionSchema):
            raise ArgumentTypeError(
                f"add_tool({schema!r}, ...): a tool needs a FunctionSchema(name=, description=, "
                "properties=, required=) that tells the LLM when and how to call it"
            )
        self.register(schema.name, handler)
        self._schemas[schema.name] = schema

    def register(self, name: Any, handler: Any) -> None:
        """Take the handler of a tool."""
        if not isinstance(name, str) or not name:
            raise ArgumentTypeError(f"register_tool({name!r}, ...): give the tool's name")
        if not callable(handler):
            raise ArgumentTypeError(
                f"the handler of the tool {name!r} is {handler!r}: give a function that takes "
                "params and returns the result"
            )
        self._handlers[name] = handler

    @property
    def schemas(self) -> list[FunctionSchema]:
        """The schemas, in the order in which they came."""
        return list(self._schemas.values())

    def ready(self) -> list[Tool]:
        """Return the tools with their handlers.

        Raises:
            ArgumentError: A schema has no handler, or a handler has no schema.
        """
        tools: list[Tool] = []
        for name, schema in self._schemas.items():
            handler = self._handlers.get(name) or getattr(schema, "handler", None)
            if handler is None:
                raise ArgumentError(
                    f"the tool {name!r} has a schema and no handler: "
                    f"voice_agent.register_tool({name!r}, handler)"
                )
            tools.append(Tool(schema, handler))
        if unknown := sorted(set(self._handlers) - set(self._schemas)):
            raise ArgumentError(
                f"register_tool({unknown[0]!r}, ...): there is no tool of that name with a "
                f"schema (there is: {', '.join(self._schemas) or 'none'}); give it to "
                f"VoiceAgent(tools=[...]) or use add_tool(schema, handler)"
            )
        return tools

    def _add_schema(self, schema: Any) -> None:
        if not isinstance(schema, FunctionSchema):
            if callable(schema) or isinstance(schema, dict):
                raise NotYetError(
                    f"tools=[{schema!r}]: this version takes FunctionSchema objects; functions "
                    "and dicts come in a later one"
                )
            raise ArgumentTypeError(f"tools=[{schema!r}]: give FunctionSchema objects")
        if schema.name in self._schemas:
            raise ArgumentError(f"two tools are named {schema.name!r}: give each its own name")
        self._schemas[schema.name] = schema


def register_with(llm: LLMService[Any], tool: Tool) -> None:
    """Tell an LLM service to call a tool's handler our way."""
    llm.register_function(tool.schema.name, answering(tool.handler))


def answering(handler: Handler) -> Callable[[FunctionCallParams], Awaitable[None]]:
    """Wrap a handler so that what it returns is the result.

    A handler may be async or not, and may call ``params.result_callback`` instead; the first
    result counts. An exception goes on to pipecat, which makes an error result of it.
    """

    @functools.wraps(handler)
    async def call(params: FunctionCallParams) -> None:
        answered = False
        deliver = params.result_callback

        async def result_callback(result: Any, *, properties: Any = None) -> None:
            nonlocal answered
            if properties is None or properties.is_final:
                answered = True
            await deliver(result, properties=properties)

        ours = ToolCallParams(**{**vars(params), "result_callback": result_callback})
        value = handler(ours)
        if inspect.isawaitable(value):
            value = await value
        if not answered:
            # pipecat lets the LLM go on only after a truthy result: 0 and [] are results too.
            await deliver(value, properties=FunctionCallResultProperties(run_llm=True))

    return call
