"""The answered turns of a call, and how long each answer took, as a table.

:mod:`piopiy_lab.call.latency` says where each part begins and ends.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from piopiy_lab import events as ev
from piopiy_lab.call.latency import PARTS as PARTS
from piopiy_lab.call.latency import SAME_MOMENT_SECS, find_answers
from piopiy_lab.call.robustness import PauseVerdict, Robustness, told_of
from piopiy_lab.call.transcript import Entry, Transcript, build_transcript, clock_time
from piopiy_lab.checks.data_frames import data_frame
from piopiy_lab.errors import ArgumentError
from piopiy_lab.redaction import shown

if TYPE_CHECKING:
    from pandas import DataFrame


#: Of a table's cells: marimo gives them no room.
SPACED = " style='padding:.3em .6em'"


@dataclass(frozen=True)
class Turn:
    """One user turn and how long its answer took.

    Attributes:
        total: Seconds from the end of the user's speech to the first sound of the answer.
        parts: The same seconds by stage, in the order of :data:`PARTS`; a stage that was not
            there is 0.0, none is negative, and they sum to ``total``.
        user: What the user said, typed or pressed.
        assistant: What was heard of the answer.
        start: Seconds of the call's clock when the user's speech ended.
        tool_secs: Seconds of ``total`` in which a tool ran; they are part of ``parts["llm"]``.
        source: "spoken", "typed" or "keypad".
    """

    total: float
    parts: dict[str, float]
    user: str
    assistant: str
    start: float
    tool_secs: float = 0.0
    source: str = "spoken"

    @property
    def answered(self) -> float:
        """Seconds of the call's clock when the answer began to be heard."""
        return self.start + self.total

    def __repr__(self) -> str:
        parts = " ".join(f"{name} {secs:.3f}" for name, secs in self.parts.items())
        return f"<Turn {self.total:.3f} s ({parts}): {_short(shown(self.user))!r}>"


#: Heads the column that says in how many runs a turn's pauses would have been cut, with each
#: share's interval.
CUT = "pauses cut in runs"
#: Said where the row of medians is no sum.
APART = "(each column has its own median: the parts need not add up to the total)"


