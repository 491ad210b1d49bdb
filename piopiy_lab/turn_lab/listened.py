"""A caller's sound, as detector and turn model hear it: again and again, with other settings.

Both are functions of the samples, so each answer is asked for once. Runs in the thread that asks.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence

import numpy as np

from piopiy_lab.listening.early_looks import LOOK_SECS
from piopiy_lab.sound.pcm import FULL_SCALE, Int16
from piopiy_lab.turn_lab.judged import Detector
from piopiy_lab.turn_lab.rule import Course, Rule, Voice, run
from piopiy_lab.turn_lab.seams import TurnModel

#: Seconds of a frame: sound reaches the turn rule in pieces of it, and what the detector is sure of
#: at the end of a window is acted on at the end of a frame.
FRAME_SECS = 0.02
#: Seconds of a window of the detector, and into a silence until the model looks: whole windows.
WINDOW_SECS = 0.032
EARLY_LOOK_SECS = round(LOOK_SECS / WINDOW_SECS) * WINDOW_SECS
#: Seconds that are no time at all.
INSTANT = 1e-9


class Listened:
    """One sound, and what was made of it so far."""

    def __init__(self, samples: Int16, rate: int, sizes: Sequence[int] | None = None) -> None:
        """Take a sound.

        Args:
            samples: int16, (n,).
            rate: Hz: 16000 or 8000.
            sizes: Samples of each frame that it came in; None for 20 ms each.
        """
        size = round(FRAME_SECS * rate)
        sizes = [size] * (len(samples) // size + 1) if sizes is None else sizes
        self._ends = list(itertools.accumulate(sizes))  # of frames, in samples
        self._samples, self._rate = samples, rate
        self._detector = Detector(samples, rate)
        self._model = TurnModel(rate)
        self._verdicts: dict[tuple[int, int], float] = {}  # by first and last sample
        self._voices: dict[tuple[tuple[str, float], ...], list[Voice]] = {}  # by settings

    def course(self, rule: Rule) -> Course:
        """Return what a turn rule makes of it."""
        return run(rule, self.voices(rule), self.probability)

    def voices(self, rule: Rule) -> list[Voice]:
        """Return what the detector takes for speech, in frames' time."""
        key = tuple(sorted(rule.detector.items()))
        if key not in self._voices:
            self._voices[key] = [
                Voice(
                    self._framed(voice.started) / self._rate,
                    voice.quiet,
                    None if voice.stopped is None else self._framed(voice.stopped) / self._rate,
                )
                for voice in self._detector.voices(rule.detector)
            ]
        return self._voices[key]

    def probability(self, since: float, until: float) -> float:
        """Return how sure the turn model is of an end after what was heard between two seconds."""
        last, first = self._framed(until), self._framed(max(0.0, since))
        first = max(first, last - round(self._model.most_secs * self._rate))
        if (first, last) not in self._verdicts:
            sound = self._samples[first:last].astype(np.float32) / np.float32(FULL_SCALE)
            self._verdicts[first, last] = self._model.judge(sound) if len(sound) else 0.0
        return self._verdicts[first, last]

    def _framed(self, secs: float) -> int:
        """Return the sample at which the frame ends that a moment is in."""
        sample = math.ceil((secs - INSTANT) * self._rate)
        place = bisect.bisect_left(self._ends, sample)
        return self._ends[min(place, len(self._ends) - 1)] if sample > 0 else 0
