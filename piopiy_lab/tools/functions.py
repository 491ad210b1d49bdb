"""A tool's schema from a function: its name, its docstring and its type hints."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

import docstring_parser
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pydantic.errors import PydanticInvalidForJsonSchema

from piopiy_lab.errors import ArgumentError
from piopiy_lab.tools.signatures import Argument, Handler, signature_of


def schema_of(function: Handler) -> FunctionSchema:
    """Make a schema of a function.

    The name is the function's, the description its docstring, and the arguments are its
    parameters: their types, and what the docstring's ``Args:`` says of them. A first parameter
    ``params`` takes the whole call and is no argument.

    Raises:
        ArgumentError: The function has no name, or an argument's type can't be told to a language
            model.
    """
    inner: Any = function
    while isinstance(inner, functools.partial):
        inner = inner.func
    name = getattr(inner, "__name__", "")
    if not name.isidentifier():
        raise ArgumentError(
            f"{function!r} has no name that a tool could have: write it with def, or give a "
            "FunctionSchema(name=...) and the handler"
        )
    signature = signature_of(name, function, None)
    told = docstring_parser.parse(_docstring(inner))
    about = {p.arg_name: " ".join((p.description or "").split()) for p in told.params}
    description = (told.description or "").strip() or name.replace("_", " ").strip().capitalize()
    return FunctionSchema(
        name=name,
        description=description,
        properties={a.name: _property(name, a, about.get(a.name)) for a in signature.arguments},
        required=[a.name for a in signature.arguments if a.required],
    )


def _docstring(function: object) -> str:
    import inspect

    return inspect.getdoc(function) or ""


def _property(tool: str, argument: Argument, description: str | None) -> dict[str, object]:
    if argument.adapter is None:
        schema: dict[str, Any] = {}
    else:
        try:
            whole = argument.adapter.json_schema()
        except PydanticInvalidForJsonSchema as error:
            raise ArgumentError(
                f"the tool {tool!r}: a language model can't give {argument.name!r} as "
                f"{argument.hint}; take text, numbers, lists, dataclasses or pydantic models"
            ) from error
        schema = _inlined(tool, argument.name, whole, whole.get("$defs", {}), ())
        if argument.default is None:
            schema = _without_null(schema)
    note = description or _annotated_text(argument.hint)
    return {**schema, "description": note} if note else schema


def _annotated_text(hint: object) -> str | None:
    """Return the text of ``Annotated[int, "how many people"]``."""
    if get_origin(hint) is Annotated:
        return next((part for part in get_args(hint)[1:] if isinstance(part, str)), None)
    return None


def _without_null(schema: dict[str, Any]) -> dict[str, object]:
    """Leave null out of ``int | None = None``: an argument that may be left out needs none."""
    options = schema.get("anyOf")
    if not isinstance(options, list):
        return schema
    left = [option for option in options if option != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**rest, **left[0]} if len(left) == 1 else {**rest, "anyOf": left}


def _inlined(
    tool: str, name: str, node: object, definitions: Mapping[str, object], inside: tuple[str, ...]
) -> Any:
    """Put a schema's definitions where they are used, and leave titles out: providers want that."""
    if isinstance(node, list):
        return [_inlined(tool, name, item, definitions, inside) for item in node]
    if not isinstance(node, dict):
        return node
    if (reference := node.get("$ref")) is not None:
        key = re.sub(r"^#/\$defs/", "", reference)
        if key in inside:
            raise ArgumentError(
                f"the tool {tool!r}: the type of {name!r} contains itself ({key}), which a tool's "
                "schema can't say"
            )
        target = _inlined(tool, name, definitions[key], definitions, (*inside, key))
        rest = {k: v for k, v in node.items() if k != "$ref"}
        return {**target, **rest}
    made: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            made[key] = {
                field: _inlined(tool, name, inner, definitions, inside)
                for field, inner in value.items()
            }
        elif key == "$defs" or (key == "title" and isinstance(value, str)):
            continue
        elif key in ("enum", "const", "default", "examples"):
            made[key] = value
        else:
            made[key] = _inlined(tool, name, value, definitions, inside)
    return made