class Turns(Sequence[Turn]):
    """The answered turns of a call in order; reads as a table of milliseconds.

    Attributes:
        note: What the seconds leave out, or hold: the computing of services in a simulated call;
            "" in others.
        pauses: Of each turn, in how many runs its pauses would have been cut; None where nobody
            has found it out.
    """

    def __init__(
        self,
        turns: Iterable[Turn] = (),
        note: str = "",
        pauses: Sequence[Sequence[PauseVerdict]] | None = None,
    ) -> None:
        self._turns = tuple(turns)
        self.note = note
        self.pauses = pauses

    def beside(self, known: Robustness) -> Turns:
        """Return the same turns with what is known of their pauses."""
        return Turns(self._turns, self.note, known.by_turn([turn.start for turn in self]))

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> Turns: ...
    def __getitem__(self, index: int | slice) -> Turn | Turns:
        if isinstance(index, slice):
            pauses = None if self.pauses is None else self.pauses[index]
            return Turns(self._turns[index], self.note, pauses)
        return self._turns[index]

    def __len__(self) -> int:
        return len(self._turns)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Turns):
            return self._turns == other._turns
        return list(self._turns) == list(other) if isinstance(other, list | tuple) else False

    def __hash__(self) -> int:
        return hash(tuple((turn.start, turn.total) for turn in self._turns))

    def percentile(self, q: float, part: str = "total") -> float:
        """Return the q-th percentile in seconds, interpolated linearly; NaN without turns.

        Args:
            q: 0 to 100.
            part: "total" or one of :data:`PARTS`.

        Raises:
            ArgumentError: Another ``q`` or ``part``.
        """
        if not 0 <= q <= 100:
            raise ArgumentError(f"the percentile {q!r} is not between 0 and 100")
        if part != "total" and part not in PARTS:
            raise ArgumentError(f"no part {part!r}; there are 'total' and {', '.join(PARTS)}")
        values = sorted(_value(turn, part) for turn in self)
        if not values:
            return math.nan
        place = (len(values) - 1) * q / 100
        low = int(place)
        high = min(low + 1, len(values) - 1)
        return values[low] + (values[high] - values[low]) * (place - low)

    def median(self, part: str = "total") -> float:
        """Return the median in seconds of "total" or of one part; NaN without turns."""
        return self.percentile(50, part)

    def text(self) -> str:
        """Return a table in milliseconds, one line per turn, the median last."""
        heads = [*self._heads(), "caller"]
        rows = [[*cells, _short(user)] for cells, user in self._rows()]
        widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads) - 1)]
        lines = [
            "  ".join([*(cell.rjust(w) for cell, w in zip(row, widths, strict=False)), row[-1]])
            for row in [heads, *rows]
        ]
        if len(self) > 1 and not self._medians_add_up():
            lines.append(APART)
        if self.note:
            lines.append(self.note)
        return "\n".join(line.rstrip() for line in lines)

    def _medians_add_up(self) -> bool:
        """Whether the parts' medians, as they are written, are the total's."""
        parts = sum(round(1000 * self.median(name)) for name in PARTS)
        return parts == round(1000 * self.median())

    def to_pandas(self) -> DataFrame:
        """Return a table: a row per answered turn, its latency's parts and their total in seconds.

        Raises:
            MissingExtraError: pandas isn't installed (the extra ``pandas``).
        """
        columns: dict[str, str] = dict.fromkeys(("start", *PARTS, "total", "tool_secs"), "float64")
        columns |= dict.fromkeys(("source", "user", "assistant"), "string")
        rows = (
            {
                **{name: _value(turn, name) for name in (*PARTS, "total")},
                "start": turn.start,
                "tool_secs": turn.tool_secs,
                "source": turn.source,
                "user": turn.user,
                "assistant": turn.assistant,
            }
            for turn in self
        )
        return data_frame(rows, columns)

    def __str__(self) -> str:
        return self.text() if self._turns else "(no turn was answered)"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if not self._turns:
            return "<em>no turn was answered</em>"
        heads = "".join(f"<th{SPACED}>{name}</th>" for name in (*self._heads(), "caller"))
        rows = "".join(
            "<tr>"
            + "".join(f"<td{SPACED}>{cell}</td>" for cell in cells)
            + f"<td style='text-align:left'>{html.escape(user)}</td></tr>"
            for cells, user in self._rows()
        )
        apart = "" if len(self) < 2 or self._medians_add_up() else f"; {html.escape(APART)}"
        apart += f"; {html.escape(self.note)}" if self.note else ""
        unit = f"milliseconds from the end of speech to the first sound{apart}"
        head = f"<caption>{unit}</caption><thead><tr>{heads}</tr></thead>"
        return f"<table>{head}<tbody>{rows}</tbody></table>"

    def _heads(self) -> list[str]:
        return ["at", *PARTS, "total", *([CUT] if self.pauses is not None else [])]

    def _rows(self) -> list[tuple[list[str], str]]:
        names = (*PARTS, "total")
        known = self.pauses
        pauses = [[] for _ in self] if known is None else [[told_of(turn)] for turn in known]
        rows = [
            (
                [clock_time(turn.start), *(_ms(_value(turn, name)) for name in names), *cut],
                shown(turn.user),
            )
            for turn, cut in zip(self, pauses, strict=True)
        ]
        if len(self) > 1:
            cells = ["median", *(_ms(self.median(name)) for name in names)]
            rows.append(([*cells, *([] if self.pauses is None else [""])], ""))
        return rows


def build_turns(events: Iterable[ev.Event]) -> Turns:
    """Find the answered turns in a call's events and split each one's latency.

    A turn whose answer was never heard (the user went on, or the call ended) is not listed.
    Pure: the same events give the same turns.
    """
    known = list(events)
    transcript = build_transcript(known)
    turns: list[Turn] = []
    for answer in find_answers(known):
        user, assistant = _texts(transcript, answer.stopped, answer.sound)
        turns.append(
            Turn(
                total=answer.sound - answer.start,
                parts=answer.parts,
                user=user,
                assistant=assistant,
                start=answer.start,
                tool_secs=answer.tool_secs,
                source=answer.source,
            )
        )
    return Turns(turns, _computing(known))


def _computing(log: Iterable[ev.Event]) -> str:
    """Say what was made of the time that services computed; "" where none is known to have."""
    found = [event for event in log if isinstance(event, ev.ComputedOutside)]
    if not found:
        return ""
    names = " and ".join(dict.fromkeys(event.service for event in found))
    if found[0].charged:
        return f'({names}: computing time counted, outside="charge"; it differs from run to run)'
    return f'({names}: computing time left out, 0 ms; outside="charge" counts it)'


def _texts(transcript: Transcript, stopped: float, sound: float) -> tuple[str, str]:
    users = [e for e in transcript if e.role == "user" and e.start <= stopped + SAME_MOMENT_SECS]
    answers = [e for e in transcript if e.role == "assistant" and _holds(e, sound)]
    return (users[-1].text if users else "", answers[-1].text if answers else "")


def _holds(entry: Entry, at: float) -> bool:
    return entry.start <= at + SAME_MOMENT_SECS and entry.end >= at


def _value(turn: Turn, part: str) -> float:
    return turn.total if part == "total" else turn.parts[part]


def _ms(secs: float) -> str:
    return f"{secs * 1000:.0f}"


def _short(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
