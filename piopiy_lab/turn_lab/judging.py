"""What a rule's course does to a caller's turns: which pauses it cuts, how long ends wait. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from piopiy_lab.turn_lab.rule import Course, End, Look
from piopiy_lab.turn_lab.score import FADE_SECS
from piopiy_lab.turn_lab.spoken import SpokenTurn

#: A silence begins so near a pause, in seconds, if it is the detector's account of it.
NEAR_SECS = 0.25


@dataclass(frozen=True)
class Gap:
    """A pause of a caller's, or the end of a turn, and what became of it.

    Attributes:
        turn: Which turn, from 1.
        start: When it begins, seconds.
        secs: How long it is, 0.0 of one that is none in the turn's own account; None of an end.
        cut: Whether the turn was over in it.
        held: Whether the turn model said that the caller isn't done.
        probability: How sure it was of an end; None: it was not asked.
        delay: Of an end, the seconds until the turn was over; None: it never was, or of a pause.
    """

    turn: int
    start: float
    secs: float | None
    cut: bool
    held: bool
    probability: float | None
    delay: float | None

    @property
    def end(self) -> bool:
        """Whether it is a turn's end."""
        return self.secs is None


def judged(course: Course, turns: Sequence[SpokenTurn]) -> tuple[Gap, ...]:
    """Return what became of each pause and end, in order.

    A turn that was over where the caller paused for no longer than between words is a pause too.

    Args:
        course: What the rule made of the sound.
        turns: When the caller spoke; the same seconds.
    """
    found: list[Gap] = []
    for number, turn in enumerate(turns, 1):
        upto = turns[number].start if number < len(turns) else float("inf")
        looks = [look for look in course.looks if turn.start <= look.quiet < upto]
        ends = [end for end in course.ends if turn.start <= end.quiet < upto]
        found += _gaps_of(number, turn, looks, ends)
    return tuple(found)


def _gaps_of(
    number: int, turn: SpokenTurn, looks: Sequence[Look], ends: Sequence[End]
) -> list[Gap]:
    inside = [look for look in looks if look.at < turn.end - FADE_SECS]
    last = [look for look in looks if look.at >= turn.end - FADE_SECS]
    places = sorted({*(start for start, _ in turn.pauses), *_between_words(turn, inside)})
    inner = [end for end in ends if any(end.quiet == look.quiet for look in inside)]
    found: list[Gap] = []
    for place, start in enumerate(places):
        until = places[place + 1] if place + 1 < len(places) else turn.end
        here = [look for look in inside if _belongs(look.quiet, start, until)]
        cut = any(_belongs(end.quiet, start, until) and end.at < turn.end for end in inner)
        resumes = next((end for begin, end in turn.pauses if begin == start), start)
        found.append(_gap(number, start, here, cut=cut, secs=resumes - start))
    over = next((end.at for end in ends for look in last if end.quiet == look.quiet), None)
    delay = None if over is None else max(0.0, over - turn.end)
    return [*found, _gap(number, turn.end, last[:1], delay=delay)]


def _belongs(quiet: float, start: float, until: float) -> bool:
    return start - NEAR_SECS / 2 <= quiet < until - NEAR_SECS / 2


def _between_words(turn: SpokenTurn, looks: Sequence[Look]) -> list[float]:
    """Return silences that the detector was sure of where the caller only drew breath."""
    return [
        look.quiet
        for look in looks
        if not any(start - NEAR_SECS <= look.quiet <= end for start, end in turn.pauses)
    ]


def _gap(
    turn: int,
    start: float,
    looks: Sequence[Look],
    *,
    cut: bool = False,
    secs: float | None = None,
    delay: float | None = None,
) -> Gap:
    held = any(not look.complete for look in looks)
    sure = looks[0].probability if looks else None
    return Gap(turn, start, secs, cut, held, sure, delay)
