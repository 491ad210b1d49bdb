"""How good a setting is: what it found, compared with when somebody really spoke. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from piopiy_lab.turn_lab.spans import Span

#: Seconds by which a detection may lie beside the reference and still be the same speech.
NEAR_SECS = 0.1
#: Seconds before the end of an utterance from which on its end is no cut: the last sound fades.
FADE_SECS = 0.08
#: Seconds that a detection may begin before an utterance, or go on after it, without being false:
#: past that it heard something else, an echo say.
BESIDE_SECS = 0.5
#: Two waits for a reply that differ by less than this many seconds are alike to a caller.
ALIKE_SECS = 0.05
#: pipecat's defaults: what ``vad=True`` is.
USUAL = {"confidence": 0.7, "start_secs": 0.2, "stop_secs": 0.2, "min_volume": 0.6}


@dataclass(frozen=True, kw_only=True)
class VADScore:
    """What one set of settings does to a recording.

    Attributes:
        settings: ``confidence``, ``start_secs``, ``stop_secs``, ``min_volume``.
        utterances: How many there are in the reference.
        missed: Utterances in which nothing was found.
        missed_secs: Seconds of speech outside of what was found.
        false_starts: Times that speech was detected where nobody spoke (for more than half a
            second, beside an utterance); every further second counts as one more.
        cuts: Times the detector was sure of silence while the caller spoke on: words are cut.
        start_delay: Median seconds from an utterance's beginning until it was found; None when
            none was.
        stop_delay: Median seconds from an utterance's end until the silence was: what a reply
            waits for. None when none was found.
        found: The detections as ``(start, stop)`` seconds.
    """

    settings: dict[str, float]
    utterances: int
    missed: int
    missed_secs: float
    false_starts: int
    cuts: int
    start_delay: float | None
    stop_delay: float | None
    found: tuple[tuple[float, float], ...] = field(repr=False, default=())

    @property
    def errors(self) -> int:
        """Missed utterances, false starts and cuts together."""
        return self.missed + self.false_starts + self.cuts


def score(
    settings: dict[str, float], found: Sequence[tuple[float, float]], reference: Sequence[Span]
) -> VADScore:
    """Compare detections with the reference.

    Args:
        settings: What the detections were made with.
        found: ``(start, stop)``: seconds when the detector was sure of speech, and of silence.
        reference: ``(start, end)`` of each utterance, in order and apart.
    """
    starts, stops = settings["start_secs"], settings["stop_secs"]
    spans = [(on - starts, off - stops) for on, off in found]  # when the speech itself was
    heard = [_overlapping(utterance, spans) for utterance in reference]
    missed_secs = sum(_uncovered(utterance, spans) for utterance in reference)
    false = sum(_false_in(span, reference) for span in spans)
    cuts = sum(1 for _, off in found if any(a < off < b - FADE_SECS for a, b in reference))
    start_delays = [
        found[places[0]][0] - a
        for (a, _), places in zip(reference, heard, strict=True)
        if places and found[places[0]][0] >= a - NEAR_SECS
    ]
    stop_delays = [
        found[places[-1]][1] - b
        for (_, b), places in zip(reference, heard, strict=True)
        if places and found[places[-1]][1] >= b - FADE_SECS
    ]
    return VADScore(
        settings=settings,
        utterances=len(reference),
        missed=sum(1 for places in heard if not places),
        missed_secs=round(missed_secs, 3),
        false_starts=false,
        cuts=cuts,
        start_delay=_median(start_delays),
        stop_delay=_median(stop_delays),
        found=tuple((round(on, 3), round(off, 3)) for on, off in found),
    )


def _false_in(span: Span, reference: Sequence[Span]) -> int:
    """Count the times that nobody spoke in a detected stretch; a long time counts by the second.

    Else an ear that never hears silence would look good: one detection, nothing missed or cut.
    """
    begin, end = span
    inside = [(a, b) for a, b in reference if begin < b + NEAR_SECS and end > a - NEAR_SECS]
    if not inside:
        return max(1, int(end - begin))
    edges = [begin, *(at for utterance in inside for at in utterance), end]
    silent = [later - earlier for earlier, later in zip(edges[::2], edges[1::2], strict=True)]
    return sum(max(1, int(secs)) for secs in silent if secs > BESIDE_SECS)


def _overlapping(utterance: Span, spans: Sequence[Span]) -> list[int]:
    a, b = utterance
    return [i for i, (begin, end) in enumerate(spans) if begin < b and end > a]


def _uncovered(utterance: Span, spans: Sequence[Span]) -> float:
    a, b = utterance
    covered = sum(max(0.0, min(b, end) - max(a, begin)) for begin, end in spans)
    return max(0.0, b - a - covered)


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None


def recommended(scores: Sequence[VADScore], usual: dict[str, float]) -> VADScore:
    """Return the setting with the fewest errors, and of those a quick one near to the usual.

    Missing the caller, hearing somebody who isn't there and cutting a word count alike. Of the
    settings with the fewest, those whose reply comes within :data:`ALIKE_SECS` of the quickest are
    alike, and the one nearest to the usual settings is taken: a recording can't show that an
    unusual one is safe elsewhere.
    """
    fewest = min(one.errors for one in scores)
    good = [one for one in scores if one.errors == fewest]
    quickest = min(_wait(one) for one in good)
    alike = [one for one in good if _wait(one) <= quickest + ALIKE_SECS]

    def rank(one: VADScore) -> tuple[float, ...]:
        away = sum(abs(value - usual[name]) for name, value in one.settings.items())
        return (round(away, 6), _wait(one), round(one.missed_secs, 1))

    return min(alike, key=rank)


def _wait(one: VADScore) -> float:
    return 9.0 if one.stop_delay is None else one.stop_delay
