"""What stands in the place of an agent's services in one call: ``replace=``, checked.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.session.callback import SessionCallback, is_bot
from piopiy_lab.session.replaced import Replaced, ToolDoubles

PARTS = ("stt", "llm", "tts")
#: What ``replace`` calls the doubles of tools.
TOOLS = "tools"
#: Services by part, or all three of them as ``stack()`` and ``offline_stack()`` give them.
Replacements = Mapping[Any, object] | tuple[object, object, object]


def check_replace(
    replace: Replacements | None,
    create_session: SessionCallback,
    named: Mapping[str, Callable[[], object]] | None = None,
) -> Replaced:
    """Return what is replaced: by part, and where a bot makes its services by a class's name too.

    Args:
        replace: "stt", "llm", "tts", for a bot also a class or its name, each with a service or a
            function that makes one; or the three services of a stack. "tools" with handlers by the
            tool's name, or a function from a name to a handler.
        create_session: Whose services they stand in for.
        named: What a name stands for in place of a service; each for the stt.

    Raises:
        ArgumentTypeError: It is neither.
        ArgumentError: A part that there is not, or a name that stands for nothing.
    """
    if isinstance(replace, tuple) and len(replace) == len(PARTS):
        replace = dict(zip(PARTS, replace, strict=True))
    if replace is not None and not isinstance(replace, Mapping):
        raise ArgumentTypeError(
            f"replace={replace!r}: give a dict, {{'llm': a_service}} say, or offline_stack()"
        )
    bot, named = is_bot(create_session), named or {}
    checked = Replaced()
    for key, service in (replace or {}).items():
        if key == TOOLS:
            checked.tools = _tool_doubles(service)
            continue
        name = key.__name__ if isinstance(key, type) else key
        by_class = bot and (isinstance(key, type) or str(key).endswith("Service"))
        if name not in PARTS and not by_class:
            raise ArgumentError(
                f"replace has no part {name!r}: the parts are {', '.join(PARTS)} and {TOOLS}"
                + (", or the class of a service, or its name" if bot else "")
            )
        if isinstance(service, str):
            if service not in named:
                known = "".join(f", or {one!r} as the stt" for one in named) or (
                    ", or a function that makes one; words like 'screenplay' are for simulate(...)"
                )
                raise ArgumentError(f"replace={{{name!r}: {service!r}}}: give a service{known}")
            if name != "stt" and not (by_class and "STT" in name):
                raise ArgumentError(f"replace={{{name!r}: {service!r}}}: only the stt can be that")
            service = named[service]
        checked[name] = service
    return checked


def _tool_doubles(given: object) -> ToolDoubles:
    """Read the doubles of tools.

    Raises:
        ArgumentTypeError: They are no handlers by name.
    """
    find: Any = given
    if callable(given):
        return ToolDoubles(find)
    if not isinstance(given, Mapping):
        raise ArgumentTypeError(
            f"replace={{'tools': {given!r}}}: give handlers by the tool's name, "
            "{'book_table': a_function} say, or a function that returns one for a name"
        )
    handlers: dict[str, Callable[..., object]] = {}
    for name, handler in given.items():
        if not isinstance(name, str) or not name:
            raise ArgumentTypeError(
                f"replace={{'tools': {{{name!r}: ...}}}}: a tool is named by a text, the one that "
                "the language model calls it by"
            )
        if not callable(handler):
            raise ArgumentTypeError(
                f"replace={{'tools': {{{name!r}: {handler!r}}}}}: give a function that takes "
                "params, or the tool's arguments, and returns the result"
            )
        handlers[name] = handler
    return ToolDoubles(handlers.get, tuple(handlers))
