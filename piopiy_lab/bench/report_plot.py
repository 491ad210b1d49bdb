"""The picture of a report: shares with their intervals, and pauses cut against the wait at ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from piopiy_lab.bench.board import tau_voice_board
from piopiy_lab.bench.end_of_turn import Point, Silence, policies, waits
from piopiy_lab.bench.figures import Figure
from piopiy_lab.plot import style


class Drawn(Protocol):
    """What is drawn of a report."""

    @property
    def name(self) -> str:
        """Whose it is."""
        ...

    @property
    def figures(self) -> Sequence[Figure]:
        """All figures."""
        ...

    @property
    def silences(self) -> Sequence[Silence]:
        """Pauses and ends, with the turn model's scores."""
        ...

    @property
    def ends(self) -> Point:
        """What the agent really did with them."""
        ...

    def __getitem__(self, key: str) -> Figure:
        """Return a figure."""
        ...


TITLE = "Turn-taking"
WIDE, LEFT, ROW, HEAD = 460.0, 150.0, 34.0, 64.0  # of the shares, pixels
BETWEEN, CURVE, RIGHT, FOOT = 90.0, 340.0, 40.0, 56.0
#: The wait at which the curve's axis ends, seconds.
LONGEST = 2.0
_COLOURS = (style.SIDES["user"], style.SIDES["assistant"])
_BOARD = style.QUIET


def draw(reports: Sequence[Drawn]) -> Picture:
    """Draw a report, or two beside each other.

    Args:
        reports: One or two.
    """
    shares = [figure for figure in reports[0].figures if figure.unit == "share"]
    high = ROW * len(shares)
    width = LEFT + WIDE + BETWEEN + CURVE + RIGHT
    height = HEAD + high + FOOT
    picture = style.CallFigure(width, height)
    around = picture.add_axes((0, 0, 1, 1), label="around")
    style.bare(around, 0.0, width)
    around.set_ylim(height, 0.0)
    style.write(around, 10, 18, TITLE, size=12, weight="bold", va="center", gid="title")
    x = 10 + style.width_of(TITLE, 12, "bold") + 14
    key = [(_COLOURS[place], one.name) for place, one in enumerate(reports)]
    board = tau_voice_board()
    key.append((_BOARD, f"the systems of the public board, {board.as_of}"))
    style.draw_key(around, x, 19, key, 1.0)
    _shares(around, reports, high)
    _curve(picture, around, reports, width, height, high)
    names = " and ".join(one.name for one in reports)
    picture.set_label(f"shares of turn-taking with their intervals, and pauses cut, of {names}")
    return picture


def _shares(around: Axes, reports: Sequence[Drawn], high: float) -> None:
    board = tau_voice_board()
    quiet = {"color": style.QUIET, "ha": "center", "va": "center"}
    for step in range(5):
        x = LEFT + WIDE * step / 4
        around.plot([x, x], [HEAD, HEAD + high], color=style.FAINT, linewidth=0.8, zorder=0)
        style.write(around, x, HEAD + high + 14, f"{step / 4:g}", **quiet)
    style.write(around, LEFT + WIDE / 2, HEAD + high + 36, "share, with its 95 % interval", **quiet)
    row = 0
    for figure in reports[0].figures:
        if figure.unit != "share":
            continue
        y = HEAD + (row + 0.5) * ROW
        style.write(around, LEFT - 12, y, figure.name, ha="right", va="center")
        kind = figure.key.partition(".")[2]
        if figure.key.startswith("tau."):
            values = [of[kind] for of in board.systems.values() if kind in of]
            places = [LEFT + WIDE * value for value in values]
            around.plot(
                places, [y] * len(values), "|", color=_BOARD, markersize=9, alpha=0.7, gid="board"
            )
        for place, report in enumerate(reports):
            one, color = report[figure.key], _COLOURS[place]
            at = y + 6 * (place - (len(reports) - 1) / 2)
            if one.low is not None and one.high is not None:
                ends = [LEFT + WIDE * one.low, LEFT + WIDE * one.high]
                around.plot(ends, [at, at], color=color, linewidth=2.4, alpha=0.55, gid="interval")
            if one.value is not None:
                around.plot([LEFT + WIDE * one.value], [at], "o", color=color, markersize=5)
        row += 1


def _curve(
    picture: Picture,
    around: Axes,
    reports: Sequence[Drawn],
    width: float,
    height: float,
    high: float,
) -> None:
    left = LEFT + WIDE + BETWEEN
    axes = picture.add_axes(
        (left / width, 1 - (HEAD + high) / height, CURVE / width, high / height), label="curve"
    )
    style.bare(axes, 0.0, LONGEST)
    axes.set_ylim(0.0, 1.0)
    look = {"color": style.QUIET, "va": "center"}
    for step in range(5):
        axes.plot([0, LONGEST], [step / 4, step / 4], color=style.FAINT, linewidth=0.8, zorder=0)
        y = HEAD + high * (1 - step / 4)
        style.write(around, left - 8, y, f"{step / 4:g}", ha="right", **look)
        x = left + CURVE * step / 4
        style.write(around, x, HEAD + high + 14, f"{LONGEST * step / 4:g}", ha="center", **look)
    foot = "mean wait at the end of a turn, s"
    style.write(around, left + CURVE / 2, HEAD + high + 36, foot, ha="center", **look)
    style.write(around, left - 40, HEAD - 14, "pauses cut", weight="bold", va="center")
    for place, report in enumerate(reports):
        color = _COLOURS[place]
        silences = report.silences
        if place == 0 and silences:
            _line(axes, waits(silences), style.QUIET, ":", "a wait alone")
            _line(axes, policies(silences), color, "-", "the turn model, other settings")
        if report.ends.latency is not None and report.ends.cut.n:
            axes.plot(
                [min(report.ends.latency, LONGEST)],
                [report.ends.cut.share],
                "o",
                color=color,
                markersize=7,
                clip_on=False,
                gid="as it was",
            )
    key = [(_COLOURS[0], "its turn model, other settings"), (style.QUIET, "a wait alone")]
    style.draw_key(around, left + 40, HEAD - 14, key, 1.0)


def _line(axes: Axes, points: Sequence[Point], color: str, dashes: str, name: str) -> None:
    """Draw a front as steps: between two points the later one's cuts are not had yet."""
    known = [(one.latency, one.cut.share) for one in points if one.latency is not None]
    if known:
        xs, ys = zip(*known, strict=True)
        axes.step(
            [*xs, LONGEST],
            [*ys, ys[-1]],
            where="post",
            color=color,
            linestyle=dashes,
            linewidth=1.4,
            gid=name,
        )
