"""Reply templates: ``"You said {day}."`` with plain names in braces, checked before any call.

``str.format`` without its attribute access, indexing and format specs. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from string import Formatter

from piopiy_lab.errors import ArgumentError


def fields(template: str) -> set[str]:
    """The names in a template's braces.

    Raises:
        ArgumentError: The braces don't pair, or hold more than a plain name.
    """
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise ArgumentError(
            f"the template {template!r} can't be read ({error}): write {{slot}}, and {{{{ for a "
            "brace"
        ) from error
    names = set()
    for _, name, spec, conversion in parsed:
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise ArgumentError(
                f"the template {template!r} holds {{{name}}}: only plain names can stand in braces"
            )
        names.add(name)
    return names


def check(template: str, known: Set[str], where: str) -> None:
    """Raise `ArgumentError` if ``template`` names something that isn't in ``known``."""
    unknown = sorted(fields(template) - known)
    if unknown:
        names = ", ".join(sorted(known)) or "none"
        raise ArgumentError(
            f"{where} names {', '.join(map(repr, unknown))} in {template!r}; it can use: {names}"
        )


def fill(template: str, values: Mapping[str, object]) -> str:
    """Put values in place; a name without one (an optional slot left unsaid) becomes nothing."""
    filled = template.format_map({name: values.get(name, "") for name in fields(template)})
    return re.sub(r"\s+(?=[.,!?])", "", " ".join(filled.split()))
