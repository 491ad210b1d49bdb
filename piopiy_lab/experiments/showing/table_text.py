"""Many calls as a plain table for a terminal: the failing and the slowest, and the rest counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from piopiy_lab.experiments.figures.ordering import groups_of, worst_first
from piopiy_lab.experiments.figures.row_texts import (
    latency_of,
    reason,
    share_text,
    short_share,
    tools_text,
    whole_ms,
)
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.redaction import shown

#: Rows that are shown at the most.
MOST_ROWS = 20
#: Callers who get a line.
MOST_CALLERS = 10
#: Characters of a caller's name, and of the tools.
_NAME, _TOOLS = 24, 32
_HEADS = ("call", "", "p50 ms", "p95 ms", "cut in", "tools", "why")
#: The columns of numbers, which are aligned on the right.
_NUMBERS = (2, 3, 4)


def text_of(rows: Sequence[CallRow], notices: Iterable[str]) -> str:
    """Return the table.

    Args:
        rows: The calls.
        notices: What has to be said of them.
    """
    if not rows:
        return "(no calls)"
    lines = [share_text(rows)]
    groups = groups_of(rows)
    if len(groups) > 1:
        lines += _callers(groups)
    chosen = worst_first(rows)[:MOST_ROWS]
    lines += ["", *_table([_cells(row) for row in chosen], _HEADS, _NUMBERS)]
    left = len(rows) - len(chosen)
    if left:
        failed = sum(not row.passed for row in rows) - sum(not row.passed for row in chosen)
        how = f"{failed} of them did not pass" if failed else "all of them passed"
        lines.append(f"... and {left} more; {how}")
    lines += [f"note: {shown(notice)}" for notice in notices]
    return "\n".join(lines)


def _callers(groups: Mapping[str, Sequence[CallRow]]) -> list[str]:
    """Return a line for each caller; of many for those who passed least often."""
    chosen = sorted(groups, key=lambda name: _part(groups[name]))[:MOST_CALLERS]
    lines = _table([_group(name, groups[name]) for name in groups if name in chosen], ("",), (2, 3))
    left = len(groups) - len(chosen)
    return (
        [*lines, f"  ... and {left} more callers, who passed as often or more"] if left else lines
    )


def _part(rows: Sequence[CallRow]) -> float:
    return sum(row.passed for row in rows) / len(rows)


def _group(name: str, rows: Sequence[CallRow]) -> list[str]:
    return [f"  {_cut(name, _NAME)}:", short_share(rows), *_group_latency(rows)]


def _group_latency(rows: Sequence[CallRow]) -> list[str]:
    p50, p95 = latency_of(rows)
    return [] if p50 is None else [f"p50 {whole_ms(p50)} ms", f"p95 {whole_ms(p95)} ms"]


def _cells(row: CallRow) -> list[str]:
    return [
        _cut(f"{row.caller}, {row.run}", _NAME),
        row.kind,
        whole_ms(row.p50),
        whole_ms(row.p95),
        str(row.interruptions or ""),
        _cut(tools_text(row), _TOOLS),
        reason(row),
    ]


def _table(
    rows: Sequence[Sequence[str]], heads: Sequence[str], numbers: Sequence[int]
) -> list[str]:
    """Return aligned lines, with the heads first where they say something."""
    every = [list(heads), *rows] if any(heads) else list(rows)
    columns = max(len(row) for row in every)
    every = [[*row, *[""] * (columns - len(row))] for row in every]
    widths = [max(len(row[place]) for row in every) for place in range(columns)]
    return [
        "  ".join(
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in every
    ]


def _cut(text: str, limit: int) -> str:
    text = shown(text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
