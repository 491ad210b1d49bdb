"""A handler's signature: which arguments it takes, of which types, and how it is called.

Two kinds of handlers exist. One takes the whole call first (``params``, pipecat's
``FunctionCallParams``), with or without arguments after it; the other is any typed function, and
takes the arguments alone.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from pipecat.services.llm_service import FunctionCallParams
from pydantic import PydanticUserError, TypeAdapter, ValidationError

from piopiy_lab.checks.texts import described, shown
from piopiy_lab.errors import ArgumentError

Handler = Callable[..., object]

#: What a first parameter without a type is called when it takes the whole call.
_CALL_NAMES = ("params", "p", "call", "fcp", "function_call_params", "function_params")


@dataclass(frozen=True)
class Argument:
    """One argument of a handler.

    Attributes:
        name: Its name.
        required: Whether it has no default.
        default: The default.
        hint: Its type; None if it has none.
        adapter: Converts a JSON value to that type; None if it has none.
    """

    name: str
    required: bool
    default: object
    hint: object
    adapter: TypeAdapter[object] | None


@dataclass(frozen=True)
class Signature:
    """How a handler is called.

    Attributes:
        name: The tool's name, for messages.
        handler: The function.
        takes_call: Whether its first parameter is the whole call.
        arguments: The arguments that it takes by name.
        takes_any: Whether it takes any other argument too (``**kwargs``).
    """

    name: str
    handler: Handler
    takes_call: bool
    arguments: tuple[Argument, ...]
    takes_any: bool

    @property
    def takes_call_only(self) -> bool:
        """Whether it finds its arguments in ``params.args``."""
        return self.takes_call and not self.arguments and not self.takes_any

    async def call(self, params: FunctionCallParams) -> Any:
        """Call the handler with the arguments of a tool call.

        A plain function that isn't async and doesn't take the call runs in a thread: it may block.

        Raises:
            ArgumentError: The language model gave no arguments, or one that the handler can't take.
        """
        if not isinstance(params.arguments, Mapping):
            raise ArgumentError(
                f"{self.name} takes its arguments as a JSON object, and was given "
                f"{shown(params.arguments)}"
            )
        if self.takes_call_only:
            value = self.handler(params)
        else:
            given = self.convert(params.arguments)
            if self.takes_call:
                value = self.handler(params, **given)
            elif inspect.iscoroutinefunction(inspect.unwrap(self.handler)):
                value = self.handler(**given)
            else:
                value = await asyncio.to_thread(_in_thread, self.handler, given)
        return await value if inspect.isawaitable(value) else value

    def convert(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """Return the language model's arguments as the types that the handler wants.

        Raises:
            ArgumentError: One is missing, unknown or of the wrong type; the message is for the
                language model.
        """
        known = {argument.name: argument for argument in self.arguments}
        if not self.takes_any and (unknown := [n for n in arguments if n not in known]):
            takes = ", ".join(known) or "none"
            raise ArgumentError(
                f"{self.name} has no argument {unknown[0]!r}; its arguments: {takes}"
            )
        converted = dict(arguments)
        for argument in self.arguments:
            if argument.name not in arguments:
                if argument.required:
                    raise ArgumentError(f"the argument {argument.name!r} is missing")
            elif argument.adapter is not None:
                converted[argument.name] = _convert(argument, arguments[argument.name])
        return converted


def _in_thread(handler: Handler, given: Mapping[str, object]) -> object:
    """Call a handler on a thread, whose future could hold no StopIteration: nobody would wake."""
    try:
        return handler(**given)
    except StopIteration as error:
        raise RuntimeError(f"it raised {described(error)}") from error


def _convert(argument: Argument, value: object) -> object:
    assert argument.adapter is not None
    if value is None and argument.default is None:
        return None
    try:
        return argument.adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in (argument.name, *first["loc"]))
        raise ArgumentError(
            f"the argument {where!r} can't be {shown(value)}: {first['msg'][:1].lower()}"
            f"{first['msg'][1:]}"
        ) from error


def signature_of(name: str, handler: Handler, properties: Mapping[str, object] | None) -> Signature:
    """Read a handler's signature.

    Args:
        name: The tool's name.
        handler: A function, a method, a partial, or an object that can be called.
        properties: The arguments in the tool's schema; None if the schema is made of the function.

    Raises:
        ArgumentError: It takes what no tool call can give.
    """
    try:
        parameters = list(inspect.signature(handler).parameters.values())
    except (TypeError, ValueError):  # written in C: it gets the call, as pipecat would do
        return Signature(name, handler, True, (), False)
    bound = handler.keywords if isinstance(handler, functools.partial) else {}
    parameters = [p for p in parameters if p.name not in bound]
    hints = _hints(name, handler)
    takes_call = bool(parameters) and _is_call(parameters[0], hints, properties)
    rest = parameters[1:] if takes_call else parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in rest)
    named = [p for p in rest if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    if only := next((p for p in named if p.kind is p.POSITIONAL_ONLY), None):
        raise ArgumentError(
            f"the tool {name!r} takes {only.name!r} by its position only, and a tool's arguments "
            "have names: remove the '/'"
        )
    arguments = tuple(_argument(name, p, hints.get(p.name)) for p in named)
    return Signature(name, handler, takes_call, arguments, takes_any)


def _is_call(
    first: inspect.Parameter, hints: Mapping[str, object], properties: Mapping[str, object] | None
) -> bool:
    """Whether a first parameter takes the whole call."""
    if first.kind is first.VAR_POSITIONAL:
        return True
    if first.kind in (first.VAR_KEYWORD, first.KEYWORD_ONLY):
        return False
    hint = hints.get(first.name)
    if inspect.isclass(hint) and issubclass(hint, FunctionCallParams):
        return True
    if isinstance(hint, str) and hint.endswith("CallParams"):
        return True
    if properties is not None and first.name in properties:
        return False
    if first.name == "params":
        return True
    if properties is None or hint is not None:
        return False
    return first.name in _CALL_NAMES or first.name.startswith("_")


def _hints(name: str, handler: Handler) -> dict[str, object]:
    function = handler
    while isinstance(function, functools.partial):
        function = function.func
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        function = getattr(type(function), "__call__", function)  # noqa: B004 - its own method
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        # Only a type that is needed for an argument matters: the call's may be unknown here.
        left = dict(getattr(inspect.unwrap(function), "__annotations__", {}))
        return {
            key: _Unknown(str(error)) if not _names_call(value) else value
            for key, value in left.items()
            if key != "return"
        }
    except TypeError:  # not a function at all
        return {}


class _Unknown:
    """A type that can't be looked up from where the function is defined."""

    def __init__(self, why: str) -> None:
        self.why = why


