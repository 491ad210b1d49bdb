"""Latency as stacked bars: one for each answered turn, its parts in colour, against a budget."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from piopiy_lab.display.shown import ShownTurn
from piopiy_lab.display.wording import clock, milliseconds
from piopiy_lab.plot import style
from piopiy_lab.plot.layout import trim

ROW = 22.0  # pixels from one bar to the next
HEAD = 54.0  # pixels above the first bar: title and legend
FOOT = 26.0  # pixels below the last bar: the scale
LABEL = 250.0  # pixels left of the bars: what the user said
MAX_BARS = 15


def shown_turns(turns: Sequence[ShownTurn]) -> list[tuple[int, ShownTurn]]:
    """Return the turns that get a bar, numbered from 1: all, or the slowest 15 in order."""
    numbered = list(enumerate(turns, 1))
    if len(numbered) <= MAX_BARS:
        return numbered
    slowest = sorted(numbered, key=lambda pair: -pair[1].total)[:MAX_BARS]
    return sorted(slowest, key=lambda pair: pair[0])


def height_for(turns: Sequence[ShownTurn]) -> float:
    """Return how many pixels :func:`draw_latency` needs; 0 without turns."""
    return HEAD + ROW * len(shown_turns(turns)) + FOOT if turns else 0.0


def draw_latency(axes: Axes, turns: Sequence[ShownTurn], budget: float, pixels: float) -> None:
    """Draw the bars.

    Args:
        axes: Its x becomes seconds; its y is pixels from the top of the first bar.
        turns: The answered turns.
        budget: Where the budget line stands, in seconds.
        pixels: How wide the axes are.
    """
    shown = shown_turns(turns)
    most = max(budget, *(turn.total for _, turn in shown))
    end = most * pixels / (pixels - 64)  # room for the last total
    height = ROW * len(shown)
    style.bare(axes, 0.0, end)
    axes.set_ylim(height, 0)
    per_second = pixels / end
    for i, (number, turn) in enumerate(shown):
        y = i * ROW + 3
        _draw_bar(axes, turn, y, ROW - 6, per_second)
        late = turn.total > budget
        style.write(
            axes,
            turn.total + 6 / per_second,
            y + (ROW - 6) / 2,
            milliseconds(turn.total),
            weight="bold",
            color=style.ALARM if late else style.INK,
            va="center_baseline",
            bbox={"facecolor": style.PAPER, "edgecolor": "none", "pad": 1.0},
            gid="latency-total",
        )
        _draw_label(axes, number, turn, y + (ROW - 6) / 2, per_second)
    _draw_scale(axes, end, height, budget, pixels)
    _draw_head(axes, turns, shown, budget, per_second)


def _draw_bar(axes: Axes, turn: ShownTurn, y: float, height: float, per_second: float) -> None:
    x = 0.0
    for name, secs in turn.parts.items():
        color = style.PARTS.get(name, style.QUIET)
        axes.add_artist(
            Rectangle(
                (x, y),
                secs,
                height,
                facecolor=color,
                edgecolor=style.PAPER,
                linewidth=0.8,
                gid=f"latency-{name}",
            )
        )
        text = f"{secs * 1000:.0f}"
        if secs * per_second > style.width_of(text, style.SMALL_PT) + 6:
            style.write(
                axes,
                x + secs / 2,
                y + height / 2,
                text,
                size=style.SMALL_PT,
                color=style.INK if style.is_light(color) else style.PAPER,
                ha="center",
                va="center_baseline",
                gid="latency-part",
            )
        x += secs


def _draw_label(axes: Axes, number: int, turn: ShownTurn, y: float, per_second: float) -> None:
    said = trim(turn.user or "(nothing)", LABEL - 70, style.width_of)
    style.write(
        axes, -(LABEL - 8) / per_second, y, f"{number}", color=style.QUIET, va="center_baseline"
    )
    style.write(
        axes,
        -(LABEL - 28) / per_second,
        y,
        clock(turn.start),
        color=style.QUIET,
        va="center_baseline",
    )
    style.write(
        axes, -8 / per_second, y, said, ha="right", va="center_baseline", gid="latency-label"
    )


def _draw_scale(axes: Axes, end: float, height: float, budget: float, pixels: float) -> None:
    steps = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
    step = next((s for s in steps if s / end * pixels >= 60), 60.0)
    for i in range(int(end / step) + 1):
        x = i * step
        axes.plot([x, x], [0, height], color=style.FAINT, linewidth=0.7, zorder=0)
        style.write(
            axes,
            x,
            height + 12,
            f"{x * 1000:.0f}" + (" ms" if i == 0 else ""),
            size=style.SMALL_PT,
            color=style.QUIET,
            ha="center",
            va="center",
        )
    axes.plot(
        [budget, budget],
        [-4, height],
        color=style.ALARM,
        linewidth=1.2,
        ls=(0, (4, 2)),
        clip_on=False,
        zorder=0.8,
        gid="latency-budget",
    )
    style.write(
        axes,
        budget,
        -5,
        f"budget {milliseconds(budget)}",
        size=style.SMALL_PT,
        color=style.ALARM,
        ha="center",
        va="bottom",
        gid="latency-budget-label",
    )


def _draw_head(
    axes: Axes,
    turns: Sequence[ShownTurn],
    shown: Sequence[tuple[int, ShownTurn]],
    budget: float,
    per_second: float,
) -> None:
    times = [turn.total for turn in turns]
    late = sum(time > budget for time in times)
    facts = [f"median {milliseconds(statistics.median(times))}", f"{late} over budget"]
    if len(shown) < len(turns):
        facts.append(f"the slowest {len(shown)} of {len(turns)}")
    left = -LABEL / per_second
    title = "From the end of speech to the first sound"
    style.write(axes, left, 6 - HEAD, title, weight="bold", size=9, va="center")
    x = left + (style.width_of(title, 9, "bold") + 24) / per_second
    style.write(axes, x, 6 - HEAD, " · ".join(facts), color=style.QUIET, va="center")
    names = [name for name in style.PARTS if any(turn.parts.get(name) for turn in turns)]
    style.draw_key(
        axes, left, 24 - HEAD, [(style.PARTS[n], style.PART_NAMES[n]) for n in names], per_second
    )
