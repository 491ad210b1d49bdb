"""The picture of a sweep: along one axis curves with intervals, along two a map."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.patches import Rectangle

from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.figures.how_sure import LATE_SECS
from piopiy_lab.experiments.sweep_points import Point, label_of
from piopiy_lab.plot import style

TITLE = "One agent, other parameters, the same sound"
LEFT, RIGHT, HEAD, FOOT = 110.0, 40.0, 60.0, 56.0  # margins, pixels
PANEL, GAP, STEP = 170.0, 44.0, 120.0  # a panel's height, between two, pixels of a value
CELL, ROW = 150.0, 56.0  # of the map, pixels
LEAST = 460.0  # a picture's width without its margins, pixels

_COLOURS: Mapping[str, str] = {"mean": "#0072b2", "p50": "#117733", "p95": "#882255"}
Axis = tuple[str, Sequence[object]]


def draw(points: Sequence[Point], axes: Mapping[str, Sequence[object]], figure: str) -> Picture:
    """Draw points along one axis or two.

    Args:
        points: Those to be drawn.
        axes: One axis or two, by name.
        figure: "mean", "p50", "p95" or "late".
    """
    across, *up = axes.items()
    return _map(points, across, up[0], figure) if up else _curves(points, across, figure)


def _title(figure: str) -> str:
    if figure == "late":
        return f"answers over {LATE_SECS:g} s"
    return f"{figure} of answers, ms" if figure != "mean" else "mean of a call's answers, ms"


def _scaled(figure: str, value: float) -> float:
    return value if figure == "late" else 1000 * value


def _said(figure: str, value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:.2f}" if figure == "late" else f"{1000 * value:.0f}"


# --- one axis ---------------------------------------------------------------------------------


def _curves(points: Sequence[Point], axis: Axis, figure: str) -> Picture:
    name, values = axis
    wide = max(LEAST, STEP * len(values))
    width, height = LEFT + wide + RIGHT, HEAD + 2 * PANEL + GAP + FOOT
    picture = style.CallFigure(width, height)
    picture.set_label(f"{_title(figure)} and passes of {len(points)} points by {name}")
    around = picture.add_axes((0, 0, 1, 1), label="around")
    style.bare(around, 0.0, width)
    around.set_ylim(height, 0.0)
    _head(around, len(points))
    places = _places(values)
    low_end = HEAD + 2 * PANEL + GAP
    for place, value in zip(places, values, strict=True):
        look = {"color": style.QUIET, "ha": "center", "va": "center"}
        style.write(around, LEFT + place * wide, low_end + 16, label_of(value), **look)
    bold = {"size": 9, "weight": "bold", "color": style.SIDES["user"], "va": "center"}
    style.write(around, LEFT + wide / 2, low_end + 38, name, ha="center", **bold)
    shown = ["mean", "p50", "p95"] if figure == "mean" else [figure]
    lines = {
        which: (
            _COLOURS.get(which, style.SIDES["user"]),
            [_triple(point, which) for point in _ordered(points, name, values)],
        )
        for which in shown
    }
    title = "answers, ms" if len(shown) > 1 else _title(figure)
    _panel(picture, around, (HEAD, wide, width, height), title, places, lines)
    rates = [
        (point.pass_rate.rate, point.pass_rate.low, point.pass_rate.high)
        for point in _ordered(points, name, values)
    ]
    _panel(
        picture,
        around,
        (HEAD + PANEL + GAP, wide, width, height),
        "share of calls that passed",
        places,
        {"passed": (style.SIDES["assistant"], rates)},
        top=1.0,
    )
    return picture


_Triple = tuple[float | None, float | None, float | None]


def _triple(point: Point, figure: str) -> _Triple:
    one = point.figure(figure)
    value, low, high = (
        None if end is None else _scaled(figure, end) for end in (one.value, one.low, one.high)
    )
    return value, low, high


def _ordered(points: Sequence[Point], name: str, values: Sequence[object]) -> list[Point]:
    return [next(p for p in points if p.params[name] == value) for value in values]


def _places(values: Sequence[object]) -> list[float]:
    """Return where values stand, 0 to 1: numbers that rise as they are, others evenly."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(values) > 1 and numbers == sorted(numbers):
        most, least = float(numbers[-1]), float(numbers[0])
        return [0.05 + 0.9 * (float(v) - least) / (most - least) for v in numbers]
    return [(i + 0.5) / len(values) for i in range(len(values))]


