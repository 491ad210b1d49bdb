"""Puts a call's lanes together: one figure, read from top to bottom along one clock.

::

    title and legend
    what the caller said
    the caller's waveform, speech (shaded) and turns (bar)
    the answers' latency, where it happened
    the agent's waveform
    what the agent said: heard, cut, and what nobody heard (struck through)
    tools, keys, errors, switches
    the detector: confidence, volume, and their limits
    the clock
    latency bars
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from piopiy_lab.display.shown import ShownCall, ShownEntry
from piopiy_lab.display.wording import WHO, clock, facts_of, name_of, unheard
from piopiy_lab.errors import ArgumentError
from piopiy_lab.plot import lanes, latency, style, words
from piopiy_lab.plot.story import Span, Story, read_story
from piopiy_lab.plot.words import Scale

LEFT, RIGHT = 62.0, 112.0  # margins, pixels
PER_SECOND = 46.0  # pixels; less when the call is long
NARROWEST, WIDEST, OVERVIEW = 1000.0, 3200.0, 1800.0  # of the lanes, pixels
TITLE, WAVE, STEMS, VAD, CLOCK = 56.0, 66.0, 64.0, 58.0, 30.0  # heights, pixels


class Timeline:
    """One figure being made; used once, by one thread."""

    def __init__(self, call: ShownCall, start: float | None, end: float | None, budget: float):
        self.call = call
        self.story: Story = read_story(call)
        self.budget = budget
        first, last = time_range(self.story.end, start, end)
        self.scale: Scale = scale_for(first, last)

    def draw(self) -> style.CallFigure:
        """Lay out everything, then draw it."""
        story, scale = self.story, self.scale
        self.gaps = lanes.place_gaps(story.turns, scale.start, scale.end, scale.pixels)
        gap = STEMS if scale.overview else lanes.gaps_height(self.gaps)
        turns = [t for t in story.turns if scale.start <= t.start + t.total <= scale.end]
        rest = {id(entry): unheard(self.call, entry) for entry in story.entries}
        said = {role: words.lay_out(self._entries(role), scale, rest) for role in style.SIDES}
        marks = words.place_marks(story.marks, scale)
        rows = min(words.MAX_MARK_ROWS, max((row for _, row, _, _ in marks), default=-1) + 1)
        heights = {
            "title": TITLE,
            "user-words": _text_height(said["user"]),
            "user": WAVE,
            "gap": gap,
            "assistant": WAVE,
            "assistant-words": _text_height(said["assistant"]),
            "marks": rows * words.MARK_ROW + (8 if rows else 0),
            "vad": VAD if story.vad else 0.0,
            "clock": CLOCK,
            "latency": latency.height_for(turns),
            "foot": 8.0,
        }
        self.height = sum(heights.values())
        self.figure: style.CallFigure = style.CallFigure(LEFT + scale.pixels + RIGHT, self.height)
        self._tops: dict[str, float] = {}
        top = 0.0
        for name, height in heights.items():
            self._tops[name] = top
            top += height
        self._draw_backdrop(heights)
        self._draw_title()
        for role, blocks in said.items():
            if blocks:
                axes = self._pixel_axes(f"{role}-words", heights[f"{role}-words"])
                words.draw_blocks(axes, blocks, scale, above=role == "user")
        self._draw_sides()
        self._draw_gap(gap)
        if rows:
            axes = self._pixel_axes("marks", heights["marks"])
            words.draw_marks(axes, marks, scale, rows)
        if story.vad:
            self._draw_vad()
        if turns:
            self._draw_latency(turns, heights["latency"])
        return self.figure

    def _entries(self, role: str) -> list[ShownEntry]:
        entries = [e for e in self.story.entries if e.role == role]
        return [e for e in entries if getattr(e, "source", "spoken") != "keypad"]

    # --- axes -------------------------------------------------------------------------------

    def _axes(self, name: str, height: float, bottom: float, top: float) -> Axes:
        """Add a lane: time along x, ``bottom`` to ``top`` along y."""
        width = LEFT + self.scale.pixels + RIGHT
        below = self.height - self._tops[name] - height
        axes = self.figure.add_axes(
            (
                LEFT / width,
                below / self.height,
                self.scale.pixels / width,
                height / self.height,
            ),
            label=name,
        )
        style.bare(axes, self.scale.start, self.scale.end)
        axes.set_ylim(bottom, top)
        return axes

    def _pixel_axes(self, name: str, height: float) -> Axes:
        return self._axes(name, height, height, 0.0)

    def _name(self, axes: Axes, text: str, color: str) -> None:
        style.write(
            axes,
            -10 / self.scale.pixels,
            0.5,
            text,
            transform=axes.transAxes,
            color=color,
            size=9,
            weight="bold",
            ha="right",
            va="center",
        )

    # --- lanes ------------------------------------------------------------------------------

    def _draw_backdrop(self, heights: dict[str, float]) -> None:
        """Draw the clock's grid and the interruptions behind (and through) all lanes."""
        height = self._tops["clock"] - self._tops["user-words"]
        axes = self._axes("user-words", height, height, 0.0)
        axes.set_label("backdrop")
        axes.set_zorder(-1)
        scale = self.scale
        steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
        step = next((s for s in steps if s * scale.per_second >= 55), 1800)
        top = heights["user-words"]
        for i in range(int(np.ceil(scale.start / step - 1e-9)), int(scale.end / step + 1e-9) + 1):
            x = i * step
            axes.plot([x, x], [top, height], color=style.FAINT, linewidth=0.7, gid="grid")
            style.write(
                axes,
                x,
                height + 12,
                clock(x, 0 if step >= 1 else 1),
                size=style.SMALL_PT,
                color=style.QUIET,
                ha="center",
                va="center",
                gid="clock",
            )
        for at in self.story.interruptions:
            if scale.start <= at <= scale.end:
                axes.plot(
                    [at, at],
                    [top, self._tops["assistant"] - self._tops["user-words"] + WAVE],
                    color=style.ALARM,
                    linewidth=1.2,
                    ls=(0, (4, 2)),
                    gid="interruption",
                )

    def _draw_title(self) -> None:
        axes = self._pixel_axes("title", TITLE)
        scale = self.scale
        left = scale.start - (LEFT - 10) / scale.per_second
        name = name_of(self.call)
        style.write(axes, left, 20, name, size=12, weight="bold", va="center", gid="title")
        facts = facts_of(self.call)
        if (scale.start, scale.end) != (0.0, max(self.story.end, 1.0)):
            facts.insert(0, f"{clock(scale.start, 1)} to {clock(scale.end, 1)} of")
        x = left + (style.width_of(name, 12, "bold") + 12) / scale.per_second
        style.write(axes, x, 21, " · ".join(facts).replace("of ·", "of"), size=9, color=style.QUIET)
        axes.texts[-1].set_verticalalignment("center")
        items = [(style.SIDES["user"], "caller"), (style.SIDES["assistant"], "agent")]
        if self.story.user_speech:
            items.append((style.SPEECH, "speech detected"))
        if self.story.held:
            items.append((style.HELD, "agent held"))
        signs = [("▬", style.SIDES["user"], "caller's turn")] if self.story.user_turns else []
        if self.story.predictions:
            signs.append(("●", style.SIDES["user"], "judged complete"))
            signs.append(("○", style.SIDES["user"], "not yet"))
        if self.story.backchannels:
            signs.append(("◇", style.SIDES["user"], "backchannel"))
        if self.story.risks:
            first = max(self.story.risks, key=lambda risk: risk.some)
            color = style.ALARM if first.some else style.QUIET
            signs.append((first.label, color, "pause cut in so many runs (95 % interval)"))
        if self.story.interruptions:
            signs.append(("┆", style.ALARM, "agent interrupted"))
        x = style.draw_key(axes, left, 43, items, scale.per_second)
        style.draw_signs(axes, x, 43, signs, scale.per_second)

    def _draw_sides(self) -> None:
        story, scale = self.story, self.scale
        recording = self.call.recording
        rate = int(getattr(recording, "sample_rate", 0) or 0)
        samples = np.asarray(recording) if rate and len(recording) else None
        for side, role in enumerate(style.SIDES):
            axes = self._axes(role, WAVE, -1.06, 1.28 if role == "user" else 1.06)
            color = style.SIDES[role]
            self._name(axes, WHO[role], color)
            axes.plot([scale.start, scale.end], [0, 0], color=color, linewidth=0.5, alpha=0.6)
            spans = story.user_speech if role == "user" else story.agent_speech
            spoke = spans or [Span(e.start, e.end) for e in self._entries(role)]
            if role == "user":
                lanes.draw_spans(axes, spans, "user-speech", facecolor=style.SPEECH, zorder=0.5)
                look = {"facecolor": style.FAINT, "alpha": 0.7, "hatch": "////"}
                lanes.draw_spans(axes, story.muted, "muted", edgecolor=style.QUIET, **look)
                lanes.draw_turns(axes, story)
                lanes.draw_backchannels(axes, story)
                lanes.draw_risks(axes, story, scale.per_second)
            else:
                lanes.draw_spans(axes, story.held, "held", facecolor=style.HELD, zorder=0.5)
            if samples is not None:
                lanes.draw_waveform(axes, role, samples[:, side], rate, int(scale.pixels))
            else:
                look = {"facecolor": color, "alpha": 0.5, "bottom": -0.45, "top": 0.45}
                lanes.draw_spans(axes, spoke, f"{role}-spoke", **look)

    def _draw_gap(self, height: float) -> None:
        """Draw the lane between both voices: how long each answer took."""
        scale = self.scale
        axes = self._pixel_axes("gap", height)
        if scale.overview:
            lanes.draw_stems(axes, self.story.turns, self.budget, scale.per_second)
        else:
            lanes.draw_gaps(axes, self.gaps, self.budget)
        if not len(self.call.recording):
            text = "no recording" if self.story.end else "nothing happened"
            x, y = scale.start + 6 / scale.per_second, sum(axes.get_ylim()) / 2
            style.write(axes, x, y, text, color=style.QUIET, va="center")

    def _draw_vad(self) -> None:
        axes = self._axes("vad", VAD, -0.06, 1.06)
        self._name(axes, "VAD", style.SIDES["user"])
        look = {"facecolor": style.SPEECH, "zorder": 0.5}
        lanes.draw_spans(axes, self.story.user_speech, "user-speech", **look)
        lanes.draw_vad(axes, self.story, int(self.scale.pixels))
        limits = lanes.limits_at_end(self.story.limits, self.scale.end)
        names = [("confidence", style.SIDES["user"], limits and limits.confidence)]
        if any(e.volume is not None for e in self.story.vad):
            names.append(("volume", style.VOLUME, limits and limits.min_volume))
        for i, (name, color, limit) in enumerate(names):
            text = name if limit is None else f"{name} ≥ {limit:g}"
            style.write(
                axes,
                1 + 8 / self.scale.pixels,
                0.7 - 0.35 * i,
                text,
                transform=axes.transAxes,
                color=color,
                size=style.SMALL_PT,
                va="center",
                gid="vad-name",
            )

    def _draw_latency(self, turns: list, height: float) -> None:
        width = LEFT + self.scale.pixels + RIGHT
        pixels = min(self.scale.pixels + LEFT - latency.LABEL, 900.0)
        below = self.height - self._tops["latency"] - height + latency.FOOT
        axes = self.figure.add_axes(
            (
                (latency.LABEL + 10) / width,
                below / self.height,
                pixels / width,
                (height - latency.HEAD - latency.FOOT) / self.height,
            ),
            label="latency",
        )
        latency.draw_latency(axes, turns, self.budget, pixels)


