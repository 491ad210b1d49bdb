"""The lanes of a timeline that are read: what each side said, and marks with their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from piopiy_lab.display.shown import ShownEntry
from piopiy_lab.plot import style
from piopiy_lab.plot.layout import Piece, Run, Slot, rows_for, slots, trim, wrap
from piopiy_lab.plot.story import Mark
from piopiy_lab.redaction import shown

LINE = 13.0  # pixels from one line of text to the next
MARK_ROW = 16.0  # pixels from one row of marks to the next
MAX_LINES = 5
MAX_MARK_ROWS = 5
LEAST = 96.0  # a block of text this narrow still reads well, in pixels
USELESS = 62.0  # narrower than this no text is drawn
LEAD = 5.0  # between the waveform's lane and the text, in pixels
INDENT = 5.0  # from the rule at a block's left to its text, in pixels
#: From this many pixels per second on, each word stands at its own time.
WORDS_FROM = 105.0
#: Below this many pixels per second only the shape of a call can be seen.
OVERVIEW_BELOW = 18.0
SIGNS = {"tool": "", "key": "⌨ ", "error": "✕ ", "switch": "⇄ ", "note": "", "cut": "✂ "}


@dataclass(frozen=True)
class Block:
    """One entry's text, laid out: ``x`` pixels from the left, lines of runs."""

    entry: ShownEntry
    x: float
    lines: list[list[Run]]
    timed: bool = False  # each word at its own time


@dataclass(frozen=True)
class Scale:
    """From seconds to pixels of a lane."""

    start: float
    end: float
    pixels: float

    @property
    def per_second(self) -> float:
        """Pixels per second."""
        return self.pixels / (self.end - self.start)

    @property
    def overview(self) -> bool:
        """Whether a second is too narrow to show more than a call's shape."""
        return self.per_second < OVERVIEW_BELOW

    def x(self, seconds: float) -> float:
        """Return a time's pixel, 0 at the lane's left."""
        return (seconds - self.start) * self.per_second


def lay_out(entries: Sequence[ShownEntry], scale: Scale, unheard: Mapping[int, str]) -> list[Block]:
    """Lay out one side's entries that are within the scale.

    Args:
        entries: In order of time.
        scale: The lane's.
        unheard: ``id(entry)`` to the rest of its text that nobody heard.
    """
    seen = [e for e in entries if e.end >= scale.start and e.start < scale.end and e.text]
    if scale.overview:
        return []
    if scale.per_second >= WORDS_FROM and seen and all(e.words for e in seen):
        ends = [*(scale.x(later.start) for later in seen[1:]), scale.pixels]
        return [
            _at_their_times(e, scale, unheard.get(id(e), ""), end)
            for e, end in zip(seen, ends, strict=True)
        ]
    starts = [max(0.0, scale.x(e.start)) for e in seen]
    pieces = [_pieces(e, unheard.get(id(e), "")) for e in seen]
    needed = [
        min(LEAST, style.width_of(" ".join(piece.text for piece in each)) + INDENT + 6)
        for each in pieces
    ]
    blocks: list[Block] = []
    placed = slots(starts, needed, scale.pixels)
    for entry, each, slot, need in zip(seen, pieces, placed, needed, strict=True):
        if slot.width < min(USELESS, need) - 1:
            continue
        span = scale.x(entry.end) - scale.x(entry.start)
        blocks.append(Block(entry, slot.x, _wrapped(each, span, slot)))
    return blocks


def _pieces(entry: ShownEntry, rest: str) -> list[Piece]:
    text = shown(" ".join(entry.text.split()))
    pieces = [Piece(word) for word in text.split()]
    if getattr(entry, "source", "spoken") == "typed":
        pieces.insert(0, Piece("⌨"))
    if entry.interrupted:
        pieces.append(Piece("✂", "cut"))
        pieces.extend(Piece(word, "unheard") for word in rest.split())
    return pieces


def _wrapped(pieces: Sequence[Piece], span: float, slot: Slot) -> list[list[Run]]:
    """Wrap to the width of the speech if three lines do, else wider, as far as there is room."""
    room = slot.width - INDENT
    width = min(room, max(span, LEAST) - INDENT)
    while True:
        lines = wrap(pieces, width, MAX_LINES, style.width_of)
        if len(lines) <= 3 or width >= room:
            return lines
        width = min(room, width * 1.25)


