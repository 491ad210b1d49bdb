"""``vad_sweep``: the detector's settings tried on one recording, and the one to take."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from piopiy_lab import display
from piopiy_lab.call.turns import SPACED
from piopiy_lab.checks.data_frames import data_frame
from piopiy_lab.errors import ArgumentError
from piopiy_lab.listening.vad import RANGES, check_params
from piopiy_lab.turn_lab.judged import Detector
from piopiy_lab.turn_lab.score import USUAL, VADScore, recommended, score
from piopiy_lab.turn_lab.spans import Span, caller_samples, reference_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

#: More combinations than this are refused: a mistake, or an afternoon.
MOST = 20_000
_HEADS = (*RANGES, "missed", "false", "cut", "start", "reply")


def vad_sweep(
    recording: object,
    *,
    confidence: float | Iterable[float] = (0.5, 0.6, 0.7, 0.8),
    start_secs: float | Iterable[float] = (0.1, 0.2, 0.3),
    stop_secs: float | Iterable[float] = (0.2, 0.3, 0.5, 0.8),
    min_volume: float | Iterable[float] = (0.3, 0.6),
    reference: object = None,
) -> VADSweep:
    """Try detector settings on one recording.

    pipecat's analyzer runs whole for every combination, its model hardly more than once: about 6 ms
    of CPU for a second of sound, and 0.6 ms for each combination. In a notebook a progress bar
    shows how far it is.

    Args:
        recording: A Call, its ``.recording``, a sound file or saved call's folder, or
            ``(samples, sample_rate)``. Of a call the caller's side is taken.
        confidence: Values to try, 0 to 1.
        start_secs: Values to try, seconds.
        stop_secs: Values to try, seconds.
        min_volume: Values to try, 0 to 1.
        reference: When somebody really spoke: ``[(start, end), ...]`` in seconds; "script", a
            scripted caller's own times; "silero", silero-vad's offline judgement (the extra
            ``reference``). None takes the script if there is one, else silero-vad.

    Returns:
        The scores, which show themselves as a table and a heat map.

    Raises:
        ArgumentError: A value is out of range, a label is none, or there is no sound.
        ArgumentTypeError: The recording is none.
        AudioFileError: A file can't be read.
        MissingExtraError: silero-vad is needed and not installed.
    """
    axes = _axes(
        {
            "confidence": confidence,
            "start_secs": start_secs,
            "stop_secs": stop_secs,
            "min_volume": min_volume,
        }
    )
    samples = caller_samples(recording)
    spans, origin = reference_of(reference, recording, samples)
    combinations = [dict(zip(axes, values, strict=True)) for values in _product(axes)]
    bar = display.progress()
    try:
        if bar is not None:
            bar.update(0.0, "the detector listens")
        detector = Detector(samples)
        usual = score(dict(USUAL), detector.detect(USUAL), spans)
        scores: list[VADScore] = []
        for n, settings in enumerate(combinations):
            scores.append(score(settings, detector.detect(settings), spans))
            if bar is not None and n % 16 == 0:
                bar.update((n + 1) / len(combinations), f"{n + 1} of {len(combinations)} settings")
    finally:
        if bar is not None:
            bar.close()
    return VADSweep(scores, usual, axes, spans, origin)


def _axes(given: Mapping[str, object]) -> dict[str, tuple[float, ...]]:
    axes: dict[str, tuple[float, ...]] = {}
    for name, values in given.items():
        each = (
            list(values)
            if isinstance(values, Iterable) and not isinstance(values, str)
            else [values]
        )
        if not each:
            raise ArgumentError(f"vad_sweep({name}=[]): give at least one value to try")
        axes[name] = tuple(
            sorted({check_params({name: value}, what="vad_sweep")[name] for value in each})
        )
    count = 1
    for values in axes.values():
        count *= len(values)
    if count > MOST:
        raise ArgumentError(
            f"{count} combinations of settings: give fewer values to try, {MOST} at the most"
        )
    return axes


def _product(axes: dict[str, tuple[float, ...]]) -> Iterable[tuple[float, ...]]:
    return itertools.product(*axes.values())


class VADSweep(Sequence[VADScore]):
    """The scores of all settings that were tried, the recommended one, and why.

    Attributes:
        best: The recommended setting's score.
        usual: The score of ``vad=True``.
        reference: ``(start, end)`` of each utterance, seconds.
        axes: The values that were tried, by name.
    """

    def to_pandas(self) -> DataFrame:
        """Return a table: a row per setting that was tried, and how it did.

        Its columns are the settings, the counts of a :class:`VADScore`, and missed_secs,
        start_delay and stop_delay in seconds.

        Raises:
            MissingExtraError: pandas isn't installed (the extra ``pandas``).
        """
        counts = dict.fromkeys(("utterances", "missed", "false_starts", "cuts"), "int64")
        secs = dict.fromkeys(("missed_secs", "start_delay", "stop_delay"), "float64")
        columns = counts | secs
        rows = (
            {**score.settings, **{name: getattr(score, name) for name in columns}} for score in self
        )
        return data_frame(rows, dict.fromkeys(RANGES, "float64") | columns)

    def __init__(
        self,
        scores: list[VADScore],
        usual: VADScore,
        axes: dict[str, tuple[float, ...]],
        reference: list[Span],
        origin: str,
    ) -> None:
        """Keep the scores; made by :func:`vad_sweep`."""
        self._scores = scores
        self.usual = usual
        self.axes = axes
        self.reference = reference
        self.origin = origin
        self.best: VADScore = recommended(scores, USUAL)

    def __len__(self) -> int:
        return len(self._scores)

    def __getitem__(self, index: Any) -> Any:
        return self._scores[index]

    @property
    def recommended(self) -> dict[str, float]:
        """The settings to give to ``Action(vad=...)``."""
        return dict(self.best.settings)

    @property
    def code(self) -> str:
        """The line that keeps them: ``vad={...}``."""
        pairs = ", ".join(f'"{name}": {self.best.settings[name]:g}' for name in RANGES)
        return f"vad={{{pairs}}}"

    @property
    def reason(self) -> str:
        """Why these settings, in a sentence or two."""
        best, usual = self.best, self.usual
        if best.errors:
            text = f"No setting is without errors; this one has the fewest: {_errors(best)}."
        else:
            text = f"All {best.utterances} utterances heard, none cut, no false start."
        if best.stop_delay is not None:
            text += f" A reply waits {best.stop_delay:.2f} s after the caller's last sound"
            if usual.stop_delay is not None and best.settings != usual.settings:
                text += f" ({usual.stop_delay:.2f} s with vad=True, which has {_errors(usual)})"
            text += "."
        equal = sum(1 for s in self if s.errors == best.errors)
        few = " So few utterances prove little: record more." if best.utterances < 10 else ""
        return (
            f"{text} {equal} of {len(self)} settings have as few errors; of the quick ones, this "
            f"is nearest to vad=True.{few}"
        )

    def table(self, count: int = 8) -> list[VADScore]:
        """Return the ``count`` best scores, the recommended first."""
        ranked: list[VADScore] = []
        left = list(self._scores)
        while left and len(ranked) < count:
            best = recommended(left, USUAL)
            left.remove(best)
            ranked.append(best)
        return ranked

    def plot(self, x: str | None = None, y: str | None = None) -> Figure:
        """Draw the errors as a heat map over two settings, with each cell's delay.

        Args:
            x: The setting across; the first of stop_secs, confidence, start_secs and min_volume
                that was varied if None.
            y: The setting upwards, likewise.

        Raises:
            ArgumentError: There is no such setting.
        """
        from piopiy_lab.turn_lab.heat_map import draw

        return draw(self, x, y)

    def __str__(self) -> str:
        rows = [_HEADS, *(_cells(s) for s in self.table()), _cells(self.usual)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
        lines = [
            "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows
        ]
        lines[-1] += "   vad=True"
        lines[1] += "   recommended"
        return "\n".join(
            [
                f"{len(self)} settings on {len(self.reference)} utterances ({self.origin})",
                *lines,
                self.reason,
                self.code,
            ]
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        heads = "".join(
            f"<th{SPACED}>{n}</th>" for n in (*RANGES, "missed", "false", "cut", "start", "reply")
        )
        marks = ["recommended", *[""] * (len(self.table()) - 1), "vad=True"]
        rows = "".join(
            "<tr>" + "".join(f"<td{SPACED}>{c}</td>" for c in _cells(s)) + f"<td>{mark}</td></tr>"
            for s, mark in zip([*self.table(), self.usual], marks, strict=True)
        )
        caption = (
            f"{len(self)} settings on {len(self.reference)} utterances "
            f"({html.escape(self.origin)}); delays in seconds"
        )
        return (
            f"<table><caption>{caption}</caption><thead><tr>{heads}<th></th></tr></thead>"
            f"<tbody>{rows}</tbody></table><p>{html.escape(self.reason)}</p>"
            f"<p><code>{html.escape(self.code)}</code></p>"
        )


def _errors(one: VADScore) -> str:
    return f"{one.missed} missed, {one.false_starts} false, {one.cuts} cut"


def _cells(one: VADScore) -> tuple[str, ...]:
    delays = ("-" if secs is None else f"{secs:.2f}" for secs in (one.start_delay, one.stop_delay))
    settings = (f"{one.settings[name]:g}" for name in RANGES)
    return (*settings, str(one.missed), str(one.false_starts), str(one.cuts), *delays)
