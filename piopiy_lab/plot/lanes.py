"""The lanes of a timeline that show sound: waveforms, speech, the detector, the answer gaps.

Each function draws on axes whose x is seconds of the call's clock; ``gid`` names every artist
("caller-waveform", "vad-confidence", ...) for whoever looks for it in the figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from piopiy_lab import events as ev
from piopiy_lab.display.shown import ShownTurn
from piopiy_lab.display.wording import WHO, milliseconds
from piopiy_lab.plot import style
from piopiy_lab.plot.layout import beside
from piopiy_lab.plot.story import Limits, Span, Story
from piopiy_lab.sound.pcm import Int16

_Curve = npt.NDArray[np.floating]

#: A side is drawn to fill its lane, but nothing quieter than this (of full scale) is blown up.
QUIETEST_PEAK = 0.04
#: Two VAD samples further apart than this (s) aren't joined by a line.
VAD_GAP_SECS = 0.5
#: The lane of the answers' latency, and each further row of its labels, in pixels.
GAP, GAP_ROW = 24.0, 14.0


def draw_waveform(axes: Axes, role: str, samples: Int16, rate: int, pixels: int) -> None:
    """Draw one side's mirrored envelope: peaks lightly, loudness (RMS) in full colour.

    Args:
        axes: The lane, its time range set.
        role: "user" or "assistant".
        samples: int16, shape (n,), from second 0 of the call.
        rate: Hz.
        pixels: How wide the lane is.
    """
    start, end = axes.get_xlim()
    first, last = max(0, int(start * rate)), min(len(samples), int(end * rate) + 1)
    times, peaks, loudness = envelope(samples[first:last], rate, max(1, pixels))
    if not len(times):
        return
    top = max(QUIETEST_PEAK, float(np.quantile(peaks, 0.998)))
    color, name = style.SIDES[role], WHO[role]
    times = times + first / rate
    for values, alpha, what in ((peaks, 0.35, "peaks"), (loudness, 1.0, "waveform")):
        height = np.clip(values / top, 0.0, 1.0)
        axes.fill_between(
            times, -height, height, color=color, alpha=alpha, linewidth=0, gid=f"{name}-{what}"
        )


def envelope(samples: Int16, rate: int, bins: int) -> tuple[_Curve, _Curve, _Curve]:
    """Return times (s), peaks and RMS (0..1) of int16 samples, shape (n,), in ``bins`` bins."""
    size = max(1, -(-len(samples) // bins))
    count = len(samples) // size
    if not count:
        nothing = np.zeros(0)
        return nothing, nothing, nothing
    blocks = samples[: count * size].reshape(count, size).astype(np.float32) / 32_768
    times = (np.arange(count) + 0.5) * (size / rate)
    return times, np.abs(blocks).max(axis=1), np.sqrt(np.square(blocks).mean(axis=1))


def draw_spans(axes: Axes, spans: Sequence[Span], gid: str, **look: Any) -> None:
    """Fill stretches of time over the lane's whole height (or ``bottom`` to ``top``)."""
    bottom, top = axes.get_ylim()
    bottom, top = look.pop("bottom", bottom), look.pop("top", top)
    start, end = axes.get_xlim()
    for span in spans:
        if span.end < start or span.start > end:
            continue
        width = max(span.end - span.start, 0.0)
        look.setdefault("linewidth", 0)
        axes.add_artist(Rectangle((span.start, bottom), width, top - bottom, gid=gid, **look))


def draw_turns(axes: Axes, story: Story) -> None:
    """Draw the user's turns as a bar on the lane's upper edge, the turn model's verdicts on it."""
    color = style.SIDES["user"]
    draw_spans(axes, story.user_turns, "user-turn", bottom=1.08, top=1.2, facecolor=color)
    for complete in (True, False):
        times = [p.at for p in story.predictions if p.complete is complete]
        if times:
            axes.scatter(
                times,
                [1.14] * len(times),
                s=16,
                facecolor=color if complete else style.PAPER,
                edgecolor=color,
                linewidth=1.0,
                zorder=4,
                clip_on=True,
                gid="turn-complete" if complete else "turn-incomplete",
            )


