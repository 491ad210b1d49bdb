"""What ``replace=`` came to, checked: services, and what is called in the place of tools.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ToolDoubles:
    """What is called in the place of an agent's tools.

    Attributes:
        find: Returns the handler to call in the place of a tool, by the tool's name; None for the
            tool itself.
        names: The tools that the agent must have; none where a function was given.
    """

    find: Callable[[str], Callable[..., object] | None]
    names: tuple[str, ...] = ()


class Replaced(dict[str, object]):
    """Services by part, or by a class's name.

    Attributes:
        tools: What is called in the place of tools; None for the tools themselves.
    """

    tools: ToolDoubles | None = None
