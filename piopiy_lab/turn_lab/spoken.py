"""When a caller spoke and paused, turn by turn: what verdicts on silences are judged by. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from piopiy_lab import events as ev
from piopiy_lab.call.record import CallRecord
from piopiy_lab.events.values import FLOOR_MANNERS
from piopiy_lab.screenplay.utterances import AFTER_SECS, BEFORE_SECS, Utterance, utterances_of
from piopiy_lab.turn_lab.beside import beside_turns
from piopiy_lab.turn_lab.rule import BESIDE_SHARE
from piopiy_lab.turn_lab.spans import Span

#: Of a real caller, what follows within so many seconds, with nothing of the agent's between, is
#: the same turn.
SAME_TURN_SECS = 3.0


@dataclass(frozen=True)
class SpokenTurn:
    """A turn of a caller's: ``(start, end)`` of each stretch of speech in it, seconds, in order."""

    parts: tuple[Span, ...]

    @property
    def start(self) -> float:
        """When it begins."""
        return self.parts[0][0]

    @property
    def end(self) -> float:
        """When it is over."""
        return self.parts[-1][1]

    @property
    def pauses(self) -> tuple[Span, ...]:
        """``(start, end)`` of each silence in it."""
        return tuple((one[1], other[0]) for one, other in pairwise(self.parts))

    def moved(self, secs: float) -> SpokenTurn:
        """Return the same so many seconds later."""
        return SpokenTurn(tuple((start + secs, end + secs) for start, end in self.parts))


def turns_of(call: CallRecord) -> tuple[SpokenTurn, ...]:
    """Return a call's turns of the caller's, where the agent heard them; the call's seconds.

    A scripted caller's by what the log says of them, with the pauses that were written. A real
    caller's by the detector: what it found is one turn as long as nothing of the agent's is heard
    between and no silence is longer than 3 s; a listener's "mm hmm" is in none. (Where the agent
    cut in, and the caller went on afterwards, nobody can tell from the log: those are two turns.)
    """
    heard = call.heard
    late = 0.0 if heard is None else heard.frames.late
    scripted = [said for said in call.events.of(ev.CallerSpoke) if not said.found]
    if scripted and any(said.text is not None or said.parts for said in scripted):
        turns = [said for said in scripted if said.manner in FLOOR_MANNERS]
        return tuple(_scripted(said, late) for said in sorted(turns, key=lambda said: said.at))
    return tuple(_found(call))


def _scripted(said: ev.CallerSpoke, late: float) -> SpokenTurn:
    parts = said.parts or [[said.text, said.at, said.end]]
    return SpokenTurn(tuple((float(start) + late, float(end) + late) for _, start, end in parts))


def _found(call: CallRecord) -> Iterator[SpokenTurn]:
    beside = beside_turns(call)
    utterances = [
        one
        for one in utterances_of(call.events, call.duration)
        if one.wants_floor and not (one.found and _most_of_it(one, beside))
    ]
    spoken = [
        (one.start + BEFORE_SECS, max(one.start + BEFORE_SECS, one.end - AFTER_SECS))
        if one.found
        else (one.start, one.end)
        for one in utterances
    ]
    agent = [e.at for e in call.events.of(ev.AgentSpeechStarted)]
    parts: list[Span] = []
    for start, end in spoken:
        if parts:
            before = parts[-1][1]
            parted = any(before <= at < start for at in agent)
            if parted or start - before > SAME_TURN_SECS:
                yield SpokenTurn(tuple(parts))
                parts = []
        parts.append((start, end))
    if parts:
        yield SpokenTurn(tuple(parts))


def _most_of_it(one: Utterance, beside: Sequence[Span]) -> bool:
    """Return whether a sound that the detector found is one beside the turns."""
    start, end = one.start + BEFORE_SECS, max(one.start + BEFORE_SECS, one.end - AFTER_SECS)
    within = sum(max(0.0, min(end, until) - max(start, since)) for since, until in beside)
    return within > 0 and within >= BESIDE_SHARE * (end - start)


def labelled(turns: Iterable[Sequence[Sequence[float]]]) -> tuple[SpokenTurn, ...]:
    """Return turns that were labelled by hand: each a list of ``(start, end)`` in seconds.

    Raises:
        TypeError, ValueError: They are none.
    """
    found = tuple(
        SpokenTurn(tuple((float(start), float(end)) for start, end in parts)) for parts in turns
    )
    times = [at for turn in found for part in turn.parts for at in part]
    if not found or not all(turn.parts for turn in found) or times[0] < 0:
        raise ValueError("each turn is a list of (start, end) pairs in seconds")
    if any(other <= one for one, other in pairwise(times)):
        raise ValueError("the stretches must be in order and apart")
    return found
