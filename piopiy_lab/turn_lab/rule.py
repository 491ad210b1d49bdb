"""The turn rule as a calculation: voices in, turns out. Pure; a model's verdicts are asked for.

It is what :mod:`piopiy_lab.listening` does in a call, told again without frames and clocks: a voice
begins a turn, but for one over the agent's words that was kept as a listener's. When the detector
is sure of the silence behind it and the turn model finds it complete, it ends; a model that finds
it incomplete is waited for. The model looks before that, too: an early "complete" counts, an early
"incomplete" is looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from piopiy_lab.listening.turn_models import HALF, SMART_TURN

#: Seconds of sound before a voice that the turn model is given, beside what the detector took to be
#: sure of it (pipecat's ``SmartTurnParams.pre_speech_ms``).
PRE_SPEECH_SECS = 0.5
#: A verdict above it is "complete".
THRESHOLD = HALF
#: A voice of which this share was said beside the turns begins none; with less of it, it does.
BESIDE_SHARE = 0.5


@dataclass(frozen=True)
class Voice:
    """A stretch of what the detector takes for speech. Seconds from the sound's first sample.

    Attributes:
        started: When it was sure of the voice.
        quiet: When the silence behind it began.
        stopped: When it was sure of the silence; None: the sound ended before.
    """

    started: float
    quiet: float
    stopped: float | None


@dataclass(frozen=True)
class Rule:
    """The settings of detector and turn rule.

    Attributes:
        confidence: Of the detector's model, 0 to 1.
        start_secs: Seconds of voice until it is sure.
        stop_secs: Seconds of silence until it is sure.
        min_volume: Smoothed, 0 to 1.
        threshold: A verdict of the turn model above it is "complete", 0 to 1. At 0 the model is
            not asked: the silence alone ends a turn.
        wait_secs: Seconds for which a turn that sounded incomplete is waited for.
        look_secs: Seconds into the silence at which the model looks first; None: only when the
            detector is sure.
        turn_model: The name of the turn model.
    """

    confidence: float = 0.7
    start_secs: float = 0.2
    stop_secs: float = 0.2
    min_volume: float = 0.6
    threshold: float = THRESHOLD
    wait_secs: float = 1.5
    look_secs: float | None = None
    turn_model: str = SMART_TURN

    @property
    def detector(self) -> dict[str, float]:
        """The detector's settings by name."""
        names = ("confidence", "start_secs", "stop_secs", "min_volume")
        return {name: getattr(self, name) for name in names}

    def to_json(self) -> dict[str, float | None]:
        """Return its settings by name, all that are numbers."""
        return {name: value for name, value in asdict(self).items() if name != "turn_model"}


class Model(Protocol):
    """The turn model on one sound."""

    def __call__(self, since: float, until: float) -> float:
        """Return how sure it is of an end, 0 to 1, given what was heard between two seconds."""
        ...


class Looks(Protocol):
    """The turn model where it looks early, on one sound."""

    def __call__(self, since: float, first: float, stopped: float) -> Iterable[float]:
        """Return what it says look by look, the last one when it must.

        Args:
            since: Seconds at which what it is given begins.
            first: When it looks at the earliest.
            stopped: When the detector is sure of the silence.
        """
        ...


@dataclass(frozen=True)
class Look:
    """The turn model's verdict on a silence.

    Attributes:
        quiet: When the silence began.
        at: When the detector was sure of it.
        probability: How sure it was of an end, 0 to 1; None: it was not asked.
        complete: Whether it took the turn for over.
    """

    quiet: float
    at: float
    probability: float | None
    complete: bool


@dataclass(frozen=True)
class End:
    """A turn's end: when it was decided, and when the silence had begun in which it was."""

    at: float
    quiet: float


@dataclass(frozen=True)
class Course:
    """What the rule made of a sound: its verdicts on silences, and the turns' ends."""

    looks: tuple[Look, ...]
    ends: tuple[End, ...]


def run(
    rule: Rule,
    voices: Iterable[Voice],
    model: Model,
    early: Looks | None = None,
    beside: Sequence[tuple[float, float]] = (),
) -> Course:
    """Return what the rule makes of a sound; behind its last sample there is silence.

    Args:
        rule: The settings.
        voices: What the detector made of it, with these settings, in order.
        model: The turn model.
        early: The same where it looks early; None: once early, and once at the stop.
        beside: ``(start, end)`` in seconds of what was said beside the caller's turns: a voice
            there begins none, is not judged, and what it said is forgotten.
    """

    def twice(since: float, first: float, stopped: float) -> Iterator[float]:
        if first < stopped:
            yield model(since, first)
        yield model(since, stopped)

    verdicts = early or twice
    looks: list[Look] = []
    ends: list[End] = []
    every = list(voices)
    turns = [voice for voice in every if not _is_beside(rule, voice, beside)]
    forgotten = [one.stopped for one in every if one.stopped is not None and one not in turns]
    since, cleared = None, 0.0  # of the turn that goes on, and when the last one was over
    for voice, following in _pairs(turns):
        if since is None:
            before = [at for at in forgotten if at <= voice.started]
            since = max(cleared, *before, voice.started - rule.start_secs - PRE_SPEECH_SECS)
        if voice.stopped is None:
            break
        look = _look(rule, voice, since, voice.stopped, model, verdicts)
        looks.append(look)
        ends_at = voice.stopped if look.complete else voice.stopped + rule.wait_secs
        if following is None or ends_at <= following.started:
            ends.append(End(ends_at, voice.quiet))
            since, cleared = None, ends_at
    return Course(tuple(looks), tuple(ends))


def _is_beside(rule: Rule, voice: Voice, beside: Sequence[tuple[float, float]]) -> bool:
    onset = voice.started - rule.start_secs
    end = max(voice.quiet, onset)
    within = sum(max(0.0, min(end, until) - max(onset, start)) for start, until in beside)
    return within > 0 and within >= BESIDE_SHARE * (end - onset)


def _pairs(voices: Iterable[Voice]) -> Iterator[tuple[Voice, Voice | None]]:
    before: Voice | None = None
    for voice in voices:
        if before is not None:
            yield before, voice
        before = voice
    if before is not None:
        yield before, None


def _look(
    rule: Rule, voice: Voice, since: float, stopped: float, model: Model, early: Looks
) -> Look:
    if rule.threshold <= 0:
        return Look(voice.quiet, stopped, None, complete=True)
    if rule.look_secs is None:
        verdicts: Iterable[float] = [model(since, stopped)]
    else:
        verdicts = early(since, voice.quiet + rule.look_secs, stopped)
    probability = 0.0
    for probability in verdicts:
        if probability > rule.threshold:
            break
    return Look(voice.quiet, stopped, probability, complete=probability > rule.threshold)
