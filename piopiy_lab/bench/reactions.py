"""What an agent did about one stimulus: heard from its sound, sample by sample. Pure.

The public definitions see ticks of 0.2 s. Here the agent's sound is laid beside the same reply as
it is without a stimulus: where it falls silent or low, where it comes back, and whether it goes on
where it stood. So a pause and a lowered voice are told from an end, and one reply from another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from piopiy_lab.sound.pcm import Int16

#: What became of the agent's speech: it went on all the while; it went on after one or more gaps,
#: where it stood, none of them longer than ``RESUMES_SECS``; the same with a longer one; it was
#: silent and did not go on; it had been silent before.
Outcome = Literal["went on", "resumed", "resumed late", "cut", "was silent"]

#: Seconds within which speech that stopped must go on where it stood, to have been kept.
RESUMES_SECS = 1.0
#: Seconds of silence that are a gap where the undisturbed reply has sound.
GAP_SECS = 0.04
#: Without an undisturbed reply to compare with: seconds of silence that are no pause for breath.
BREATH_SECS = 0.25
#: Seconds of a frame of which the level is judged.
FRAME_SECS = 0.02
#: A level below this part of the undisturbed one is ducked (-6 dB); above the other it is back.
DUCKED, BACK = 0.5, 0.7
#: Below this level (of 32767) a frame of the undisturbed reply says nothing of ducking.
AUDIBLE = 100.0
#: Samples at this or below are silence: a resampler's rounding.
SILENT = 2
#: How alike sound after a gap must be to what was to come: correlation, 0 to 1, however loud and
#: where it is heard at all; over so many seconds, this far from where it should be.
ALIKE, ALIKE_SECS, ASTRAY_SECS = 0.8, 0.25, 0.06
#: With less to compare, in seconds, nothing can be said.
LEAST_ALIKE_SECS = 0.05

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reaction:
    """What the agent's speech did after a stimulus began. Seconds are from the stimulus' onset.

    Attributes:
        outcome: What became of it.
        fell: When it first was silent or low; None: never.
        ducked: Whether it was low before, or instead of, being silent.
        gaps: Seconds of each silence that was followed by more of the same reply.
        decided: When it was at its level again for good, or silent for good; None if it never fell.
    """

    outcome: Outcome
    fell: float | None = None
    ducked: bool = False
    gaps: tuple[float, ...] = ()
    decided: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the agent kept its turn: it went on, or resumed within 1.0 s where it stood."""
        return self.outcome in ("went on", "resumed")

    @property
    def yielded(self) -> bool:
        """Whether it gave its turn up: silent, and not resumed."""
        return self.outcome == "cut"


def reaction_of(
    agent: Int16, rate: int, onset: float, reply_at: float, undisturbed: Int16 | None, until: float
) -> Reaction:
    """Return what the agent's speech did from a stimulus' onset on.

    Args:
        agent: The agent's side of the call, int16, (n,).
        rate: Its Hz.
        onset: Seconds of the call's clock at which the stimulus is first heard.
        reply_at: Those at which the reply that it falls into is first heard.
        undisturbed: The same reply from its first sample on without a stimulus, int16, (m,), at
            the same rate; None if it isn't known: then silences for breath are taken by their
            length, and lowered voices aren't seen.
        until: Seconds of the call's clock up to which is looked.
    """
    first, last = round(onset * rate), min(len(agent), round(until * rate))
    begin = _first_sound(agent, round(reply_at * rate))
    if begin is None or begin > first:
        return Reaction("was silent")
    if undisturbed is None:
        return _by_silences(agent, rate, first, last)
    return _Beside(agent, rate, begin, undisturbed).look(first, last)


def _first_sound(samples: Int16, start: int) -> int | None:
    found = np.flatnonzero(np.abs(samples[start:].astype(np.int32)) > SILENT)
    return start + int(found[0]) if len(found) else None


def _by_silences(agent: Int16, rate: int, first: int, last: int) -> Reaction:
    """Judge speech by its own silences alone."""
    gaps: list[float] = []
    fell = decided = None
    at = first
    while True:
        silent = _silence(agent, at, last, round(BREATH_SECS * rate))
        if silent is None:
            break
        fell = (silent - first) / rate if fell is None else fell
        begin = _first_sound(agent[:last], silent)
        if begin is None:
            return Reaction("cut", fell, False, tuple(gaps), (silent - first) / rate)
        gaps.append((begin - silent) / rate)
        decided = (begin - first) / rate
        at = begin
    return Reaction(_outcome(gaps), fell, False, tuple(gaps), decided)


def _silence(samples: Int16, start: int, end: int, least: int) -> int | None:
    """Return where the first silence of at least so many samples begins."""
    loud = np.flatnonzero(np.abs(samples[start:end].astype(np.int32)) > SILENT) + start
    edges = np.concatenate([[start - 1], loud, [end]])
    long = np.flatnonzero(np.diff(edges) > least)
    return int(edges[long[0]]) + 1 if len(long) else None


