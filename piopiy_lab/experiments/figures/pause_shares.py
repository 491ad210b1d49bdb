"""Which pauses get cut, over many calls. Pure.

Pauses of several runs are one if they are in the same turn and at the same place of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from piopiy_lab.experiments.figures.listing import Listing
from piopiy_lab.experiments.figures.pauses import Pause
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.figures.statistics import Share, share_of

#: A pause of one run and one of another are the same if they are so near, in seconds from the
#: beginning of what was said: the detector's windows are 32 ms, and speech is not cut finer.
SAME_SECS = 0.15


@dataclass(frozen=True)
class PauseShare:
    """One pause of a caller, over all runs that got there.

    Attributes:
        caller: Who paused.
        turn: In which of the caller's turns, from 1.
        number: Which pause of that turn, from 1; None: its end.
        at: Seconds from the turn's beginning, the median of the runs.
        seen: In how many runs it was there: the detector doesn't hear every pause in each.
        cut: In how many runs the agent took the floor there: the turn ended, or it answered into
            the caller's words. Of a turn's end none.
        held: In how many runs the turn model said that the caller isn't done: right in a pause, and
            at the end what makes an answer slow.
        probabilities: The least and most sure that the model was of an end, 0 to 1; None if it
            never looked.
    """

    caller: str
    turn: int
    number: int | None
    at: float
    seen: int
    cut: Share
    held: Share
    probabilities: tuple[float, float] | None


def pause_shares(rows: Iterable[CallRow]) -> Listing[PauseShare]:
    """Return the pauses of many calls: caller by caller, in the order of the talk."""
    by_turn: dict[tuple[str, int], list[tuple[int, Pause]]] = {}
    for place, row in enumerate(rows):
        for pause in (Pause(*values) for values in row.pauses):
            by_turn.setdefault((row.caller, pause.turn), []).append((place, pause))
    order = list(dict.fromkeys(caller for caller, _ in by_turn))
    found: list[PauseShare] = []
    for (caller, turn), pauses in sorted(
        by_turn.items(), key=lambda item: (order.index(item[0][0]), item[0][1])
    ):
        reached = len({place for place, _ in pauses})
        inside = sorted((p.at, place, p) for place, p in pauses if not p.end)
        for number, group in enumerate(_near(inside), 1):
            found.append(_share(caller, turn, number, group, reached))
        ends = [(p.at, place, p) for place, p in pauses if p.end]
        found.append(_share(caller, turn, None, ends, reached))
    return Listing(found, _COLUMNS, "no pauses: nobody with a screenplay spoke")


_Seen = tuple[float, int, Pause]


def _near(pauses: Sequence[_Seen]) -> Iterator[list[_Seen]]:
    """Yield pauses that are one, given in the order of their times."""
    group: list[_Seen] = []
    for pause in pauses:
        if group and pause[0] - group[-1][0] > SAME_SECS:
            yield group
            group = []
        group.append(pause)
    if group:
        yield group


def _share(
    caller: str, turn: int, number: int | None, group: Sequence[_Seen], reached: int
) -> PauseShare:
    times = sorted(at for at, _, _ in group)
    looked = [p.probability for _, _, p in group if p.probability is not None]
    return PauseShare(
        caller,
        turn,
        number,
        times[len(times) // 2],
        len({place for _, place, _ in group}),
        share_of(len({place for _, place, p in group if p.cut}), reached),
        share_of(len({place for _, place, p in group if p.held}), reached),
        (min(looked), max(looked)) if looked else None,
    )


_COLUMNS = {
    "caller": lambda p: p.caller,
    "turn": lambda p: str(p.turn),
    "pause": lambda p: "end" if p.number is None else str(p.number),
    "at": lambda p: f"{p.at:.2f} s",
    "cut": lambda p: "" if p.number is None else str(p.cut),
    "taken for unfinished": lambda p: str(p.held),
    "P(end)": lambda p: (
        "" if p.probabilities is None else f"{p.probabilities[0]:.2f} to {p.probabilities[1]:.2f}"
    ),
}
