"""In which order things are told that happened at the same moment: cause before effect.

On virtual time a tool is called, answers, and the agent begins to speak in one and the same
instant. The page, the live panel, golden files and pytest's report all tell a call in this order.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

#: What a call's story is made of.
Kind: TypeAlias = Literal["user", "tool", "error", "assistant", "note", "end"]

_ORDER: dict[Kind, int] = {
    "user": 0, "tool": 1, "error": 2, "assistant": 3, "note": 4, "end": 5
}  # fmt: skip


def moment(at: float, kind: Kind) -> tuple[float, int]:
    """Return what to sort by.

    Args:
        at: Seconds of the call's clock; what differs by less than a microsecond is the same.
        kind: What happened then.
    """
    return round(at, 6), _ORDER[kind]