def _panel(
    picture: Picture,
    around: Axes,
    box: tuple[float, float, float, float],
    title: str,
    places: Sequence[float],
    lines: Mapping[str, tuple[str, Sequence[_Triple]]],
    top: float | None = None,
) -> None:
    at, wide, width, height = box
    axes = picture.add_axes(
        (LEFT / width, 1 - (at + PANEL) / height, wide / width, PANEL / height), label=title
    )
    style.bare(axes, 0.0, 1.0)
    ends = [
        e for _, triples in lines.values() for triple in triples for e in triple if e is not None
    ]
    most = top or _round_up(max(ends, default=1.0))
    axes.set_ylim(0.0, most)
    for share in (0.0, 0.5, 1.0):
        value = share * most
        axes.plot([0, 1], [value, value], color=style.FAINT, linewidth=0.8, zorder=0)
        told = f"{value:.2g}" if most <= 2 else f"{value:.0f}"
        y = at + PANEL * (1 - share)
        look = {"color": style.QUIET, "ha": "right", "va": "center"}
        style.write(around, LEFT - 8, y, told, **look)
    for number, (name, (color, triples)) in enumerate(lines.items()):
        moved = [place + 0.009 * (number - (len(lines) - 1) / 2) for place in places]
        known = [(x, t[0]) for x, t in zip(moved, triples, strict=True) if t[0] is not None]
        axes.plot(
            [x for x, _ in known], [y for _, y in known], color=color, linewidth=1.4, gid=name
        )
        for x, (value, low, high) in zip(moved, triples, strict=True):
            if low is not None and high is not None:
                axes.plot(
                    [x, x], [low, high], color=color, linewidth=2.4, alpha=0.55, gid="interval"
                )
            if value is not None:
                axes.plot([x], [value], "o", color=color, markersize=5, clip_on=False)
    style.write(around, 10, at - 14, title, weight="bold", va="center")
    if len(lines) > 1:
        key = [(color, name) for name, (color, _) in lines.items()]
        style.draw_key(
            around, 10 + style.width_of(title, style.TEXT_PT, "bold") + 18, at - 14, key, 1.0
        )


def _round_up(value: float) -> float:
    """Return the next number that is easily read: 1, 1.5, 2, 3, 4, 5, 6 or 8 and zeros."""
    if value <= 0:
        return 1.0
    ten = 10.0 ** math.floor(math.log10(value))
    steps = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
    return next(step * ten for step in steps if step * ten >= value * 0.999)


def _head(axes: Axes, points: int) -> None:
    style.write(axes, 10, 18, TITLE, size=12, weight="bold", va="center", gid="title")
    x = 10 + style.width_of(TITLE, 12, "bold") + 12
    told = f"{points} points · 95 % intervals"
    style.write(axes, x, 19, told, size=9, color=style.QUIET, va="center")


# --- two axes ---------------------------------------------------------------------------------


def _map(points: Sequence[Point], across: Axis, up: Axis, figure: str) -> Picture:
    (x, right), (y, above) = across, up
    wide, high = max(LEAST, CELL * len(right)), ROW * len(above)
    left = LEFT + 60
    width, height = left + wide + RIGHT, HEAD + high + FOOT
    picture = style.CallFigure(width, height)
    picture.set_label(f"{_title(figure)} and passes of {len(points)} points by {x} and {y}")
    axes = picture.add_axes((0, 0, 1, 1), label="map")
    style.bare(axes, 0.0, width)
    axes.set_ylim(height, 0.0)
    _head(axes, len(points))
    style.write(axes, 10, 42, f"{_title(figure)}; below it the share that passed", va="center")
    known = [v for p in points if (v := p.figure(figure).value) is not None]
    most, least = max(known, default=1.0), min(known, default=0.0)
    cell = wide / len(right)
    for column, one in enumerate(right):
        for row, other in enumerate(above):
            point = _at(points, {x: one, y: other})
            box = (left + column * cell, HEAD + row * ROW, cell, ROW)
            _cell(axes, box, point, figure, least, most)
    quiet = {"color": style.QUIET, "va": "center"}
    for column, one in enumerate(right):
        place = left + (column + 0.5) * cell
        style.write(axes, place, HEAD + high + 14, label_of(one), ha="center", **quiet)
    for row, other in enumerate(above):
        style.write(axes, left - 8, HEAD + (row + 0.5) * ROW, label_of(other), ha="right", **quiet)
    bold = {"size": 9, "weight": "bold", "color": style.SIDES["user"], "va": "center"}
    style.write(axes, left + wide / 2, HEAD + high + 36, x, ha="center", **bold)
    style.write(axes, 10, HEAD + high / 2, y, **bold)
    return picture


def _at(points: Sequence[Point], params: Mapping[str, object]) -> Point:
    for point in points:
        if all(point.params[name] == value for name, value in params.items()):
            return point
    raise ArgumentError(f"no point has {params!r:.80}")


def _cell(
    axes: Axes,
    box: tuple[float, float, float, float],
    point: Point,
    figure: str,
    least: float,
    most: float,
) -> None:
    x, y, wide, high = box
    one, rate = point.figure(figure), point.pass_rate
    share = 0.0 if one.value is None or most <= least else (one.value - least) / (most - least)
    color = _mixed(0.06 + 0.6 * share)
    ink = style.INK if style.is_light(color) else style.PAPER
    look = {"facecolor": color, "edgecolor": style.PAPER, "linewidth": 1.5, "gid": "cell"}
    axes.add_artist(Rectangle((x, y), wide, high, **look))
    told = _said(figure, one.value)
    if one.low is not None and one.high is not None:
        told += f" ({_said(figure, one.low)} to {_said(figure, one.high)})"
    style.write(
        axes, x + wide / 2, y + 20, told, color=ink, weight="bold", ha="center", va="center"
    )
    style.write(
        axes, x + wide / 2, y + 38, f"{rate.count} of {rate.n} passed",
        color=ink, ha="center", va="center", size=style.SMALL_PT,
    )  # fmt: skip


def _mixed(share: float) -> str:
    """Return the alarm's colour on paper: 0 is white, 1 is all of it."""
    full, paper = (
        [int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (style.ALARM, style.PAPER)
    )
    mixed = (round(p + share * (f - p)) for f, p in zip(full, paper, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)