def draw_backchannels(axes: Axes, story: Story) -> None:
    """Draw a small diamond on the user's lane, beside the turns' bar, for each."""
    start, end = axes.get_xlim()
    middles = [(span.start + span.end) / 2 for span in story.backchannels]
    times = [at for at in middles if start <= at <= end]
    if times:
        look = {"marker": "D", "s": 13, "facecolor": style.PAPER, "linewidth": 1.0, "zorder": 4}
        axes.scatter(times, [1.14] * len(times), edgecolor=style.SIDES["user"],
                     gid="backchannel", **look)  # fmt: skip


def draw_risks(axes: Axes, story: Story, per_second: float) -> None:
    """Write below the user's voice in how many runs each pause would have been cut.

    Below the count stands its interval. One that would cover another is left out, first those that
    no run cuts: ``call.turns`` and the table have them all.

    Args:
        axes: The user's lane.
        story: The call.
        per_second: Pixels.
    """
    written: list[tuple[float, float]] = []
    for risk in sorted(story.risks, key=lambda risk: (not risk.some, risk.start)):
        middle = (risk.start + risk.end) / 2
        texts = ((risk.label, "bold", -0.56), (risk.interval, "normal", -0.90))
        width = max(style.width_of(text, style.SMALL_PT, bold) for text, bold, _ in texts) + 4
        span = middle - width / 2 / per_second, middle + width / 2 / per_second
        if any(span[0] < end and start < span[1] for start, end in written):
            continue
        written.append(span)
        color = style.ALARM if risk.some else style.QUIET
        look = {"color": color, "size": style.SMALL_PT, "ha": "center", "va": "center"}
        for text, weight, y in texts:
            style.write(axes, middle, y, text, weight=weight, gid="risk", **look)


@dataclass(frozen=True)
class Gap:
    """An answer's latency in its lane: its label's row, 0 the bar's own, and x in seconds."""

    turn: ShownTurn
    row: int
    x: float


def place_gaps(turns: Sequence[ShownTurn], start: float, end: float, pixels: float) -> list[Gap]:
    """Give each answer's label a place in which it covers nothing, from left to right.

    Args:
        turns: The answered turns.
        start: The lane's, in seconds; only what is within it gets a place.
        end: Likewise.
        pixels: How wide the lane is.
    """
    seen = [t for t in turns if t.start + t.total >= start and t.start <= end]
    seen.sort(key=lambda turn: turn.start)
    second = pixels / (end - start)
    spans = [((t.start - start) * second, (t.start + t.total - start) * second) for t in seen]
    widths = [style.width_of(milliseconds(t.total), style.SMALL_PT, "bold") for t in seen]
    places = beside(spans, widths, pixels)
    return [Gap(turn, row, start + x / second) for turn, (row, x) in zip(seen, places, strict=True)]


def gaps_height(gaps: Sequence[Gap]) -> float:
    """Return the lane's height in pixels."""
    return GAP + GAP_ROW * max((gap.row for gap in gaps), default=0)


def draw_gaps(axes: Axes, gaps: Sequence[Gap], budget: float) -> None:
    """Draw each answer's latency where it happened, its parts in their colours.

    Axes whose y is pixels from the top.
    """
    middle = axes.get_ylim()[0] - GAP / 2
    for gap in gaps:
        x = gap.turn.start
        for name, secs in gap.turn.parts.items():
            color = style.PARTS.get(name, style.QUIET)
            look = {"facecolor": color, "linewidth": 0, "gid": f"gap-{name}"}
            axes.add_artist(Rectangle((x, middle - 5), secs, 10, **look))
            x += secs
        style.write(
            axes,
            gap.x,
            middle - GAP_ROW * gap.row,
            milliseconds(gap.turn.total),
            size=style.SMALL_PT,
            weight="bold",
            color=style.ALARM if gap.turn.total > budget else style.INK,
            va="center",
            clip_on=True,
            bbox={"facecolor": style.PAPER, "edgecolor": "none", "pad": 0.5},
            gid="gap-total",
        )