def _text_height(blocks: list[words.Block]) -> float:
    lines = max((len(block.lines) for block in blocks), default=0)
    return lines * words.LINE + 8 if lines else 6.0


def scale_for(start: float, end: float) -> Scale:
    """Return how wide the lanes are: as wide as text needs, up to a point; then an overview."""
    pixels = min(max(PER_SECOND * (end - start), NARROWEST), WIDEST)
    scale = Scale(start, end, pixels)
    return Scale(start, end, OVERVIEW) if scale.overview else scale


def time_range(length: float, start: float | None, end: float | None) -> tuple[float, float]:
    """Return the seconds to draw, checked.

    Raises:
        ArgumentError: There is nothing between ``start`` and ``end``.
    """
    length = max(length, 1.0)
    first = 0.0 if start is None else max(0.0, float(start))
    last = length if end is None else min(float(end), length)
    if not last - first > 1e-3:
        raise ArgumentError(
            f"there is nothing to draw from {start!r} to {end!r} s: "
            f"the call is {length:.1f} s long, and start must be before end"
        )
    return first, last


def latency_figure(call: ShownCall, budget: float) -> style.CallFigure:
    """Return a figure of the latency bars alone; one line of text when nothing was answered."""
    turns = list(call.turns)
    pixels = 700.0
    width = latency.LABEL + pixels + 20
    height = latency.height_for(turns) + 12 if turns else 60.0
    figure = style.CallFigure(width, height)
    below = latency.FOOT if turns else 0.0
    rows = height - 12 - latency.HEAD - latency.FOOT if turns else height
    axes = figure.add_axes(
        ((latency.LABEL + 10) / width, below / height, pixels / width, rows / height),
        label="latency",
    )
    if turns:
        latency.draw_latency(axes, turns, budget, pixels)
    else:
        style.bare(axes, 0.0, 1.0)
        style.write(axes, 0.0, 0.5, "no turn was answered", color=style.QUIET, va="center")
    return figure
