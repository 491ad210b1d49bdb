"""``Sweep``: the points of a sweep, as a table and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from piopiy_lab.checks.data_frames import ANYTHING, data_frame
from piopiy_lab.errors import ArgumentError
from piopiy_lab.experiments.figures.how_sure import LATE_SECS, OF_ANSWERS, Figure
from piopiy_lab.experiments.figures.listing import html_table, text_table
from piopiy_lab.experiments.showing.comparison_words import interval_text
from piopiy_lab.experiments.showing.text_file import check_free, write_text
from piopiy_lab.experiments.sweep_points import Point, label_of
from piopiy_lab.redaction import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture
    from pandas import DataFrame


class Sweep(Sequence[Point]):
    """The points of a sweep, in the order of the axes; each was heard by the same callers.

    It shows itself: a row for each point, with intervals and what differs from the first, and the
    picture. ``sweep.at(stop_secs=0.4)`` is one point, ``sweep.at(stop_secs=0.4).calls`` its calls.

    Attributes:
        axes: The values that were tried, by name.
        notices: What has to be said: what has no price.
    """

    def __init__(
        self,
        points: Sequence[Point],
        axes: Mapping[str, Sequence[object]],
        notices: Sequence[str] = (),
    ) -> None:
        """Take the points; :func:`sweep_agents` makes them."""
        self._points = tuple(points)
        self.axes = dict(axes)
        self.notices = tuple(notices)

    def __getitem__(self, which: int) -> Point:  # type: ignore[override]  # no slices
        return self._points[which]

    def __len__(self) -> int:
        return len(self._points)

    def at(self, **params: object) -> Point:
        """Return the point with these parameters; all that differ between points must be given.

        Raises:
            ArgumentError: No point has them, or several have.
        """
        found = [p for p in self if all(p.params.get(n, self) == v for n, v in params.items())]
        if len(found) != 1:
            axes = "; ".join(
                f"{name} in {', '.join(map(label_of, values))}"
                for name, values in self.axes.items()
            )
            asked = ", ".join(f"{name}={value!r}" for name, value in params.items())
            raise ArgumentError(f"at({asked}): {len(found)} points have that; there are {axes}")
        return found[0]

    def text(self) -> str:
        """Return the table as text."""
        lines = [text_table(*self._table())]
        return "\n".join([*lines, *(f"note: {shown(notice)}" for notice in self.notices)])

    def plot(self, figure: str = "mean", **where: object) -> Picture:
        """Draw it: along one axis curves with intervals, along two a map.

        Args:
            figure: Which of the answers' figures: "mean", "p50", "p95" or "late".
            **where: With more than two axes the values of the others.

        Raises:
            ArgumentError: No such figure or value, or more than two axes are left.
        """
        from piopiy_lab.experiments.sweep_plot import draw

        if figure not in OF_ANSWERS:
            raise ArgumentError(f"plot({figure!r}): the figures are {', '.join(OF_ANSWERS)}")
        for name, value in where.items():
            if value not in self.axes.get(name, ()):
                raise ArgumentError(f"plot({name}={value!r}): no point has that")
        left = {n: values for n, values in self.axes.items() if n not in where and len(values) > 1}
        if len(left) > 2:
            raise ArgumentError(
                f"plot(): {len(left)} axes are left ({', '.join(left)}), and two can be drawn: "
                f"give the others, plot({list(left)[2]}={left[list(left)[2]][0]!r})"
            )
        left = left or {n: v for n, v in self.axes.items() if n not in where} or self.axes
        points = [p for p in self if all(p.params[n] == v for n, v in where.items())]
        return draw(points, dict(list(left.items())[:2]), figure)

    def to_pandas(self, *, calls: bool = False) -> DataFrame:
        """Return a table: a row for each point, or for each call, with the parameters as columns.

        Args:
            calls: A row for each call.

        Raises:
            MissingExtraError: pandas isn't installed (the extra ``pandas``).
        """
        if calls:
            from piopiy_lab.experiments.figures.frames import calls_frame

            return calls_frame([row for point in self for row in point.calls])
        numbers = ["calls", "pass_rate", "pass_low", "pass_high"]
        numbers += [f"{name}{end}" for name in OF_ANSWERS for end in ("", "_low", "_high")]
        numbers += ["word_errors", "cost", "differing"]
        columns = {**dict.fromkeys(self.axes, ANYTHING), **dict.fromkeys(numbers, "float64")}
        return data_frame(map(_record, self), columns)

    def save_html(self, path: str | PathLike[str], overwrite: bool = False) -> Path:
        """Save the table and the picture as one page that needs nothing from outside.

        Returns:
            The file's whole path.

        Raises:
            SavedCallError: The file is there already, or can't be written.
        """
        from piopiy_lab.display.document import document

        check_free(path, overwrite)
        return write_text(path, document(repr(self)[1:-1], self._repr_html_()), overwrite)

    def __repr__(self) -> str:
        axes = " x ".join(f"{name} ({len(values)})" for name, values in self.axes.items())
        return f"<Sweep: {len(self)} points, {axes}>"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from piopiy_lab.display.bundle import picture_html
        from piopiy_lab.plot.style import png_of

        more = [name for name, values in self.axes.items() if len(values) > 1][2:]
        if more:
            given = ", ".join(f"{name}={self.axes[name][0]!r:.40}" for name in more)
            told = f"No picture: {len(more) + 2} axes differ and two can be drawn. "
            picture = f"<p>{escape(shown(f'{told}sweep.plot({given}) draws one.'))}</p>"
        else:
            drawn = self.plot()
            picture = picture_html(png_of(drawn), str(drawn.get_label()))
        told = "".join(f"<p>{escape(shown(notice))}</p>" for notice in self.notices)
        return f"<div>{html_table(*self._table())}{picture}{told}</div>"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        """Return the heads and the cells; a column that nothing is in is left out."""
        heads = [
            *self.axes,
            "passed",
            *(f"over {LATE_SECS:g} s" if name == "late" else name for name in OF_ANSWERS),
            "words not understood",
            "cost a call",
            "mean, from the first",
            "calls that differ",
        ]
        rows = [_cells(point) for point in self]
        kept = [
            place
            for place in range(len(heads))
            if place < len(self.axes) or any(row[place] for row in rows)
        ]
        return [heads[i] for i in kept], [[shown(row[i]) for i in kept] for row in rows]


def _cells(point: Point) -> list[str]:
    words = point.word_errors
    against = "the first"
    differ = ""
    if point.comparison is not None:
        mean = point.comparison["mean"]
        against = f"{interval_text(mean)} {mean.verdict}".strip()
        differ = f"{len(point.comparison.differing)} of {len(point.calls)}"
    return [
        *map(label_of, point.params.values()),
        str(point.pass_rate),
        *(_figure_text(point.figure(name)) for name in OF_ANSWERS),
        "" if words is None else str(words),
        "" if point.cost is None else f"{point.cost:.4g}",
        against,
        differ,
    ]


def _figure_text(one: Figure) -> str:
    if one.value is None:
        return "none"
    scale, form, unit = (1.0, ".2f", "") if one.name == "late" else (1000.0, ".0f", " ms")
    ends = ""
    if one.low is not None and one.high is not None:
        ends = f" ({scale * one.low:{form}} to {scale * one.high:{form}})"
    lacks = f", {one.missing} never came" if one.missing and one.name == "mean" else ""
    return f"{scale * one.value:{form}}{unit}{ends}{lacks}"


def _record(point: Point) -> dict[str, object]:
    rate, words = point.pass_rate, point.word_errors
    told: dict[str, object] = {
        **point.params,
        "calls": len(point.calls),
        "pass_rate": rate.rate,
        "pass_low": rate.low,
        "pass_high": rate.high,
        "word_errors": None if words is None else words.rate,
        "cost": point.cost,
        "differing": None if point.comparison is None else len(point.comparison.differing),
    }
    for name in OF_ANSWERS:
        one = point.figure(name)
        told |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
    return told
