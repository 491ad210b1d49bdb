"""The heat map of a sweep: errors by colour and number, the reply's delay below. No pyplot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from piopiy_lab.errors import ArgumentError
from piopiy_lab.plot.style import CallFigure
from piopiy_lab.vad_lab.score import USUAL, VADScore, recommended

#: Which settings are drawn unless told: those that matter most for a conversation first.
_PREFERRED = ("stop_secs", "confidence", "start_secs", "min_volume")


class Scores(Protocol):
    """What is drawn: the scores of a sweep."""

    @property
    def axes(self) -> Mapping[str, Sequence[float]]:
        """Return the values that were tried of each setting."""
        ...

    @property
    def best(self) -> VADScore:
        """Return the recommended setting's score."""
        ...

    def __iter__(self) -> Iterator[VADScore]: ...


def draw(sweep: Scores, x: str | None, y: str | None) -> Figure:
    """Draw a sweep; each cell is the best of the settings that share its two values."""
    x, y = _chosen(sweep, x, y)
    across, upwards = sweep.axes[x], sweep.axes[y]
    errors = np.zeros((len(upwards), len(across)))
    figure = CallFigure(180 + 100 * len(across), 150 + 58 * len(upwards))
    axes = figure.add_axes((0.17, 0.26, 0.8, 0.58))
    texts: list[tuple[int, int, str, bool]] = []
    for row, high in enumerate(upwards):
        for column, right in enumerate(across):
            same = [s for s in sweep if s.settings[x] == right and s.settings[y] == high]
            best = recommended(same, USUAL)
            errors[row, column] = best.errors
            delay = "-" if best.stop_delay is None else f"{best.stop_delay * 1000:.0f} ms"
            chosen = sweep.best.settings[x] == right and sweep.best.settings[y] == high
            texts.append((column, row, f"{best.errors}\n{delay}", chosen))
    most = max(1.0, float(errors.max()))
    axes.imshow(errors, origin="lower", aspect="auto", cmap="YlOrBr", vmin=0, vmax=1.4 * most)
    for column, row, text, chosen in texts:
        axes.text(column, row, text, ha="center", va="center", fontsize=9, color="#222222")
        if chosen:
            axes.add_patch(_frame(column, row))
    axes.set_xticks(range(len(across)), [f"{value:g}" for value in across])
    axes.set_yticks(range(len(upwards)), [f"{value:g}" for value in upwards])
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title("errors (missed + false + cut), and the wait for a reply", fontsize=10)
    return figure


def _frame(column: int, row: int) -> Rectangle:
    return Rectangle(
        (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#0072b2", linewidth=2.5
    )


def _chosen(sweep: Scores, x: str | None, y: str | None) -> tuple[str, str]:
    for name in (x, y):
        if name is not None and name not in sweep.axes:
            raise ArgumentError(f"plot({name!r}): the settings are {', '.join(sweep.axes)}")
    varied = [name for name in _PREFERRED if len(sweep.axes[name]) > 1]
    order = [name for name in (*varied, *_PREFERRED) if name not in (x, y)]
    x = x or next(name for name in order if name != y)
    y = y or next(name for name in order if name != x)
    if x == y:
        raise ArgumentError(f"plot({x!r}, {y!r}): give two settings")
    return x, y