def _names_call(value: object) -> bool:
    return isinstance(value, str) and value.endswith("CallParams")


def _argument(tool: str, parameter: inspect.Parameter, hint: Any) -> Argument:
    required = parameter.default is parameter.empty
    default = None if required else parameter.default
    if hint is None or hint is Any:
        return Argument(parameter.name, required, ... if required else default, None, None)
    if isinstance(hint, _Unknown):
        raise ArgumentError(
            f"the types of the tool {tool!r} can't be looked up: {hint.why}; define them at the "
            "top level of the module or cell"
        )
    try:
        adapter = TypeAdapter(hint)
    except PydanticUserError as error:
        if error.code == "typed-dict-version":
            raise ArgumentError(
                f"the tool {tool!r}: {parameter.name!r} is a typing.TypedDict, whose fields Python "
                "tells from 3.12 on: take TypedDict from typing_extensions (from "
                "typing_extensions import TypedDict)"
            ) from error
        raise ArgumentError(
            f"the tool {tool!r}: a language model can't give {parameter.name!r} as "
            f"{_type_name(hint)}; take text, numbers, lists, dataclasses or pydantic models"
        ) from error
    return Argument(parameter.name, required, ... if required else default, hint, adapter)


def _type_name(hint: object) -> str:
    return hint.__name__ if inspect.isclass(hint) else str(hint)
