"""How sure a call's verdicts on its pauses are: what a call shows of it, and keeps. Pure.

:mod:`piopiy_lab.turn_lab.robust` finds it out. It is kept in ``meta.json``, and so it is saved,
loaded and sent with the call.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from piopiy_lab.call.shares import Share, share_of
from piopiy_lab.call.stop_windows import StopWindow
from piopiy_lab.call.transcript import clock_time
from piopiy_lab.checks.data_frames import data_frame

if TYPE_CHECKING:
    from pandas import DataFrame

#: What ``meta.json`` calls it.
KEY = "robustness"
#: A turn whose speech ended so many seconds before a pause began is that pause's turn still: where
#: the agent took the floor in it, the two are one moment, seen by two clocks.
SAME_SECS = 0.3
#: Of a table's cells: marimo gives them no room.
_SPACED = " style='padding:.3em .6em'"


@dataclass(frozen=True)
class PauseVerdict:
    """One pause of the caller's, or the end of a turn, over all runs.

    Attributes:
        turn: Which of the caller's turns, from 1.
        number: Which pause of that turn, from 1; None: its end.
        at: The call's seconds at which it begins.
        secs: How long it is, in seconds; None of an end.
        cut: In how many runs the turn would have ended in it. Of an end none.
        held: In how many the turn model said that the caller isn't done: right in a pause, and at
            an end what makes an answer slow.
        undisturbed: Whether it is cut (of an end: held) with the sound as it was.
        probabilities: The least and most sure that the model was of an end when it decided, 0 to
            1; None: it was never asked.
        flips: In how many of the ``probes``, which only bring the sound to another sample rate and
            back, it is otherwise than undisturbed: numerics alone.
        probes: How many there were.
    """

    turn: int
    number: int | None
    at: float
    secs: float | None
    cut: Share
    held: Share
    undisturbed: bool
    probabilities: tuple[float, float] | None = None
    flips: int = 0
    probes: int = 0

    @property
    def wrong(self) -> Share:
        """In how many runs it went wrong: a pause cut, or an end taken for unfinished."""
        return self.held if self.number is None else self.cut

    @property
    def sure(self) -> bool:
        """Whether all runs and probes agree with what the sound as it was gives."""
        count, n = self.wrong.count, self.wrong.n
        return count == (n if self.undisturbed else 0) and not self.flips

    def to_json(self) -> dict[str, object]:
        """Return what ``meta.json`` has of it."""
        return {
            "turn": self.turn, "number": self.number, "at": self.at, "secs": self.secs,
            "cut": self.cut.count, "held": self.held.count, "undisturbed": self.undisturbed,
            "probabilities": None if self.probabilities is None else list(self.probabilities),
            "flips": self.flips, "probes": self.probes,
        }  # fmt: skip

    @classmethod
    def from_json(cls, told: Mapping[str, Any], n: int) -> PauseVerdict:
        """Read what :meth:`to_json` has written, of ``n`` runs.

        Raises:
            KeyError, TypeError, ValueError, ArgumentError: It is something else.
        """
        number, secs, sure = told["number"], told["secs"], told["probabilities"]
        return cls(
            turn=int(told["turn"]),
            number=None if number is None else int(number),
            at=float(told["at"]),
            secs=None if secs is None else float(secs),
            cut=share_of(int(told["cut"]), n),
            held=share_of(int(told["held"]), n),
            undisturbed=bool(told["undisturbed"]),
            probabilities=None if sure is None else (float(sure[0]), float(sure[1])),
            flips=int(told["flips"]),
            probes=int(told["probes"]),
        )


_HEADS = ("turn", "pause", "at", "secs", "would be cut", "taken for unfinished", "P(end)", "flips")


@dataclass(frozen=True)
class Robustness(Sequence[PauseVerdict]):
    """The pauses of a call in order, and in which share of runs each would have been cut.

    Attributes:
        pauses: Those inside of turns, and each turn's end.
        n: How many runs there were.
        seed: Of what was changed in them.
        rule: The settings of detector and turn rule that were run.
        stops: What other stop windows would have cut, the shortest first.
        turn_model: The name of the turn model that was asked.
    """

    pauses: tuple[PauseVerdict, ...]
    n: int
    seed: int
    rule: Mapping[str, float | None] = field(default_factory=dict[str, "float | None"])
    stops: tuple[StopWindow, ...] = ()
    turn_model: str = "Smart Turn"

    @overload
    def __getitem__(self, index: int) -> PauseVerdict: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[PauseVerdict, ...]: ...
    def __getitem__(self, index: int | slice) -> PauseVerdict | tuple[PauseVerdict, ...]:
        return self.pauses[index]

    def __len__(self) -> int:
        return len(self.pauses)

    @property
    def unsure(self) -> tuple[PauseVerdict, ...]:
        """The pauses and ends whose verdict changes with what nobody hears."""
        return tuple(pause for pause in self if not pause.sure)

    def to_json(self) -> dict[str, object]:
        """Return what ``meta.json`` has of it."""
        return {
            "n": self.n, "seed": self.seed, "rule": dict(self.rule),
            "turn_model": self.turn_model,
            "pauses": [pause.to_json() for pause in self],
            "stops": [stop.to_json() for stop in self.stops],
        }  # fmt: skip

    @classmethod
    def from_json(cls, told: object) -> Robustness | None:
        """Read what :meth:`to_json` has written; None where there is nothing that can be read."""
        if not isinstance(told, Mapping):
            return None
        try:
            n = int(told["n"])
            pauses = tuple(PauseVerdict.from_json(one, n) for one in told["pauses"])
            rule = {str(name): _number(value) for name, value in told["rule"].items()}
            stops = tuple(StopWindow.from_json(one) for one in told.get("stops", ()))
            model = str(told.get("turn_model", cls.turn_model))
            return cls(pauses, n, int(told["seed"]), rule, stops, model)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            return None

    def by_turn(self, starts: Sequence[float]) -> list[list[PauseVerdict]]:
        """Return the pauses of each turn of a call's.

        Args:
            starts: The call's seconds at which the caller's speech ended, of each answered turn.
        """
        found: list[list[PauseVerdict]] = [[] for _ in starts]
        for pause in self if starts else ():
            later = (i for i, start in enumerate(starts) if start >= pause.at - SAME_SECS)
            found[next(later, len(starts) - 1)].append(pause)
        return found

    def to_pandas(self) -> DataFrame:
        """Return a table: a row per pause.

        Its columns are turn, number (none: the turn's end), at and secs in seconds, cut and held
        (counts of n), the ends of both shares' intervals, undisturbed, flips and probes.

        Raises:
            MissingExtraError: pandas isn't installed (the extra ``pandas``).
        """
        columns = dict.fromkeys(("turn", "number"), "Int64")
        columns |= dict.fromkeys(("at", "secs"), "float64")
        columns |= dict.fromkeys(("cut", "held", "n"), "Int64")
        columns |= dict.fromkeys(("cut_low", "cut_high", "held_low", "held_high"), "float64")
        columns |= {"undisturbed": "boolean"} | dict.fromkeys(("flips", "probes"), "Int64")
        rows = (
            {
                **{name: getattr(pause, name) for name in ("turn", "number", "at", "secs")},
                "cut": pause.cut.count, "held": pause.held.count, "n": self.n,
                "cut_low": pause.cut.low, "cut_high": pause.cut.high,
                "held_low": pause.held.low, "held_high": pause.held.high,
                "undisturbed": pause.undisturbed, "flips": pause.flips, "probes": pause.probes,
            }
            for pause in self
        )  # fmt: skip
        return data_frame(rows, columns)

    @property
    def summary(self) -> str:
        """What was done and what came of it, in a sentence or two."""
        inside = [pause for pause in self if pause.number is not None]
        told = (
            f"{self.n} runs of detector and turn model alone, on the caller's sound up to 80 ms "
            "later and up to 3 dB louder or quieter"
        )
        if not self:
            return f"{told}: nobody paused."
        changing = len(self.unsure)
        risky = sum(pause.cut.count > 0 for pause in inside)
        return (
            f"{told}: of {len(inside)} pause{'' if len(inside) == 1 else 's'} {risky} would have "
            f"been cut in some run; {changing} of {len(self)} verdicts change with what nobody "
            "hears."
        )

    def text(self) -> str:
        """Return a table, one line per pause."""
        rows = [_HEADS, *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([self.summary, *(lines if self else ())])

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads = "".join(f"<th{_SPACED}>{html.escape(name)}</th>" for name in _HEADS)
        rows = "".join(
            "<tr>" + "".join(f"<td{_SPACED}>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        caption = f"<caption>{html.escape(self.summary)}</caption>"
        return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for pause in self:
            end = pause.number is None
            sure = pause.probabilities
            yield (
                str(pause.turn),
                "end" if end else str(pause.number),
                clock_time(pause.at),
                "" if pause.secs is None else f"{pause.secs:.2f} s",
                "" if end else str(pause.cut),
                str(pause.held),
                "" if sure is None else f"{sure[0]:.2f} to {sure[1]:.2f}",
                f"{pause.flips} of {pause.probes}" if pause.flips else "",
            )


def told_of(pauses: Sequence[PauseVerdict]) -> str:
    """Return in how many runs each pause of a turn would have been cut, with the interval.

    Several that no run cuts, which have one interval, are told at once, and last.
    """
    inside = [pause.cut for pause in pauses if pause.number is not None]
    cut, never = [one for one in inside if one.count], [one for one in inside if not one.count]
    told = [_short(one) for one in cut]
    if never:
        told.append(f"{len(never)} pauses {_short(never[0])}" if never[1:] else _short(never[0]))
    return ", ".join(told)


def _short(cut: Share) -> str:
    return f"{cut.count}/{cut.n} ({cut.low:.2f} to {cut.high:.2f})"


def _number(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]
