"""Where a caller pauses, and whether the agent took it for the end. Pure.

A pause is known by the caller's turn and its number in it, not by seconds, which move with what the
agent says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from piopiy_lab import events as ev
from piopiy_lab.events.log import EventLog

#: Silence that begins so shortly before the caller is done is that of the end, seconds.
_END_SECS = 0.1


class Pause(NamedTuple):
    """One pause of one call.

    Attributes:
        turn: Which of the caller's turns it is in, from 1.
        at: Where it begins, in seconds from the turn's beginning.
        cut: Whether the agent took the floor in it: the turn ended, or it was answered into.
        held: Whether the turn model said that the caller isn't done.
        probability: How sure the model was of an end when it first looked, 0 to 1; None: it never
            did.
        end: Whether it is the turn's end.
    """

    turn: int
    at: float
    cut: bool
    held: bool
    probability: float | None
    end: bool


class _Gap(NamedTuple):
    start: float
    resumes: float


def pauses_of(log: EventLog) -> tuple[Pause, ...]:
    """Return a call's pauses, in order: those inside of turns, and each turn's end.

    Args:
        log: A call whose caller is scripted or recorded; of others there are none.
    """
    turns = [said for said in log.of(ev.CallerSpoke) if not said.beside]
    turns.sort(key=lambda said: said.at)
    found: list[Pause] = []
    for number, said in enumerate(turns, 1):
        upto = turns[number].at if number < len(turns) else float("inf")
        found += _of_turn(log, number, said, upto)
    return tuple(found)


def _of_turn(log: EventLog, number: int, said: ev.CallerSpoke, upto: float) -> Iterator[Pause]:
    gaps = list(_gaps(log, said))
    taken = [
        event.at
        for kind in (ev.UserTurnStopped, ev.AgentSpeechStarted)
        for event in log.of(kind)
        if said.at < event.at < said.end
    ]
    judged = [look for look in log.of(ev.TurnPredicted) if look.outcome == "used"]
    for place, gap in enumerate(gaps):
        until = gaps[place + 1].start if place + 1 < len(gaps) else said.end
        looks = [p for p in judged if gap.start < p.at < gap.resumes]
        yield Pause(
            turn=number,
            at=round(gap.start - said.at, 3),
            cut=any(gap.start < at < until for at in taken),
            held=any(not look.complete for look in looks),
            probability=looks[0].probability if looks else None,
            end=False,
        )
    stops = [e.at for e in log.of(ev.UserTurnStopped) if said.end <= e.at < upto]
    until = min(stops, default=upto)
    looks = [p for p in judged if said.end <= p.at <= until and p.at < upto]
    yield Pause(
        turn=number,
        at=round(said.end - said.at, 3),
        cut=False,
        held=any(not look.complete for look in looks),
        probability=looks[0].probability if looks else None,
        end=True,
    )


def _gaps(log: EventLog, said: ev.CallerSpoke) -> Iterator[_Gap]:
    """Yield the silences inside of a turn: the screenplay's, or what the detector took for one."""
    if said.parts:
        for (_, _, end), (_, start, _) in zip(said.parts, said.parts[1:], strict=False):
            yield _Gap(end, start)
        return
    starts = [e.at - e.start_secs for e in log.of(ev.UserSpeechStarted)]
    for stop in log.of(ev.UserSpeechStopped):
        start = stop.at - stop.stop_secs
        if said.at < start < said.end - _END_SECS and stop.at < said.end:
            later = (at for at in starts if at > start)
            yield _Gap(start, min(min(later, default=said.end), said.end))
