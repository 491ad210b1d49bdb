"""A table in groups for a notebook: the first is open, the others unfold."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence


def folded_html(
    groups: Mapping[str, Sequence[Sequence[str]]], heads: Sequence[str], widths: Sequence[int]
) -> str:
    """Return a table's HTML.

    Args:
        groups: By each group's heading, its rows' cells, which are HTML already.
        heads: The columns' headings.
        widths: The columns' widths in percent.
    """
    return "".join(
        f"<details{'' if place else ' open'}>"
        f"<summary><strong>{html.escape(heading)}</strong> ({len(rows)})</summary>"
        '<div style="max-height:20em;overflow:auto">'
        '<table style="margin:0 0 .6em 1em;width:calc(100% - 1em);table-layout:fixed">'
        f"{_row('th', heads, widths)}{''.join(_row('td', cells, widths) for cells in rows)}"
        "</table></div></details>"
        for place, (heading, rows) in enumerate(groups.items())
    )


def _row(tag: str, cells: Iterable[str], widths: Sequence[int]) -> str:
    """Return a row; each cell says that it is left-aligned, which notebooks' own style is not."""
    look = "text-align:left;vertical-align:top;overflow-wrap:anywhere"
    row = "".join(
        f'<{tag} style="{look};width:{share}%">{cell}</{tag}>'
        for cell, share in zip(cells, widths, strict=True)
    )
    return f"<tr>{row}</tr>"
