"""A few rows that show themselves, as text and as HTML. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Generic, TypeVar, overload

from piopiy_lab.redaction import shown

T = TypeVar("T")


class Listing(Sequence[T], Generic[T]):
    """Rows in order, which show themselves as a table. Immutable."""

    def __init__(
        self, rows: Iterable[T], columns: Mapping[str, Callable[[T], str]], empty: str
    ) -> None:
        """Take the rows.

        Args:
            rows: Anything.
            columns: By its heading, what each column says of a row.
            empty: What is said where there are no rows.
        """
        self._rows = tuple(rows)
        self._columns = dict(columns)
        self._empty = empty

    @overload
    def __getitem__(self, which: int) -> T: ...
    @overload
    def __getitem__(self, which: slice) -> tuple[T, ...]: ...
    def __getitem__(self, which: int | slice) -> T | tuple[T, ...]:
        return self._rows[which]

    def __len__(self) -> int:
        return len(self._rows)

    def _cells(self) -> list[list[str]]:
        return [[shown(cell(row)) for cell in self._columns.values()] for row in self._rows]

    def __repr__(self) -> str:
        return text_table(list(self._columns), self._cells()) if self._rows else self._empty

    def _repr_html_(self) -> str:
        if not self._rows:
            return f"<p>{escape(self._empty)}</p>"
        return html_table(list(self._columns), self._cells())


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows below their headings, the columns as wide as they must be."""
    lines = [list(heads), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def html_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], classes: Sequence[str] = ()
) -> str:
    """Return rows as an HTML table; the cells are texts.

    Args:
        heads: Of the columns.
        rows: Of cells.
        classes: Of each row, as CSS knows it; none by default.
    """
    style = "text-align:left;vertical-align:top;padding:.15em .8em .15em 0"
    head = "".join(f"<th style='{style}'>{escape(name)}</th>" for name in heads)
    body = ""
    for place, row in enumerate(rows):
        of = f" class='{escape(classes[place])}'" if classes else ""
        body += f"<tr{of}>"
        body += "".join(f"<td style='{style}'>{escape(cell)}</td>" for cell in row) + "</tr>"
    look = "border-collapse:collapse;font-variant-numeric:tabular-nums"
    return f"<table style='{look}'><tr>{head}</tr>{body}</table>"
