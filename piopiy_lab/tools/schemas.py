"""Whatever a user gives as a tool, as a FunctionSchema and perhaps a handler."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipecat.adapters.llm.schemas.direct_function import BaseDirectFunctionWrapper
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.tools.functions import schema_of
from piopiy_lab.tools.signatures import Handler, Signature, signature_of

#: What every provider takes as a tool's name.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FORMS = (
    "give a FunctionSchema, a function, a dict like {'name': ..., 'description': ..., "
    "'parameters': {...}}, or a ToolsSchema"
)


@dataclass(frozen=True)
class Given:
    """A tool as it was given.

    Attributes:
        schema: What the LLM is told; it carries no handler.
        handler: The handler that came with it, if one did.
    """

    schema: FunctionSchema
    handler: Handler | None = None


def read_tools(tools: object) -> list[Given]:
    """Read a list of tools, or a ToolsSchema, in any of the forms.

    Raises:
        ArgumentTypeError: Something is no tool.
        ArgumentError: A tool's schema is broken.
    """
    if tools is None:
        return []
    if isinstance(tools, ToolsSchema):
        functions = {wrapper.name: wrapper.function for wrapper in tools.direct_functions}
        return [
            Given(plain(schema), schema.handler or functions.get(schema.name))
            for schema in tools.standard_tools
        ]
    if isinstance(tools, str | Mapping) or not isinstance(tools, Iterable):
        raise ArgumentTypeError(f"tools={tools!r}: give a list of tools, tools=[...]; {_FORMS}")
    given: list[Given] = []
    for tool in tools:
        given += read_tools(tool) if isinstance(tool, ToolsSchema) else [read_tool(tool)]
    return given


def read_tool(tool: object) -> Given:
    """Read one tool in any of the forms.

    Raises:
        ArgumentTypeError: It is no tool.
        ArgumentError: Its schema is broken.
    """
    if isinstance(tool, FunctionSchema):
        return Given(plain(tool), tool.handler)
    if isinstance(tool, BaseDirectFunctionWrapper):
        return Given(plain(tool.to_function_schema()), tool.function)
    if isinstance(tool, Mapping):
        return Given(plain(_from_dict(tool)))
    if hasattr(tool, "server_params") or type(tool).__name__ == "MCPClient":
        raise ArgumentTypeError(
            "an MCP client goes to Action(mcp_tools=client), not to VoiceAgent(tools=[...])"
        )
    if callable(tool) and not isinstance(tool, type):
        return Given(plain(schema_of(tool)), tool)
    raise ArgumentTypeError(f"{tool!r} is no tool: {_FORMS}")


def plain(schema: FunctionSchema) -> FunctionSchema:
    """Return a schema without its handler, checked.

    pipecat registers a handler that comes with a schema by itself, in its own way.

    Raises:
        ArgumentError: A part of it can't be sent to a language model.
    """
    name, properties, required = schema.name, schema.properties, schema.required
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ArgumentError(
            f"a tool can't be named {name!r}: use letters, digits, '_' and '-', 64 at the most"
        )
    if not isinstance(properties, Mapping) or not all(
        isinstance(inner, Mapping) for inner in properties.values()
    ):
        raise ArgumentError(
            f"the tool {name!r}: properties={properties!r} must be names to JSON schemas, "
            '{"room": {"type": "string"}} say'
        )
    if isinstance(required, str) or not all(isinstance(each, str) for each in required or ()):
        raise ArgumentError(f"the tool {name!r}: required={required!r} must be a list of names")
    if lost := [each for each in required or () if each not in properties]:
        raise ArgumentError(
            f"the tool {name!r} requires {lost[0]!r}, which its properties don't have "
            f"(they have: {', '.join(properties) or 'none'})"
        )
    return FunctionSchema(
        name=name,
        description=schema.description or name.replace("_", " "),
        properties=dict(properties),
        required=list(required or ()),
    )


def _from_dict(tool: Mapping[str, object]) -> FunctionSchema:
    """Read OpenAI's forms (nested in "function", or flat), and Anthropic's and MCP's."""
    inner = tool.get("function", tool)
    if not isinstance(inner, Mapping) or "name" not in inner:
        raise ArgumentTypeError(
            f"the tool {dict(tool)!r} has no 'name': {_FORMS}. A tool that only one provider has "
            "goes into ToolsSchema(standard_tools=[], custom_tools={AdapterType.OPENAI: [...]})"
        )
    name = inner["name"]
    keys = ("parameters", "input_schema", "inputSchema")
    parameters = next((inner[key] for key in keys if inner.get(key) is not None), {})
    if not isinstance(parameters, Mapping) or parameters.get("type", "object") != "object":
        raise ArgumentError(
            f"the tool {name!r}: 'parameters' must be a JSON schema of an object, "
            '{"type": "object", "properties": {...}, "required": [...]}, '
            f"not {parameters!r}"
        )
    return FunctionSchema(
        name=name,
        description=inner.get("description") or "",
        properties=parameters.get("properties") or {},
        required=parameters.get("required") or [],
    )


def matched(schema: FunctionSchema, handler: Handler) -> Signature:
    """Return how a handler is called for a schema.

    Raises:
        ArgumentError: They disagree about the arguments.
    """
    signature = signature_of(schema.name, handler, schema.properties)
    if signature.takes_call_only:
        return signature
    told = f"its schema has: {', '.join(schema.properties) or 'none'}"
    taken = {argument.name: argument for argument in signature.arguments}
    for argument in signature.arguments:
        if argument.required and argument.name not in schema.properties:
            raise ArgumentError(
                f"the tool {schema.name!r}: its handler takes {argument.name!r}, which the schema "
                f"lacks ({told}); name the first parameter 'params' to take the whole call"
            )
        if argument.required and argument.name not in schema.required:
            raise ArgumentError(
                f"the tool {schema.name!r}: its handler needs {argument.name!r}, which the schema "
                f"doesn't require; add it to required=[...], or give {argument.name!r} a default"
            )
    if signature.takes_any:
        return signature
    for name in schema.properties:
        if name not in taken:
            kind = "requires" if name in schema.required else "offers"
            raise ArgumentError(
                f"the tool {schema.name!r} {kind} {name!r}, which its handler doesn't take "
                f"(it takes: {', '.join(taken) or 'nothing'}); name the first parameter 'params' "
                "to take the whole call"
            )
    return signature
