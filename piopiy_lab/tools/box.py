"""The tools of one VoiceAgent: schemas and handlers, which may come apart and in any order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.tools.options import ToolOptions, options_of
from piopiy_lab.tools.schemas import Given, matched, read_tool, read_tools
from piopiy_lab.tools.signatures import Handler, Signature


@dataclass(frozen=True)
class Tool:
    """A tool that can be offered.

    Attributes:
        schema: What the LLM is told; without a handler.
        signature: How its handler is called.
        options: How long it may take, and so on.
        double: Whether another handler than the agent's own is called, as ``replace=`` said.
    """

    schema: FunctionSchema
    signature: Signature
    options: ToolOptions = ToolOptions()
    double: bool = False

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.schema.name


class ToolBox:
    """Schemas by name, and handlers by name; the tools of MCP servers beside them."""

    def __init__(self, tools: object = None) -> None:
        """Take the constructor's ``tools``.

        Raises:
            ArgumentTypeError: Something is no tool.
            ArgumentError: Two of them have one name, or a schema and its handler disagree.
        """
        self._schemas: dict[str, FunctionSchema] = {}
        self._handlers: dict[str, Handler] = {}
        self._options: dict[str, ToolOptions] = {}
        self._outside: dict[str, Tool] = {}  # tools of MCP servers; written by Action()
        self._custom = tools.custom_tools if isinstance(tools, ToolsSchema) else None
        for given in read_tools(tools):
            name = given.schema.name
            if name in self._schemas:
                raise ArgumentError(f"two tools are named {name!r}: give each its own name")
            self._take(given, given.handler, ToolOptions())

    def add(
        self, schema: object, handler: Handler | None = None, options: ToolOptions | None = None
    ) -> Tool:
        """Take a tool whole, and return it; one of the same name is replaced.

        Raises:
            ArgumentTypeError: It is no tool, or the handler is no function.
            ArgumentError: There is no handler, schema and handler disagree, or an MCP server has
                a tool of that name.
        """
        try:
            given = read_tool(schema)
        except ArgumentTypeError as error:
            raise ArgumentTypeError(
                f"add_tool({schema!r}, ...): a tool needs a FunctionSchema(name=, description=, "
                "properties=, required=) that tells the LLM when and how to call it, or be a "
                "function with type hints and a docstring"
            ) from error
        name = given.schema.name
        if name in self._outside:
            raise ArgumentError(
                f"add_tool({name!r}): an MCP server of this agent has a tool of that name; give "
                "yours another"
            )
        found = given.handler if handler is None else handler
        if found is None:
            raise ArgumentError(f"add_tool({name!r}): it has no handler; add_tool(schema, handler)")
        self._take(given, found, options or ToolOptions())
        return self._tool(name)

    def register(
        self, name: object, handler: Handler, options: ToolOptions | None = None
    ) -> Tool | None:
        """Take the handler of a tool, and return the tool if its schema is there.

        Raises:
            ArgumentTypeError: The name is no text, or the handler no function.
            ArgumentError: The handler disagrees with the schema.
        """
        if not isinstance(name, str) or not name:
            raise ArgumentTypeError(f"register_tool({name!r}, ...): give the tool's name")
        _check_handler(name, handler)
        if name in self._schemas:
            matched(self._schemas[name], handler)
        self._handlers[name] = handler
        self._options[name] = options or ToolOptions()
        return self._tool(name) if name in self._schemas else None

    def set_outside(self, tools: Iterable[Tool]) -> None:
        """Take the tools of MCP servers, in place of earlier ones.

        Raises:
            ArgumentError: One has the name of another tool.
        """
        outside: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._schemas:
                raise ArgumentError(
                    f"an MCP server has a tool {tool.name!r}, and so has the agent: rename yours, "
                    "or leave it out with MCPClient(tools_filter=[...])"
                )
            if tool.name in outside:
                raise ArgumentError(
                    f"two MCP servers have a tool {tool.name!r}: leave one out with "
                    "MCPClient(tools_filter=[...])"
                )
            outside[tool.name] = tool
        self._outside = outside

    def offered(self) -> ToolsSchema:
        """Return what the LLM is told, in the order in which the tools came."""
        outside = [tool.schema for tool in self._outside.values()]
        return ToolsSchema([*self._schemas.values(), *outside], custom_tools=self._custom)

    def ready(self) -> list[Tool]:
        """Return the tools with their handlers.

        Raises:
            ArgumentError: A schema has no handler, or a handler has no schema.
        """
        for name in self._schemas:
            if name not in self._handlers:
                raise ArgumentError(
                    f"the tool {name!r} has a schema and no handler: "
                    f"voice_agent.register_tool({name!r}, handler)"
                )
        if unknown := sorted(set(self._handlers) - set(self._schemas)):
            raise ArgumentError(
                f"register_tool({unknown[0]!r}, ...): there is no tool of that name with a "
                f"schema (there is: {', '.join(self._schemas) or 'none'}); give it to "
                f"VoiceAgent(tools=[...]) or use add_tool(schema, handler)"
            )
        return [*map(self._tool, self._schemas), *self._outside.values()]

    def _take(self, given: Given, handler: Handler | None, options: ToolOptions) -> None:
        name = given.schema.name
        if handler is not None:
            _check_handler(name, handler)
            matched(given.schema, handler)
            self._handlers[name] = handler
        self._schemas[name] = given.schema
        self._options[name] = options

    def _tool(self, name: str) -> Tool:
        schema, handler = self._schemas[name], self._handlers[name]
        options = self._options.get(name, ToolOptions()).over(options_of(handler))
        return Tool(schema, replace(matched(schema, handler), name=name), options)


def _check_handler(name: str, handler: object) -> None:
    if not callable(handler):
        raise ArgumentTypeError(
            f"the handler of the tool {name!r} is {handler!r}: give a function that takes "
            "params, or the tool's arguments, and returns the result"
        )