def _outcome(gaps: list[float]) -> Outcome:
    if not gaps:
        return "went on"
    return "resumed" if max(gaps) <= RESUMES_SECS else "resumed late"


class _Beside:
    """A call's speech beside the same reply undisturbed, which it may lag behind."""

    def __init__(self, agent: Int16, rate: int, begin: int, undisturbed: Int16) -> None:
        self._agent, self._rate = agent.astype(np.float64), rate
        self._begin = begin
        self._calm = undisturbed.astype(np.float64)
        self._frame = round(FRAME_SECS * rate)

    def look(self, first: int, last: int) -> Reaction:
        """Return what the speech did from a sample on, up to another."""
        lag, at, gaps = 0, first, list[float]()
        fell: float | None = None
        decided: float | None = None
        ducked = low = False
        gap_frames = max(1, round(GAP_SECS / FRAME_SECS))
        while at + gap_frames * self._frame <= last:
            place = at - self._begin - lag
            if place + gap_frames * self._frame > len(self._calm):
                break  # it came to its end
            if self._silent(at, gap_frames) and not self._calm_silent(place, gap_frames):
                heard = self._last_sound(at) - self._begin - lag
                due = self._due(heard)  # a silence of its own may come first
                stop = due + self._begin + lag
                fell = (stop - first) / self._rate if fell is None else fell
                begin = _first_sound(self._agent[:last].astype(np.int16), at)
                moved = None if begin is None else self._astray(begin, heard, due)
                if begin is None or moved is None:
                    return Reaction("cut", fell, ducked, tuple(gaps), (stop - first) / self._rate)
                gaps.append((begin - stop) / self._rate)
                decided, low = (begin - first) / self._rate, False
                lag = begin - self._begin - moved
                at = begin
                continue
            now, calm = self._level(at), _rms(self._calm[place : place + self._frame])
            if calm > AUDIBLE:
                if not low and 0 < now < DUCKED * calm:
                    fell = (at - first) / self._rate if fell is None else fell
                    ducked = low = True
                elif low and now > BACK * calm:
                    decided, low = (at - first) / self._rate, False
            at += self._frame
        if low:
            decided = None
        return Reaction(_outcome(gaps), fell, ducked, tuple(gaps), decided)

    def _silent(self, at: int, frames: int) -> bool:
        return bool(np.abs(self._agent[at : at + frames * self._frame]).max() <= SILENT)

    def _calm_silent(self, place: int, frames: int) -> bool:
        piece = self._calm[max(0, place) : place + frames * self._frame]
        return not len(piece) or float(np.mean(np.abs(piece) > SILENT)) < 0.5

    def _level(self, at: int) -> float:
        return _rms(self._agent[at : at + self._frame])

    def _last_sound(self, at: int) -> int:
        """Return the sample after the last one that is heard before a silent one."""
        loud = np.flatnonzero(np.abs(self._agent[max(0, at - self._rate) : at]) > SILENT)
        return at if not len(loud) else max(0, at - self._rate) + int(loud[-1]) + 1

    def _due(self, place: int) -> int:
        """Return where the undisturbed reply has its next sound, in samples of it."""
        loud = np.flatnonzero(np.abs(self._calm[max(0, place) :]) > SILENT)
        return place + int(loud[0]) if len(loud) else place

    def _astray(self, begin: int, place: int, due: int) -> int | None:
        """Return where in the undisturbed reply sound goes on; None if it is something else.

        Args:
            begin: The first sample after a gap.
            place: Where the reply stood before it, in samples of the undisturbed one.
            due: Where its next sound was to come; the same, but for a silence of its own.
        """
        length, reach = round(ALIKE_SECS * self._rate), round(ASTRAY_SECS * self._rate)
        skip = round(0.03 * self._rate)  # a fade
        heard = self._agent[begin + skip : begin + skip + length]
        low = max(0, place + skip - reach)
        around = self._calm[low : due + skip + reach + length]
        if len(heard) < length // 2 or len(around) < len(heard):
            return place  # too near the end of what is looked at to say
        loud = _running_rms(heard, self._frame) > SILENT  # it may be held again
        if np.count_nonzero(loud) < LEAST_ALIKE_SECS * self._rate:
            return place
        heard, around = _levelled(heard, self._frame) * loud, _levelled(around, self._frame)
        products = np.correlate(around, heard, "valid")
        energy = np.sqrt(
            np.correlate(around**2, loud.astype(np.float64), "valid") * float(np.sum(heard**2))
        )
        alike = products / np.maximum(energy, 1e-9)
        best = int(np.argmax(alike))
        return low + best - skip if alike[best] >= ALIKE else None


def _running_rms(samples: Floats, window: int) -> Floats:
    return np.sqrt(np.convolve(samples**2, np.full(window, 1.0 / window), "same"))


def _levelled(samples: Floats, window: int) -> Floats:
    """Return a sound as if it were of one loudness: what was turned down counts like the rest."""
    return samples / np.maximum(_running_rms(samples, window), float(SILENT))


def _rms(samples: Floats) -> float:
    return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
