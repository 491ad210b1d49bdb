"""What was asked and is not on the cassette, and what is worth knowing of what was played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["stt", "llm", "tts", "tool"]


@dataclass(frozen=True)
class Miss:
    """Something that was asked of a service and is not on the cassette, or not like this.

    Attributes:
        kind: "stt", "llm", "tts" or "tool".
        turn: The caller's turn, from 1; 0 before it.
        at: The call's seconds.
        asked: What was asked now, in a line.
        recorded: What the cassette has in its place, in a line.
    """

    kind: Kind
    turn: int
    at: float
    asked: str
    recorded: str

    def __str__(self) -> str:
        """Return it as a sentence."""
        where = f"turn {self.turn}" if self.turn else "before the first turn"
        return (
            f"{where} ({self.kind}, {self.at:.1f} s): asked {self.asked!r}, "
            f"recorded is {self.recorded!r}"
        )
