"""The picture of a turn sweep: the share of pauses that are cut, against the delay of ends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from piopiy_lab.plot import style
from piopiy_lab.turn_lab.turn_score import Interval, TurnScore, counted

TITLE = "Cut-offs against delay"
LEFT, RIGHT, HEAD, FOOT = 64.0, 24.0, 70.0, 56.0  # margins, pixels
WIDE, HIGH = 640.0, 320.0  # of the plot, pixels


class Scores(Protocol):
    """What is drawn: the scores of a sweep."""

    @property
    def curve(self) -> Sequence[TurnScore]:
        """Return those that no other beats."""
        ...

    @property
    def best(self) -> TurnScore:
        """Return the recommended one."""
        ...

    @property
    def usual(self) -> TurnScore:
        """Return today's."""
        ...

    def __iter__(self) -> Iterator[TurnScore]: ...

    def __len__(self) -> int: ...


def draw(sweep: Scores) -> Figure:
    """Draw a sweep: every setting, the curve with its intervals, today's and the recommended."""
    width, height = LEFT + WIDE + RIGHT, HEAD + HIGH + FOOT
    figure = style.CallFigure(width, height)
    figure.set_label(f"share of pauses cut against delay, {len(sweep)} settings")
    axes = figure.add_axes((LEFT / width, FOOT / height, WIDE / width, HIGH / height))
    every = [one for one in (*sweep, sweep.usual) if one.delays]
    marked = (*sweep.curve, sweep.usual, sweep.best)
    late = _round_up(max(_most(one.delay) for one in marked))
    cut = _round_up(max(_most(one.share) for one in marked))
    style.bare(axes, 0.0, late)
    axes.set_ylim(0.0, cut)
    axes.set_xlabel("mean delay", visible=False)  # for whoever asks; what is seen is written below
    axes.set_ylabel("share of pauses cut", visible=False)
    shown = [one for one in every if one.delay.value <= late and one.share.value <= cut]
    axes.scatter(
        [one.delay.value for one in shown],
        [one.share.value for one in shown],
        s=10, facecolor=style.QUIET, alpha=0.4, edgecolor="none", gid="setting",
    )  # fmt: skip
    _draw_curve(axes, sweep)
    pixels = figure.add_axes((0, 0, 1, 1), label="around")  # from the figure's upper left
    style.bare(pixels, 0.0, width)
    pixels.set_ylim(height, 0.0)
    _draw_scales(pixels, late, cut)
    _draw_head(pixels, sweep)
    return figure


def _draw_curve(axes: Axes, sweep: Scores) -> None:
    color = style.SIDES["user"]
    x = [one.delay.value for one in sweep.curve]
    y = [one.share.value for one in sweep.curve]
    axes.step(x, y, where="post", color=color, linewidth=1.2, gid="curve", zorder=2)
    for one in sweep.curve:
        look = {"color": color, "linewidth": 1.0, "alpha": 0.5, "gid": "interval", "zorder": 2}
        if one.share.low is not None and one.share.high is not None:
            axes.plot([one.delay.value] * 2, [one.share.low, one.share.high], **look)
        if one.delay.low is not None and one.delay.high is not None:
            axes.plot([one.delay.low, one.delay.high], [one.share.value] * 2, **look)
    axes.scatter(x, y, s=22, color=color, zorder=3, gid="best")
    for one, colour, name in (
        (sweep.usual, style.SIDES["assistant"], "usual"),
        (sweep.best, style.ALARM, "recommended"),
    ):
        look = {"facecolor": "none", "edgecolor": colour, "linewidth": 2.0, "clip_on": False}
        axes.scatter([one.delay.value], [one.share.value], s=90, zorder=4, gid=name, **look)


def _draw_scales(axes: Axes, late: float, cut: float) -> None:
    low = HEAD + HIGH
    quiet = {"color": style.QUIET, "va": "center"}
    for part in range(5):
        x, y = LEFT + WIDE * part / 4, low - HIGH * part / 4
        axes.plot([LEFT, LEFT + WIDE], [y, y], color=style.FAINT, linewidth=0.7, zorder=0)
        style.write(axes, x, low + 13, f"{late * part / 4:.2g} s", ha="center", **quiet)
        style.write(axes, LEFT - 8, y, f"{cut * part / 4:.0%}", ha="right", **quiet)
    bold = {"size": 9, "weight": "bold", "color": style.SIDES["user"], "va": "center"}
    name = "mean delay from the end of speech to the end of the turn"
    style.write(axes, LEFT + WIDE / 2, low + 36, name, ha="center", **bold)


def _draw_head(axes: Axes, sweep: Scores) -> None:
    style.write(axes, 10, 20, TITLE, size=12, weight="bold", va="center", gid="title")
    x = 10 + style.width_of(TITLE, 12, "bold") + 12
    usual = sweep.usual
    facts = " · ".join(
        (
            counted(len(sweep), "setting"),
            counted(usual.pauses, "pause"),
            f"{counted(usual.ends, 'end')} of turns",
        )
    )
    style.write(axes, x, 21, facts, size=9, color=style.QUIET, va="center")
    signs = [
        ("●", style.SIDES["user"], "none beats it, with 95 % intervals"),
        ("○", style.SIDES["assistant"], "today's"),
        ("○", style.ALARM, "recommended"),
    ]
    style.draw_signs(axes, 10, 46, signs, 1.0)


def _most(one: Interval) -> float:
    ends = [one.value] if one.high is None else [one.value, one.high]
    return max((end for end in ends if math.isfinite(end)), default=0.0)


def _round_up(value: float) -> float:
    """Return the next of 0.1, 0.2, 0.5, 1, 2, 5 and so on."""
    if value <= 0:
        return 0.1
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1, 2, 5) if step * power >= value - 1e-12), 10 * power)
