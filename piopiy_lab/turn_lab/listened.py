"""A caller's sound, as detector and turn model hear it: again and again, with other settings.

Both are functions of the samples, so each answer is asked for once. Runs in the thread that asks.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from piopiy_lab.listening import early_looks
from piopiy_lab.listening.early_looks import LOOK_SECS
from piopiy_lab.listening.sound_end import LOOKED_AT_SECS, silence_of
from piopiy_lab.listening.turn_models import SMART_TURN, Asking
from piopiy_lab.sound.pcm import FULL_SCALE, Int16
from piopiy_lab.turn_lab.judged import Detector
from piopiy_lab.turn_lab.rule import Course, Rule, Voice, run
from piopiy_lab.turn_lab.seams import TurnModel
from piopiy_lab.turn_lab.spans import Span

#: Seconds of a frame: sound reaches the turn rule in pieces of it, and what the detector is sure of
#: at the end of a window is acted on at the end of a frame.
FRAME_SECS = 0.02
#: Seconds of a window of the detector, and into a silence until the model looks: whole windows.
WINDOW_SECS = 0.032
EARLY_LOOK_SECS = round(LOOK_SECS / WINDOW_SECS) * WINDOW_SECS
#: Seconds into it until it looks for the last time, if the detector still waits then.
LAST_LOOK_SECS = math.ceil(early_looks.SURE_SILENCE_SECS / WINDOW_SECS) * WINDOW_SECS
#: Seconds that are no time at all.
INSTANT = 1e-9


class Listened:
    """One sound, and what was made of it so far."""

    def __init__(
        self,
        samples: Int16,
        rate: int,
        sizes: Sequence[int] | None = None,
        models: Mapping[str, Asking] | None = None,
    ) -> None:
        """Take a sound.

        Args:
            samples: int16, (n,).
            rate: Hz: 16000 or 8000.
            sizes: Samples of each frame that it came in; None for 20 ms each.
            models: Turn models beside Smart Turn, by name.
        """
        size = round(FRAME_SECS * rate)
        sizes = [size] * (len(samples) // size + 1) if sizes is None else sizes
        self._ends = list(itertools.accumulate(sizes))  # of frames, in samples
        self._samples, self._rate = samples, rate
        self._detector = Detector(samples, rate)
        self._models = {SMART_TURN: TurnModel(rate)}
        self._models |= {name: TurnModel(rate, asked) for name, asked in (models or {}).items()}
        self._verdicts: dict[tuple[str, int, int], float] = {}  # by model, first and last sample
        self._voices: dict[tuple[tuple[str, float], ...], list[Voice]] = {}  # by settings

    def course(self, rule: Rule, beside: Sequence[Span] = ()) -> Course:
        """Return what a turn rule makes of it.

        Args:
            rule: The settings.
            beside: ``(start, end)`` in seconds of the voices that begin no turn.
        """
        probability = partial(self.probability, rule.turn_model)
        early = partial(self.early, rule.turn_model)
        return run(rule, self.voices(rule), probability, early, beside)

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

    def early(self, model: str, since: float, first: float, stopped: float) -> Iterator[float]:
        """Give what a turn model says look by look, where it looks early.

        Args:
            model: Its name.
            since: Seconds at which what it is given begins.
            first: When it looks at the earliest.
            stopped: When the detector is sure of the silence.
        """
        quiet = first - EARLY_LOOK_SECS
        begin, stop = self._framed(max(0.0, since)), self._framed(stopped)
        if not early_looks.ANCHORED:
            if first < stopped:
                yield self.probability(model, since, first)
            yield self.probability(model, since, min(stopped, quiet + LAST_LOOK_SECS))
            return
        wanted = early_looks.EARLY_SILENCE_SECS
        for frame in self._between(self._framed(first), stop):
            windows = math.floor((frame / self._rate - quiet + INSTANT) / WINDOW_SECS)
            silence = self._silence(begin, frame)
            if not early_looks.is_due(silence, windows * WINDOW_SECS, wanted):
                continue
            yield self._asked(model, begin, frame, silence, wanted)
            if wanted == early_looks.SURE_SILENCE_SECS:
                return
            wanted = early_looks.SURE_SILENCE_SECS
        wanted = early_looks.SURE_SILENCE_SECS
        yield self._asked(model, begin, stop, self._silence(begin, stop), wanted)

    def _between(self, first: int, stop: int) -> Sequence[int]:
        """Return the ends of frames from one to the one before another."""
        place = bisect.bisect_left(self._ends, first)
        return self._ends[place : bisect.bisect_left(self._ends, stop)]

    def _silence(self, first: int, last: int) -> float:
        """Return how many seconds of silence stand behind the voice."""
        first = max(first, last - round(LOOKED_AT_SECS * self._rate))
        return silence_of([(0.0, self._samples[first:last])], self._rate)

    def _asked(self, model: str, first: int, last: int, silence: float, wanted: float) -> float:
        """Ask a turn model, given no more than so many seconds of silence."""
        return self._judge(model, first, last - round(max(0.0, silence - wanted) * self._rate))

    def probability(self, model: str, since: float, until: float) -> float:
        """Return how sure a turn model is of an end after what was heard between two seconds."""
        return self._judge(model, self._framed(max(0.0, since)), self._framed(until))

    def _judge(self, name: str, first: int, last: int) -> float:
        model = self._models[name]
        first = max(first, last - round(model.most_secs * self._rate))
        key = name, first, last
        if key not in self._verdicts:
            sound = self._samples[first:last].astype(np.float32) / np.float32(FULL_SCALE)
            self._verdicts[key] = model.judge(sound) if len(sound) else 0.0
        return self._verdicts[key]

    def _framed(self, secs: float) -> int:
        """Return the sample at which the frame ends that a moment is in."""
        sample = math.ceil((secs - INSTANT) * self._rate)
        place = bisect.bisect_left(self._ends, sample)
        return self._ends[min(place, len(self._ends) - 1)] if sample > 0 else 0
