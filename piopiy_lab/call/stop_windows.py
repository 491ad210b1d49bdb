"""What other stop windows of the detector would have done to a call's pauses. Pure.

:mod:`piopiy_lab.turn_lab.robust` finds it out, beside how sure the verdicts are, and it is kept
with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StopWindow:
    """One stop window, everything else as in the call, and the caller's sound as it was.

    Attributes:
        stop_secs: Seconds of silence until the detector is sure.
        pauses: How many pauses the caller made in their turns.
        cuts: Of those that would have been cut: the call's seconds at which each begins, and how
            long it is (0.0: a breath).
        delay: Seconds from the end of speech to the end of the turn, the mean; None of no turns.
    """

    stop_secs: float
    pauses: int
    cuts: tuple[tuple[float, float], ...]
    delay: float | None

    def to_json(self) -> dict[str, object]:
        """Return what ``meta.json``, and a page, has of it."""
        return {
            "stop_secs": self.stop_secs,
            "pauses": self.pauses,
            "cuts": [list(cut) for cut in self.cuts],
            "delay": self.delay,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> StopWindow:
        """Read what :meth:`to_json` has written.

        Raises:
            KeyError, TypeError, ValueError: It is something else.
        """
        cuts: Sequence[Sequence[Any]] = told["cuts"]
        delay = told["delay"]
        return cls(
            float(told["stop_secs"]),
            int(told["pauses"]),
            tuple((float(at), float(secs)) for at, secs in cuts),
            None if delay is None else float(delay),
        )