def draw_stems(axes: Axes, turns: Sequence[ShownTurn], budget: float, per_second: float) -> None:
    """Draw each answer's latency as a standing bar: what is left of it in a call's overview.

    The bars stand on the lane's lower edge; the dashed line is the budget.
    """
    start, end = axes.get_xlim()
    seen = [turn for turn in turns if start <= turn.start + turn.total <= end]
    if not seen:
        return
    axes.set_ylim(0.0, 1.1 * max(budget, *(turn.total for turn in seen)))
    width = max(0.25, 5.0 / per_second)
    for turn in seen:
        y = 0.0
        for name, secs in turn.parts.items():
            place = (turn.start + turn.total - width, y)
            look = {"facecolor": style.PARTS.get(name, style.QUIET), "linewidth": 0}
            axes.add_artist(Rectangle(place, width, secs, gid=f"gap-{name}", **look))
            y += secs
    dashes = (0, (4, 2))
    axes.plot([start, end], [budget, budget], color=style.ALARM, linewidth=0.9, ls=dashes)
    style.write(
        axes,
        end + 8 / per_second,
        budget,
        f"budget {milliseconds(budget)}",
        size=style.SMALL_PT,
        color=style.ALARM,
        va="center",
        gid="gap-budget",
    )


def draw_vad(axes: Axes, story: Story, pixels: int) -> None:
    """Draw the detector's confidence and volume (0..1) and the limits they must pass."""
    start, end = axes.get_xlim()
    samples = [e for e in story.vad if start <= e.at <= end]
    times, confidence, volume = _curves(samples, pixels)
    if np.isfinite(volume).any():
        axes.plot(times, volume, color=style.VOLUME, linewidth=0.9, gid="vad-volume")
    color = style.SIDES["user"]
    axes.fill_between(times, 0, confidence, color=color, alpha=0.12, linewidth=0)
    axes.plot(times, confidence, color=color, linewidth=1.1, gid="vad-confidence")
    for limits in story.limits:
        _draw_limit(axes, limits, limits.confidence, color, (0, (5, 2)), "vad-confidence-limit")
        _draw_limit(
            axes, limits, limits.min_volume, style.VOLUME, (0, (1, 1.5)), "vad-volume-limit"
        )


def _draw_limit(
    axes: Axes, span: Span, value: float | None, color: str, dashes: object, gid: str
) -> None:
    if value is not None:
        axes.plot(
            [span.start, span.end], [value, value], color=color, linewidth=1.0, ls=dashes, gid=gid
        )


def _curves(samples: Sequence[ev.VADSampled], pixels: int) -> tuple[_Curve, _Curve, _Curve]:
    """Return times, confidence and volume, thinned to the pixels, NaN where samples are missing."""
    count = len(samples)
    times = np.fromiter((e.at for e in samples), float, count)
    confidence = np.fromiter((e.confidence for e in samples), float, count)
    volume = np.fromiter((np.nan if e.volume is None else e.volume for e in samples), float, count)
    size = -(-count // max(1, pixels))
    if size > 1:  # keep each group's peak: a short burst matters more than its neighbours
        whole = count // size * size
        times = times[:whole:size]
        confidence = confidence[:whole].reshape(-1, size).max(axis=1)
        volume = volume[:whole].reshape(-1, size).max(axis=1)
    holes = np.flatnonzero(np.diff(times) > max(VAD_GAP_SECS, VAD_GAP_SECS * size)) + 1
    at = np.insert(times, holes, times[holes] if len(holes) else [])
    return at, np.insert(confidence, holes, np.nan), np.insert(volume, holes, np.nan)


def limits_at_end(limits: Sequence[Limits], end: float) -> Limits | None:
    """Return the thresholds that hold at ``end``; None when none are known."""
    known = [span for span in limits if span.start <= end]
    return known[-1] if known else None
