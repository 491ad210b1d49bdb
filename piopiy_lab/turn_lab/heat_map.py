"""The heat map of a sweep, in a call's style: errors by colour and number, the wait below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from piopiy_lab.display.wording import milliseconds
from piopiy_lab.errors import ArgumentError
from piopiy_lab.plot import style
from piopiy_lab.turn_lab.score import USUAL, VADScore, recommended

#: Which settings are drawn unless told: those that matter most for a conversation first.
_PREFERRED = ("stop_secs", "confidence", "start_secs", "min_volume")
TITLE = "The detector's settings"
LEFT, RIGHT, HEAD, FOOT = 130.0, 20.0, 66.0, 56.0  # margins, pixels
CELL, ROW = 110.0, 48.0  # a cell's width and height, pixels
NARROWEST = 520.0  # of all cells together, so that the legend has room, pixels


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

    def __len__(self) -> int: ...


def draw(sweep: Scores, x: str | None, y: str | None) -> Figure:
    """Draw a sweep; each cell is the best of the settings that share its two values."""
    x, y = _chosen(sweep, x, y)
    across, upwards = sweep.axes[x], sweep.axes[y]
    wide = max(CELL * len(across), NARROWEST)
    high = ROW * len(upwards)
    width, height = LEFT + wide + RIGHT, HEAD + high + FOOT
    figure = style.CallFigure(width, height)
    figure.set_label(f"errors of {len(sweep)} settings of the detector by {x} and {y}")
    axes = figure.add_axes((LEFT / width, FOOT / height, wide / width, high / height))
    style.bare(axes, -0.5, len(across) - 0.5)  # in cells
    axes.set_ylim(-0.5, len(upwards) - 0.5)
    axes.set_xlabel(x, visible=False)  # for whoever asks; what is seen is written below
    axes.set_ylabel(y, visible=False)
    cells = _cells(sweep, x, y)
    most = max(1, *(best.errors for best in cells.values()))
    for (right, above), best in cells.items():
        _draw_cell(axes, across.index(right), upwards.index(above), best, most)
    chosen = sweep.best.settings
    corner = (across.index(chosen[x]) - 0.5, upwards.index(chosen[y]) - 0.5)
    look = {"fill": False, "edgecolor": style.SIDES["user"], "linewidth": 2.5, "clip_on": False}
    axes.add_artist(Rectangle(corner, 1, 1, **look, gid="recommended"))
    pixels = figure.add_axes((0, 0, 1, 1), label="around")  # from the figure's upper left
    style.bare(pixels, 0.0, width)
    pixels.set_ylim(height, 0.0)
    _draw_scales(pixels, x, y, across, upwards, wide / len(across))
    _draw_head(pixels, sweep)
    return figure


def _cells(sweep: Scores, x: str, y: str) -> dict[tuple[float, float], VADScore]:
    """Return the best score of each pair of values."""
    cells: dict[tuple[float, float], VADScore] = {}
    for right in sweep.axes[x]:
        for above in sweep.axes[y]:
            same = [s for s in sweep if s.settings[x] == right and s.settings[y] == above]
            cells[right, above] = recommended(same, USUAL)
    return cells


def _draw_cell(axes: Axes, column: int, row: int, best: VADScore, most: int) -> None:
    color = style.SPEECH if not best.errors else _mixed(0.15 + 0.6 * best.errors / most)
    look = {"facecolor": color, "edgecolor": style.PAPER, "linewidth": 1.5, "gid": "cell"}
    axes.add_artist(Rectangle((column - 0.5, row - 0.5), 1, 1, **look))
    ink = style.INK if style.is_light(color) else style.PAPER
    delay = "no reply" if best.stop_delay is None else milliseconds(best.stop_delay)
    look = {"color": ink, "ha": "center", "va": "center"}
    style.write(
        axes, column, row + 0.18, str(best.errors), size=style.TEXT_PT + 2, weight="bold", **look
    )
    style.write(axes, column, row - 0.2, delay, **look)


def _mixed(share: float) -> str:
    """Return the alarm's colour on paper: 0 is white, 1 is all of it."""
    full, paper = (
        [int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (style.ALARM, style.PAPER)
    )
    mixed = (round(p + share * (f - p)) for f, p in zip(full, paper, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _draw_scales(
    axes: Axes, x: str, y: str, across: Sequence[float], upwards: Sequence[float], cell: float
) -> None:
    """Write the values and names of both settings, on axes whose y is pixels from the top."""
    low = HEAD + ROW * len(upwards)
    quiet = {"color": style.QUIET, "va": "center"}
    for i, value in enumerate(across):
        style.write(axes, LEFT + (i + 0.5) * cell, low + 13, _value(x, value), ha="center", **quiet)
    for i, value in enumerate(upwards):
        style.write(axes, LEFT - 10, low - (i + 0.5) * ROW, _value(y, value), ha="right", **quiet)
    bold = {"size": 9, "weight": "bold", "color": style.SIDES["user"], "va": "center"}
    style.write(axes, LEFT + len(across) * cell / 2, low + 34, x, ha="center", **bold)
    style.write(axes, 10, low - ROW * len(upwards) / 2, y, **bold)


def _value(name: str, value: float) -> str:
    return f"{value:g} s" if name.endswith("secs") else f"{value:g}"


def _draw_head(axes: Axes, sweep: Scores) -> None:
    style.write(axes, 10, 20, TITLE, size=12, weight="bold", va="center", gid="title")
    x = 10 + style.width_of(TITLE, 12, "bold") + 12
    count = sweep.best.utterances
    facts = f"{len(sweep)} settings · {count} utterance{'' if count == 1 else 's'}"
    style.write(axes, x, 21, facts, size=9, color=style.QUIET, va="center")
    errors = "errors: missed + false + cut"
    x = style.draw_key(axes, 10, 43, [(style.SPEECH, "no error"), (_mixed(0.45), errors)], 1.0)
    signs = [("□", style.SIDES["user"], "recommended"), ("ms", style.QUIET, "wait for a reply")]
    style.draw_signs(axes, x, 43, signs, 1.0)


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
