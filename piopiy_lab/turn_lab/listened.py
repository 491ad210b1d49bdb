"""A caller's sound, as detector and turn model hear it: again and again, with other settings.

Both are functions of the samples, so each answer is asked for once. Runs in the thread that asks.
"""

from __future__ import annotations

import math

import numpy as np

from piopiy_lab.sound.pcm import FULL_SCALE, Int16
from piopiy_lab.turn_lab.judged import Detector
from piopiy_lab.turn_lab.rule import Course, Rule, Voice, run
from piopiy_lab.turn_lab.seams import TurnModel

#: Seconds of a frame: sound reaches the turn rule in pieces of it, and what the detector is sure of
#: at the end of a window is acted on at the end of a frame.
FRAME_SECS = 0.02
#: Seconds that are no time at all.
INSTANT = 1e-9


class Listened:
    """One sound, and what was made of it so far."""

    def __init__(self, samples: Int16, rate: int) -> None:
        """Take a sound.

        Args:
            samples: int16, (n,).
            rate: Hz: 16000 or 8000.
        """
        self.secs: float = len(samples) / rate
        self._samples, self._rate = samples, rate
        self._detector = Detector(samples, rate)
        self._model = TurnModel(rate)
        self._verdicts: dict[tuple[int, int], float] = {}  # by first and last sample
        self._voices: dict[tuple[tuple[str, float], ...], list[Voice]] = {}  # by settings

    def course(self, rule: Rule) -> Course:
        """Return what a turn rule makes of it."""
        return run(rule, self.voices(rule), self.probability, self.secs)

    def voices(self, rule: Rule) -> list[Voice]:
        """Return what the detector takes for speech, in frames' time."""
        key = tuple(sorted(rule.detector.items()))
        if key not in self._voices:
            self._voices[key] = [
                Voice(
                    _framed(voice.started),
                    voice.quiet,
                    None if voice.stopped is None else _framed(voice.stopped),
                )
                for voice in self._detector.voices(rule.detector)
            ]
        return self._voices[key]

    def probability(self, since: float, until: float) -> float:
        """Return how sure the turn model is of an end after what was heard between two seconds."""
        last = round(_framed(until) * self._rate)
        first = max(0, round(_framed(since) * self._rate))
        first = max(first, last - round(self._model.most_secs * self._rate))
        if (first, last) not in self._verdicts:
            sound = self._samples[first:last].astype(np.float32) / np.float32(FULL_SCALE)
            self._verdicts[first, last] = self._model.judge(sound) if len(sound) else 0.0
        return self._verdicts[first, last]


def _framed(secs: float) -> float:
    """Return the end of the frame in which a moment is."""
    return math.ceil(secs / FRAME_SECS - INSTANT) * FRAME_SECS
