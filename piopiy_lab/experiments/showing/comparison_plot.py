"""The picture of a comparison: each figure's difference, and every pair's. In a call's style."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from piopiy_lab.experiments.figures.differences import Difference, RowPair, change_of
from piopiy_lab.experiments.showing.comparison_words import (
    Compared,
    headline,
    interval_text,
    value_text,
)
from piopiy_lab.plot import style

TITLE = "Two agents on the same sound"
HEAD, ROW, FOOT = 56.0, 30.0, 34.0  # pixels
NAMES, VALUES, WIDE, TEXT, RIGHT = 190.0, 150.0, 260.0, 190.0, 90.0  # columns, pixels
STRIP, GAP = 110.0, 46.0  # of the pairs, and above them, pixels
COLOURS = {
    "better": style.TOOL,
    "worse": style.ALARM,
    "can't tell": style.QUIET,
    "the same": style.FAINT,
}


def draw(compared: Compared) -> Figure:
    """Draw it: a row for each figure on a scale of its own, and below a bar for each pair."""
    rows = [one for one in compared.differences if one.difference is not None]
    width = NAMES + VALUES + WIDE + TEXT + RIGHT
    strip = STRIP if any(change_of(pair) is not None for pair in compared.pairs) else 0.0
    height = HEAD + ROW * len(rows) + (GAP + strip if strip else 0.0) + FOOT
    figure = style.CallFigure(width, height)
    figure.set_label(f"{TITLE}: {headline(compared)}")
    axes = figure.add_axes((0, 0, 1, 1), label="figures")
    style.bare(axes, 0.0, width)
    axes.set_ylim(height, 0.0)  # pixels from the top
    _head(axes, compared)
    for place, one in enumerate(rows):
        _row(axes, one, HEAD + ROW * (place + 0.5))
    middle = NAMES + VALUES + WIDE / 2
    axes.plot(
        [middle, middle], [HEAD, HEAD + ROW * len(rows)], color=style.FAINT, linewidth=1, zorder=0
    )
    if strip:
        _pairs(axes, compared.pairs, HEAD + ROW * len(rows) + GAP, width)
    return figure


def _head(axes: Axes, compared: Compared) -> None:
    style.write(axes, 10, 18, TITLE, size=12, weight="bold", va="center", gid="title")
    x = 10 + style.width_of(TITLE, 12, "bold") + 12
    style.write(axes, x, 19, headline(compared), size=9, color=style.QUIET, va="center")
    signs = [(COLOURS[name], name) for name in ("better", "worse", "can't tell")]
    style.draw_key(axes, 10, 40, signs, 1.0)
    look = {"color": style.QUIET, "size": style.SMALL_PT, "va": "center", "ha": "center"}
    middle = NAMES + VALUES + WIDE / 2
    style.write(axes, middle, 44, "0", **look)
    style.write(axes, middle - WIDE / 4, 44, "less", **look)
    style.write(axes, middle + WIDE / 4, 44, "more", **look)


def _row(axes: Axes, one: Difference, y: float) -> None:
    color = COLOURS[one.verdict]
    style.write(axes, 10, y, one.metric.title, va="center_baseline")
    told = f"{value_text(one.before, one)} → {value_text(one.after, one)}"
    style.write(axes, NAMES, y, told, va="center_baseline", gid="values")
    known = [abs(end) for end in (one.low, one.high, one.difference) if end is not None]
    most = max(known) or 1.0
    middle, half = NAMES + VALUES + WIDE / 2, WIDE / 2 - 12

    def at(value: float) -> float:
        return middle + half * value / most

    if one.low is not None and one.high is not None:
        look = {"color": color, "linewidth": 3.0, "solid_capstyle": "round"}
        axes.plot([at(one.low), at(one.high)], [y, y], gid="interval", **look)
    if one.difference is not None:
        axes.plot([at(one.difference)], [y], "o", color=color, markersize=7, gid="difference")
    x = NAMES + VALUES + WIDE + 8
    style.write(axes, x, y, interval_text(one), va="center_baseline")
    ink = style.QUIET if one.verdict == "the same" else color
    style.write(axes, x + TEXT, y, one.verdict, color=ink, weight="bold", va="center_baseline")


def _pairs(axes: Axes, pairs: Sequence[RowPair], top: float, width: float) -> None:
    """Draw a bar for each pair, in the order of the calls: how its mean answer changed."""
    changes = [change_of(pair) for pair in pairs]
    most = max((abs(change) for change in changes if change is not None), default=0.0) or 1.0
    signs = [sign for sign in (1, -1) if any(sign * (change or 0.0) > 0 for change in changes)]
    left, wide = NAMES, width - NAMES - RIGHT
    tallest = STRIP / max(1, len(signs))
    middle = top + (tallest if 1 in signs else 0.0) if signs else top + STRIP / 2
    slot = wide / len(pairs)
    axes.plot([left, left + wide], [middle, middle], color=style.FAINT, linewidth=1, zorder=0)
    style.write(axes, 10, top + STRIP / 2 - 8, "each call's mean answer,", va="center_baseline")
    style.write(axes, 10, top + STRIP / 2 + 8, "after less before", va="center_baseline")
    look = {"color": style.QUIET, "size": style.SMALL_PT, "va": "center"}
    for sign in signs:
        y = middle - sign * tallest
        style.write(axes, left + wide + 8, y, f"{sign * 1000 * most:+.0f} ms", **look)
    for place, (pair, change) in enumerate(zip(pairs, changes, strict=True)):
        x = left + slot * place
        if pair.before.passed != pair.after.passed:
            sign, color = ("×", style.ALARM) if pair.before.passed else ("+", style.TOOL)
            style.write(axes, x + slot / 2, top - 12, sign, color=color, size=9, ha="center")
        if not change:
            color = style.FAINT if pair.same else style.QUIET
            axes.plot([x + slot / 2], [middle], "o", color=color, markersize=3, gid="alike")
            continue
        tall = -change / most * tallest
        color = style.TOOL if change < 0 else style.ALARM
        box = Rectangle((x + 0.1 * slot, middle), 0.8 * slot, tall, facecolor=color, linewidth=0)
        box.set_gid("pair")
        axes.add_artist(box)
    told = "a dot: no change of its answers; ×: it broke; +: it mended"
    style.write(axes, left, top + STRIP + 16, told, **look)
