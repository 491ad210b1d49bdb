"""Where text goes so that none overlaps: wrapping, trimming, and rows. Pixels in, pixels out.

Pure: how wide a text is comes from a function that the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Measure = Callable[[str], float]  # a text's width in pixels


@dataclass(frozen=True)
class Piece:
    """A word with a look: "heard", "unheard" (struck through) or "cut" (the mark in between)."""

    text: str
    look: str = "heard"


@dataclass(frozen=True)
class Run:
    """Neighbouring pieces of one look in one line, ``x`` pixels from the block's left."""

    text: str
    look: str
    x: float
    width: float


def wrap(pieces: Sequence[Piece], width: float, lines: int, measure: Measure) -> list[list[Run]]:
    """Break pieces into at most ``lines`` lines of at most ``width`` pixels.

    What doesn't fit is cut with an ellipsis; so is a word wider than a line.
    """
    rows: list[list[Piece]] = [[]]
    used, space = 0.0, measure("n n") - 2 * measure("n")
    for i, piece in enumerate(pieces):
        text = trim(piece.text, width, measure)
        size = measure(text)
        if rows[-1] and used + space + size > width:
            if len(rows) == lines:
                return _runs([*rows[:-1], _ended(rows[-1], width, measure)], measure)
            rows.append([])
            used = 0.0
        used += size + (space if rows[-1] else 0.0)
        rows[-1].append(Piece(text, pieces[i].look))
    return _runs(rows, measure)


def trim(text: str, width: float, measure: Measure) -> str:
    """Return the text, or as much of it as fits before an ellipsis; at the least that."""
    if measure(text) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(f"{text[:middle].rstrip()}…") <= width:
            low = middle
        else:
            high = middle - 1
    return f"{text[:low].rstrip()}…"


def _ended(row: list[Piece], width: float, measure: Measure) -> list[Piece]:
    """End a line with an ellipsis, dropping as many words as that takes."""
    while len(row) > 1 and measure(" ".join(p.text for p in row) + "…") > width:
        row = row[:-1]
    last = row[-1]
    return [*row[:-1], Piece(trim(f"{last.text.rstrip('…')}…", width, measure), last.look)]


def _runs(rows: list[list[Piece]], measure: Measure) -> list[list[Run]]:
    lines: list[list[Run]] = []
    for row in rows:
        line: list[Run] = []
        i = 0
        while i < len(row):
            j = i
            while j < len(row) and row[j].look == row[i].look:
                j += 1
            before = " ".join(p.text for p in row[:i])
            text = " ".join(p.text for p in row[i:j])
            x = measure(f"{before} n") - measure("n") if before else 0.0
            line.append(Run(text, row[i].look, x, measure(text)))
            i = j
        lines.append(line)
    return lines


@dataclass(frozen=True)
class Slot:
    """Where a block of text may stand, in pixels."""

    x: float
    width: float


def slots(
    starts: Sequence[float], needed: Sequence[float], right: float, gap: float = 8.0
) -> list[Slot]:
    """Give each of one speaker's blocks the room until the next block.

    Args:
        starts: Where the blocks begin, ascending, in pixels.
        needed: The width that each block takes at least, to be read well.
        right: The right edge.
        gap: What stays free between two blocks.

    Returns:
        A slot for each block, never over another one. A block too near to the next one (or to
        the right edge) moves left, where the one before has room to spare. A slot may be too
        narrow to be of use; the caller leaves the text out then.
    """
    placed: list[Slot] = []
    for i, (start, least) in enumerate(zip(starts, needed, strict=True)):
        until = min(starts[i + 1] - gap if i + 1 < len(starts) else right, right)
        x = start
        if until - start < least:
            free = placed[-1].x + needed[i - 1] + gap if placed else 0.0
            x = min(start, max(free, until - least))
            if placed and x - gap < placed[-1].x + placed[-1].width:
                placed[-1] = Slot(placed[-1].x, max(0.0, x - gap - placed[-1].x))
        placed.append(Slot(x, max(0.0, until - x)))
    return placed


def rows_for(
    starts: Sequence[float], widths: Sequence[float], right: float, gap: float = 10.0
) -> tuple[list[int], list[float]]:
    """Put labels into as few rows as keep them apart.

    A label that would pass the right edge stands to the left of where it belongs.

    Returns:
        Each label's row, and its x in pixels.
    """
    taken: list[list[tuple[float, float]]] = []
    rows: list[int] = []
    places: list[float] = []
    for start, width in zip(starts, widths, strict=True):
        x = start if start + width <= right else max(0.0, start - width)
        row = next(
            (
                i
                for i, row in enumerate(taken)
                if all(x >= b + gap or x + width + gap <= a for a, b in row)
            ),
            len(taken),
        )
        if row == len(taken):
            taken.append([])
        taken[row].append((x, x + width))
        rows.append(row)
        places.append(x)
    return rows, places


def beside(
    spans: Sequence[tuple[float, float]], widths: Sequence[float], right: float, gap: float = 4.0
) -> list[tuple[int, float]]:
    """Put a label beside each of one lane's bars, so that it covers no bar and no other label.

    Args:
        spans: Where each bar begins and ends, in pixels.
        widths: The labels', in pixels.
        right: The right edge.
        gap: What stays free around a label.

    Returns:
        Each label's row, 0 the bars' own and the others above it, and its x in pixels.
    """
    taken: list[list[tuple[float, float]]] = [list(spans)]
    placed: list[tuple[int, float]] = []
    for (start, end), width in zip(spans, widths, strict=True):
        last = max(0.0, right - width)
        tries = [(0, end + gap), (0, start - gap - width)]
        tries += [(row, max(0.0, min(start, last))) for row in range(1, len(taken) + 1)]
        row, x = next((row, x) for row, x in tries if _is_free(taken, row, x, width, right, gap))
        if row == len(taken):
            taken.append([])
        taken[row].append((x, x + width))
        placed.append((row, x))
    return placed


def _is_free(
    taken: Sequence[Sequence[tuple[float, float]]],
    row: int,
    x: float,
    width: float,
    right: float,
    gap: float,
) -> bool:
    if row >= len(taken):
        return True
    free = all(x >= b + gap or x + width + gap <= a for a, b in taken[row])
    return free and x >= 0.0 and x + width <= right
