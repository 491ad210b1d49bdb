"""What the public boards say, with their dates: beside what is measured here. Pure.

Figures of other callers, other sentences and real services: they say where the field stands, and
are no column of the same table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

#: Where more is better; of the others less is.
MORE_IS_BETTER = frozenset({"r_r", "r_y", "s_bc", "s_vt", "s_nd"})


@dataclass(frozen=True)
class Board:
    """A public board at its date.

    Attributes:
        name: Which.
        as_of: The date, as 2026-08-18.
        systems: Each system's figures by name, as the board has them.
    """

    name: str
    as_of: str
    systems: Mapping[str, Mapping[str, float]]

    def best(self, figure: str) -> tuple[str, float]:
        """Return the system that is best in a figure, and its value."""
        sign = 1 if figure in MORE_IS_BETTER else -1
        known = [(name, of[figure]) for name, of in self.systems.items() if figure in of]
        return max(known, key=lambda one: sign * one[1])

    @property
    def figures(self) -> Sequence[str]:
        """The names of its figures."""
        return list(dict.fromkeys(name for of in self.systems.values() for name in of))


@lru_cache(maxsize=1)
def _read() -> tuple[Board, Board]:
    text = (files("piopiy_lab.bench") / "board.json").read_text("utf-8")
    told = json.loads(text)
    return _board(told), _board(told["end_of_turn"])


def _board(told: Mapping[str, object]) -> Board:
    systems: dict[str, Mapping[str, float]] = {}
    listed = told["systems"]
    assert isinstance(listed, list), "board.json lists its systems"
    for system in listed:
        figures = dict(system)
        systems[str(figures.pop("name"))] = figures
    return Board(str(told["board"]), str(told["as_of"]), systems)


def tau_voice_board() -> Board:
    """Return τ-voice's board: keys as the attributes of ``tau_voice.Panel``."""
    return _read()[0]


def end_of_turn_board() -> Board:
    """Return eot-bench's: "cuts_300", "cuts_600" (shares), "latency_5", "latency_10" (seconds)."""
    return _read()[1]