def _at_their_times(entry: ShownEntry, scale: Scale, rest: str, end: float) -> Block:
    """Put each word where it is heard; what nobody heard gets the room up to ``end`` (pixels)."""
    words = [w for w in entry.words if w[2] >= scale.start and w[1] < scale.end]
    looks = ["heard"] * len(words)
    texts = [str(w[0]) for w in words]
    starts = [max(0.0, scale.x(w[1])) for w in words]
    if entry.interrupted and entry.end < scale.end:
        texts.append("✂")
        starts.append(scale.x(entry.end) + 3)
        looks.append("cut")
        after = starts[-1] + style.width_of("✂") + 4
        if rest and end - after > USELESS:
            texts.append(trim(rest, end - after - 4, style.width_of))
            starts.append(after)
            looks.append("unheard")
    widths = [style.width_of(text) for text in texts]
    rows, places = rows_for(starts, widths, scale.pixels, gap=4.0)
    lines: list[list[Run]] = [[] for _ in range(min(MAX_LINES, max(rows, default=-1) + 1))]
    for text, look, row, x, width in zip(texts, looks, rows, places, widths, strict=True):
        if row < len(lines):
            lines[row].append(Run(text, look, x - INDENT, width))
    return Block(entry, 0.0, lines, timed=True)


def draw_blocks(axes: Axes, blocks: Sequence[Block], scale: Scale, above: bool) -> None:
    """Draw blocks of text on axes whose y is pixels from the top.

    Args:
        axes: The lane.
        blocks: From :func:`lay_out`.
        scale: The lane's.
        above: Whether the waveform is below the text, so that the text stands on it.
    """
    bottom = axes.get_ylim()[0]
    for block in blocks:
        color = style.SIDES[block.entry.role]
        height = len(block.lines) * LINE
        top = bottom - height - LEAD if above else LEAD
        if not block.timed:  # a rule at the text's left, led to where the speech began
            x = scale.start + block.x / scale.per_second
            ys = (bottom, bottom - LEAD, top) if above else (0.0, LEAD, top + height)
            xs = [max(block.entry.start, scale.start), x, x]
            axes.plot(xs, ys, color=color, linewidth=1.0, gid="entry-rule")
        for i, line in enumerate(block.lines):
            for run in line:
                x = scale.start + (block.x + INDENT + run.x) / scale.per_second
                _draw_run(axes, run, x, top + (i + 0.5) * LINE, scale, block.entry.role)


def _draw_run(axes: Axes, run: Run, x: float, y: float, scale: Scale, role: str) -> None:
    looks = {"heard": style.INK, "unheard": style.QUIET, "cut": style.ALARM}
    gid = f"words-{role}" if run.look == "heard" else f"words-{run.look}"
    style.write(axes, x, y, run.text, color=looks[run.look], va="center_baseline", gid=gid)
    if run.look == "unheard":
        end = x + run.width / scale.per_second
        axes.plot([x, end], [y, y], color=style.QUIET, linewidth=0.8, gid="strike")


def place_marks(marks: Sequence[Mark], scale: Scale) -> list[tuple[Mark, int, float, str]]:
    """Give each mark within the scale its row, its label's x in pixels, and its label."""
    seen = [m for m in marks if m.end >= scale.start and m.start < scale.end]
    labels = [_label(m, scale) for m in seen]
    starts = [max(0.0, scale.x(m.start)) for m in seen]
    rows, places = rows_for(starts, [style.width_of(t) + 12 for t in labels], scale.pixels)
    return list(zip(seen, rows, places, labels, strict=True))


def _label(mark: Mark, scale: Scale) -> str:
    return trim(SIGNS[mark.kind] + mark.label, min(520.0, scale.pixels), style.width_of)


def draw_marks(
    axes: Axes, placed: Sequence[tuple[Mark, int, float, str]], scale: Scale, rows: int
) -> None:
    """Draw tool calls as spans and everything else as ticks, each with its label.

    Axes whose y is pixels from the top. Past ``rows`` rows a mark keeps its tick only.
    """
    for mark, row, x, label in placed:
        color = style.ALARM if mark.failed else style.MARKS[mark.kind]
        y = min(row, rows - 1) * MARK_ROW
        width = max(mark.end - mark.start, 2.5 / scale.per_second)
        if mark.kind == "tool":
            size = (width, MARK_ROW - 4)
            look = {"facecolor": color, "alpha": 0.3, "linewidth": 0, "gid": "tool-span"}
            axes.add_artist(Rectangle((mark.start, y + 2), *size, **look))
        axes.plot(
            [mark.start, mark.start],
            [y + 2, y + MARK_ROW - 2],
            color=color,
            linewidth=1.4,
            gid=f"mark-{mark.kind}",
        )
        if row < rows:
            aside = 6.0 if x >= scale.x(mark.start) - 1 else 0.0
            at = scale.start + (x + aside) / scale.per_second
            style.write(
                axes,
                at,
                y + MARK_ROW / 2,
                label,
                color=color,
                va="center_baseline",
                gid=f"label-{mark.kind}",
            )
