"""The real analyzer over one recording, for many settings at little more than the price of one.

pipecat's analyzer runs whole for each set of settings; only its model is asked less. What the
model says depends on the sound since it was last reset, and where it is reset depends (a little) on
the settings; so its answers are kept by the window of the last reset. Almost all settings share
almost all of them. A test shows that the decisions are those of an analyzer of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pipecat.audio.vad.vad_analyzer import VADState

from piopiy_lab.listening.seams import SharedSileroVADAnalyzer
from piopiy_lab.sound.pcm import Float32, Int16
from piopiy_lab.turn_lab.rule import Voice
from piopiy_lab.turn_lab.seams import ReplayedAnalyzer

#: Hz; the model knows 16000 and 8000, and hears more at 16000.
RATE = 16000


class _Model(Protocol):
    """Silero's model, or one that stands in for it."""

    def __call__(self, audio: Float32, rate: int, /) -> Float32: ...

    def reset_states(self) -> None: ...


@dataclass
class _Course:
    """The model's way through the windows after one reset."""

    model: _Model  # a model of its own state, where the course has got to
    answers: list[Float32] = field(default_factory=list[Float32])


class _KnownModel:
    """The model for one run: asks the shared courses."""

    def __init__(self, courses: dict[int, _Course], fresh: _Model) -> None:
        self._courses, self._fresh = courses, fresh
        self._begun = self._at = 0  # windows: where the last reset was, and the next one to judge

    def __call__(self, audio: Float32, rate: int) -> Float32:
        course = self._courses.get(self._begun)
        if course is None:
            model = copy.copy(self._fresh)
            model.reset_states()
            course = self._courses[self._begun] = _Course(model)
        place = self._at - self._begun
        if place == len(course.answers):
            course.answers.append(course.model(audio, rate))
        self._at += 1
        return course.answers[place]

    def reset_states(self) -> None:
        self._begun = self._at


class Detector:
    """Says what the detector takes for speech in a recording, for any settings."""

    def __init__(self, samples: Int16, rate: int = RATE) -> None:
        """Take a recording.

        Args:
            samples: int16, (n,).
            rate: Hz: 16000 or 8000.
        """
        self._rate = rate
        self._analyzer = SharedSileroVADAnalyzer(sample_rate=rate)
        self._analyzer.set_sample_rate(rate)
        size = self._analyzer.num_frames_required()
        self.window_secs: float = size / rate
        usable = len(samples) // size * size
        self._windows = [w.tobytes() for w in samples[:usable].reshape(-1, size)]
        self._courses: dict[int, _Course] = {}
        self._volumes: list[float] = []  # smoothed; they don't depend on the settings

    def detect(self, settings: Mapping[str, float]) -> list[tuple[float, float]]:
        """Return ``(start, stop)`` of each detection: seconds when it was sure of both.

        The first run takes about 6 ms of CPU for a second of sound, another one 0.6 ms.

        Args:
            settings: ``confidence``, ``start_secs``, ``stop_secs``, ``min_volume``.
        """
        end = len(self._windows) * self.window_secs  # if it never was sure of silence again
        return [
            (voice.started, end if voice.stopped is None else voice.stopped)
            for voice in self.voices(settings)
        ]

    def voices(self, settings: Mapping[str, float]) -> list[Voice]:
        """Return what it takes for speech, in order, and when the silence behind each begins.

        Args:
            settings: As for :meth:`detect`.
        """
        machine = ReplayedAnalyzer(self._rate, settings, self._known, self._volumes)
        secs = self.window_secs
        found: list[Voice] = []
        started = quiet = None
        for i, window in enumerate(self._windows, start=1):
            state = machine.judge(window)
            if state in (VADState.SPEAKING, VADState.STARTING):
                quiet = None
            elif quiet is None:
                quiet = (i - 1) * secs
            if started is None and state == VADState.SPEAKING:
                started = i * secs
            elif started is not None and state == VADState.QUIET:
                found.append(Voice(started, i * secs if quiet is None else quiet, i * secs))
                started = None
        if started is not None:
            end = len(self._windows) * secs
            found.append(Voice(started, end if quiet is None else quiet, None))
        return found

    def _known(self, model: _Model) -> _KnownModel:
        return _KnownModel(self._courses, model)
