"""eot-bench's four figures, of what was measured here and of its own board, as rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from piopiy_lab.bench.board import end_of_turn_board
from piopiy_lab.bench.end_of_turn import Point, Silence, cuts_at, latency_at, policies, waits
from piopiy_lab.experiments.figures.listing import Listing
from piopiy_lab.experiments.figures.statistics import Share


@dataclass(frozen=True)
class EndOfTurnRow:
    """One turn model, or a wait alone.

    Attributes:
        who: Whose silences, and what decides.
        cuts_300: The fewest cuts at a mean wait of 0.3 s, 0 to 1; None if nothing is as fast.
        cuts_600: The same at 0.6 s.
        latency_5: The least mean wait in seconds with 5 % cuts; None if nothing cuts so few.
        latency_10: The same with 10 %.
        holds: How many pauses it is of; None of the board.
        cuts_300_ends: The 95 % interval of that share; None of the board.
        cuts_600_ends: That of the other.
    """

    who: str
    cuts_300: float | None
    cuts_600: float | None
    latency_5: float | None
    latency_10: float | None
    holds: int | None = None
    cuts_300_ends: tuple[float, float] | None = None
    cuts_600_ends: tuple[float, float] | None = None


def end_of_turn_rows(
    name: str, measured: Sequence[Silence], eot: Sequence[Silence]
) -> Listing[EndOfTurnRow]:
    """Return a row for each of ours that there is, and those of the board.

    Args:
        name: The agent's.
        measured: Silences of the stimuli.
        eot: Those of eot-bench's data.
    """
    board = end_of_turn_board()
    rows: list[EndOfTurnRow] = []
    for silences, which in ((measured, f"the stimuli, {name}"), (eot, "eot-bench's data")):
        if silences:
            holds = sum(one.label == "hold" and one.scored for one in silences)
            rows.append(_row(f"{which}: turn model", policies(silences), holds))
            rows.append(_row(f"{which}: a wait alone", waits(silences), holds))
    rows += [
        EndOfTurnRow(
            f"{board.name.split()[0]}, {board.as_of}: {system}",
            of["cuts_300"],
            of["cuts_600"],
            of["latency_5"],
            of["latency_10"],
        )
        for system, of in board.systems.items()
    ]
    return Listing(rows, _COLUMNS, "no pauses")


def _row(who: str, front: Sequence[Point], holds: int) -> EndOfTurnRow:
    fast, slow = cuts_at(front, 0.3), cuts_at(front, 0.6)
    return EndOfTurnRow(
        who,
        cuts_300=_rounded(None if fast is None else fast.share),
        cuts_600=_rounded(None if slow is None else slow.share),
        latency_5=_rounded(latency_at(front, 0.05)),
        latency_10=_rounded(latency_at(front, 0.1)),
        holds=holds,
        cuts_300_ends=_ends(fast),
        cuts_600_ends=_ends(slow),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _ends(share: Share | None) -> tuple[float, float] | None:
    return None if share is None else (round(share.low, 6), round(share.high, 6))


def _percent(value: float | None, ends: tuple[float, float] | None) -> str:
    if value is None:
        return "none"
    between = "" if ends is None else f" ({100 * ends[0]:.0f} to {100 * ends[1]:.0f})"
    return f"{100 * value:.1f} %{between}"


def _ms(value: float | None) -> str:
    return "none" if value is None else f"{1000 * value:.0f} ms"


_COLUMNS = {
    "pauses cut against the wait": lambda row: row.who,
    "cut @300 ms": lambda row: _percent(row.cuts_300, row.cuts_300_ends),
    "cut @600 ms": lambda row: _percent(row.cuts_600, row.cuts_600_ends),
    "wait @5 %": lambda row: _ms(row.latency_5),
    "wait @10 %": lambda row: _ms(row.latency_10),
    "pauses": lambda row: "" if row.holds is None else str(row.holds),
}
