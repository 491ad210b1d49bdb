"""eot-bench's rule for ends of turns: how many pauses are cut, and how long ends wait. Pure.

Restated from livekit/eot-bench (its README of 2026-08, and the scorer in the fork
LaurentMazare/eot-bench, Apache-2.0); nothing of its code is here. Every silence of 0.1 s or more in
a turn is a hold, the last one is the end. A policy has a threshold, a delay and a timeout: it fires
at the first score above the threshold, not before the delay, and at the timeout at the latest. A
hold that is longer is cut. Latency is the wait after ends, not what anything computes. Which policy
is the best is found on the very silences that it is then scored on, there and here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from piopiy_lab.bench.seconds import Seconds, seconds_of
from piopiy_lab.experiments.figures.statistics import Share, share_of

#: Holds that are shorter or longer are not scored, seconds; ends always are.
SCORED_SECS = (0.2, 5.0)
#: What is swept: thresholds, delays and timeouts in seconds.
THRESHOLDS = tuple(step / 100 for step in range(101))
DELAYS = tuple(step / 10 for step in range(2, 11))
TIMEOUTS = tuple(step / 2 for step in range(2, 8))
#: A silence must be longer by so much than a policy's wait to be cut, seconds.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Silence:
    """A silence of a caller's, in a turn or after it.

    Attributes:
        label: "hold" in the turn, "end" after it.
        secs: Its length.
        scores: ``(secs, score)``: how sure something was, so many seconds into it, that the turn
            was over, 0 to 1; in order.
        fired: When an agent really took the turn for over, seconds into it; None: it did not.
    """

    label: Literal["hold", "end"]
    secs: float
    scores: tuple[tuple[float, float], ...] = ()
    fired: float | None = None

    @property
    def scored(self) -> bool:
        """Whether the rule counts it."""
        low, high = SCORED_SECS
        return self.label == "end" or low <= self.secs <= high


@dataclass(frozen=True)
class Policy:
    """When to take a turn for over.

    Attributes:
        threshold: A score above it fires, 0 to 1.
        delay: Not before so many seconds of silence.
        timeout: At so many at the latest.
    """

    threshold: float
    delay: float
    timeout: float

    def fires(self, silence: Silence) -> float:
        """Return how many seconds into a silence it fires."""
        for at, score in silence.scores:
            if score > self.threshold:
                return min(max(self.delay, at), self.timeout)
        return self.timeout


@dataclass(frozen=True)
class Point:
    """What a policy does.

    Attributes:
        policy: Which; None for what an agent really did, or a wait alone.
        cut: The holds that it cuts.
        latency: Mean seconds that an end waits; None without ends.
        n_ends: How many ends there are.
    """

    policy: Policy | None
    cut: Share
    latency: float | None
    n_ends: int = 0


def score(silences: Iterable[Silence], policy: Policy) -> Point:
    """Return what a policy does with silences."""
    return _point([(one, policy.fires(one)) for one in silences if one.scored], policy)


def as_it_was(silences: Iterable[Silence]) -> Point:
    """Return what an agent really did; an end that it never took waits to the end of the call."""
    return _point([(one, _really(one)) for one in silences if one.scored], None)


def ends_waited(silences: Iterable[Silence]) -> Seconds:
    """Return how long each end really waited, likewise."""
    return seconds_of([_really(one) for one in silences if one.label == "end"])


def _really(silence: Silence) -> float:
    return silence.secs if silence.fired is None else silence.fired


def wait_alone(silences: Iterable[Silence], secs: float) -> Point:
    """Return what waiting does without any model: a detector's silence of so many seconds."""
    return _point([(one, secs) for one in silences if one.scored], None)


def policies(silences: Sequence[Silence]) -> tuple[Point, ...]:
    """Return all policies of the sweep, those that no other one beats: ever fewer cuts, later."""
    found: list[Point] = []
    for threshold in _thresholds(silences):
        for delay in DELAYS:
            for timeout in TIMEOUTS:
                if timeout >= delay:
                    found.append(score(silences, Policy(threshold, delay, timeout)))
    return _front(found)


def waits(silences: Sequence[Silence]) -> tuple[Point, ...]:
    """Return the same of waiting alone, by 0.01 s from 0 to 5 s."""
    return _front([wait_alone(silences, step / 100) for step in range(501)])


def cuts_at(front: Iterable[Point], latency: float) -> Share | None:
    """Return the fewest cuts at a mean latency of at most so many seconds ("cut-offs @300 ms")."""
    fitting = [one.cut for one in front if one.latency is not None and one.latency <= latency]
    return min(fitting, key=float, default=None)


def latency_at(front: Iterable[Point], cuts: float) -> float | None:
    """Return the least mean latency with at most such a share of cuts ("latency @5 %")."""
    fitting = [one.latency for one in front if one.latency is not None and float(one.cut) <= cuts]
    return min(fitting, default=None)


def _point(fired: Sequence[tuple[Silence, float]], policy: Policy | None) -> Point:
    holds = [(one, at) for one, at in fired if one.label == "hold"]
    ends = [at for one, at in fired if one.label == "end"]
    cut = sum(one.secs > at + ROUNDING for one, at in holds)
    latency = sum(ends) / len(ends) if ends else None
    return Point(policy, share_of(cut, len(holds)), latency, len(ends))


def _thresholds(silences: Sequence[Silence]) -> tuple[float, ...]:
    """Return one threshold for each set of scores that it lets through: the others do the same."""
    return _distinct(tuple(sorted({score for one in silences for _, score in one.scores})))


@lru_cache(maxsize=8)
def _distinct(scores: tuple[float, ...]) -> tuple[float, ...]:
    seen: dict[int, float] = {}
    for threshold in THRESHOLDS:
        seen.setdefault(sum(score > threshold for score in scores), threshold)
    return tuple(seen.values())


def _front(points: Iterable[Point]) -> tuple[Point, ...]:
    """Return the points of which no other has fewer cuts at no more latency, the fastest first."""
    known = [one for one in points if one.latency is not None and one.cut.n]
    known.sort(key=lambda one: (one.latency or 0.0, float(one.cut)))
    front: list[Point] = []
    for one in known:
        if not front or float(one.cut) < float(front[-1].cut):
            front.append(one)
    return tuple(front)
