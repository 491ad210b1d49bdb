"""What stands in the place of an agent's services in one call: ``replace=``, checked.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.session.callback import SessionCallback, is_bot

PARTS = ("stt", "llm", "tts")
#: Services by part, or all three of them as ``stack()`` and ``offline_stack()`` give them.
Replacements = Mapping[Any, object] | tuple[object, object, object]


def check_replace(
    replace: Replacements | None,
    create_session: SessionCallback,
    named: Mapping[str, Callable[[], object]] | None = None,
) -> dict[str, object]:
    """Return what is replaced: by part, and where a bot makes its services by a class's name too.

    Args:
        replace: "stt", "llm", "tts", for a bot also a class or its name, each with a service or a
            function that makes one; or the three services of a stack.
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
    checked: dict[str, object] = {}
    for key, service in (replace or {}).items():
        name = key.__name__ if isinstance(key, type) else key
        by_class = bot and (isinstance(key, type) or str(key).endswith("Service"))
        if name not in PARTS and not by_class:
            raise ArgumentError(
                f"replace has no part {name!r}: the parts are {', '.join(PARTS)}"
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
