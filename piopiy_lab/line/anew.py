"""The caller's way over a line, which begins anew under each utterance: the same sound for each.

What lies under an utterance, and how it is cut into packets, does not depend on what was before: a
new way is laid for it, beside the old one, and what comes over it is faded in when its first sound
arrives. So Opus, which has a memory, begins with an empty one; G.711 has none. Pure.
"""

from __future__ import annotations

import numpy as np

from piopiy_lab.line.echoing import Played
from piopiy_lab.line.line import Line
from piopiy_lab.line.way import Way, samples_of
from piopiy_lab.sound.anew import FADE_SECS, Anew, rising
from piopiy_lab.sound.pcm import Int16


class CallersWay:
    """What the caller says, as the agent hears it. For one thread at a time."""

    def __init__(self, line: Line, sample_rate: int) -> None:
        """Begin with silence.

        Args:
            line: The line.
            sample_rate: Hz of what comes and goes, as for :class:`~piopiy_lab.line.way.Way`.

        Raises:
            ArgumentError: As for a ``Way``.
        """
        self._line = line
        self._rate = sample_rate
        self._laid = [_Laid(Way(line, sample_rate, "caller"))]  # the last is the newest
        self._next: tuple[int, Anew] | None = None  # samples until then; by begin_anew()
        self._ends: int | None = None  # samples of the next utterance's way; by end_utterance()

    def begin_anew(self, after: int, anew: Anew) -> None:
        """Let an utterance have a way of its own; it replaces one that was to come.

        Args:
            after: Samples from the next one that comes until the new way begins.
            anew: For which utterance.
        """
        self._next, self._ends = (after, anew), None

    def end_utterance(self, after: int) -> None:
        """Note that the utterance ends so many samples from the next one that comes."""
        if self._next is not None:  # a sound so short that its way is not laid yet
            self._ends = after - self._next[0]
        else:
            self._laid[-1].way.end_utterance(after)

    def process(self, samples: Int16, start: float = 0.0, far: Played | None = None) -> Int16:
        """Return what is heard while ``samples`` are said: as ``Way.process``."""
        if self._next is None or self._next[0] >= len(samples):
            if self._next is not None:
                self._next = (self._next[0] - len(samples), self._next[1])
            return self._carry(samples, start, far)
        (first, anew), self._next = self._next, None
        before = self._carry(samples[:first], start, far)
        self._laid.append(_Laid(self._laid[-1].way.for_utterance(anew)))
        if self._ends is not None:
            self._laid[-1].way.end_utterance(self._ends)
        after = self._carry(samples[first:], start + first / self._rate, far)
        return np.concatenate([before, after])

    def _carry(self, samples: Int16, start: float, far: Played | None) -> Int16:
        heard = self._laid[0].way.process(samples, start, far)
        for laid in self._laid[1:]:
            heard = laid.over(heard, laid.way.process(samples, start, far))
        newest = max((n for n, laid in enumerate(self._laid) if laid.alone), default=0)
        del self._laid[:newest]
        return heard


class _Laid:
    """A way, and how far it has taken over from the one before it."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self._arrives = samples_of(way.delay, way.sample_rate)  # its first sound, after its begin
        self._fade = round(FADE_SECS * way.sample_rate)
        self._at = 0  # samples since it began; written by over()

    @property
    def alone(self) -> bool:
        """Whether nothing of the one before is heard."""
        return self._at >= self._arrives + self._fade

    def over(self, old: Int16, new: Int16) -> Int16:
        """Return what is heard of the way before and of this one: int16, (n,)."""
        at = self._at
        self._at += len(new)
        if self._at <= self._arrives:
            return old
        if at >= self._arrives + self._fade:
            return new
        part = rising(at - self._arrives, len(new), self._fade)
        return np.rint(old * (1 - part) + new * part).astype(np.int16)
