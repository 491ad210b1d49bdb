"""A comparison as text, as HTML, and as rows of a table. Pure; without secrets."""

from __future__ import annotations

from html import escape

from piopiy_lab.display.bundle import picture_html
from piopiy_lab.display.document import document
from piopiy_lab.errors import CallError
from piopiy_lab.experiments.figures.differences import Difference, RowPair, by_change, change_of
from piopiy_lab.experiments.figures.listing import html_table, text_table
from piopiy_lab.experiments.showing.comparison_plot import draw
from piopiy_lab.experiments.showing.comparison_words import (
    Compared,
    figure_cells,
    for_good,
    headline,
    notes,
    pair_cells,
)
from piopiy_lab.redaction import shown

#: Pairs that are listed at the most.
MOST_PAIRS = 20
_HEADS = ("", "before", "after", "difference (95 %)", "p", "p of all", "")
_PAIR_HEADS = ("call", "answers", "outcome", "hear both")


def _listed(compared: Compared) -> tuple[list[list[str]], str]:
    pairs = by_change(compared.differing)
    more = len(pairs) - MOST_PAIRS
    return [
        [shown(cell) for cell in pair_cells(pair)] for pair in pairs[:MOST_PAIRS]
    ], f"... and {more} more: comparison.differing" if more > 0 else ""


def text_of(compared: Compared) -> str:
    """Return the verdict, the table and the calls that differ, as text."""
    lines = [f"Two agents on the same sound: {headline(compared)}"]
    lines += [*map(shown, for_good(compared)), ""]
    lines.append(text_table(_HEADS, [figure_cells(one) for one in compared.differences]))
    lines += ["", *notes(compared)]
    listed, more = _listed(compared)
    if listed:
        lines += ["", text_table(_PAIR_HEADS, listed)]
    return "\n".join([*lines, more] if more else lines)


def html_of(compared: Compared) -> str:
    """Return the same as HTML, with the picture."""
    return _html(compared, _listed(compared))


def _html(compared: Compared, listed: tuple[list[list[str]], str]) -> str:
    from piopiy_lab.plot.style import png_of

    rows, more = listed
    figure = draw(compared)
    table = html_table(
        _HEADS,
        [figure_cells(one) for one in compared.differences],
        [
            f"pc-{one.verdict.replace(' ', '-').replace(chr(39), '')}"
            for one in compared.differences
        ],
    )
    told, broke = (
        "".join(f"<p>{escape(shown(note))}</p>" for note in some)
        for some in (notes(compared), for_good(compared))
    )
    pairs = f"{html_table(_PAIR_HEADS, rows)}<p>{escape(more)}</p>" if rows else ""
    picture = picture_html(png_of(figure), str(figure.get_label()))
    return (
        f"<div class='piopiy-comparison'><style>{_STYLE}</style>"
        f"<p><b>Two agents on the same sound: {escape(headline(compared))}</b></p>{broke}"
        f"{table}{picture}{told}{pairs}</div>"
    )


def document_of(compared: Compared, calls: int) -> str:
    """Return a whole page: the same, and pairs to be heard side by side.

    Args:
        compared: What is shown.
        calls: How many pairs at most.
    """
    heard: list[str] = []
    for pair in by_change(compared.differing)[:calls]:
        name = escape(shown(f"{pair.caller}, {pair.run}: {pair_cells(pair)[1]}"))
        try:
            inside = compared.pair(pair.caller, pair.run)._repr_html_()
        except CallError as error:
            inside = f"<p>{escape(shown(str(error)))}</p>"
        heard.append(f"<details><summary>{name}</summary>{inside}</details>")
    body = html_of(compared) + ("<h2>To hear</h2>" + "".join(heard) if heard else "")
    return document(f"Two agents: {headline(compared)}", body)


OF_DIFFERENCE = {
    "figure": "string",
    "unit": "string",
    "before": "float64",
    "after": "float64",
    "difference": "float64",
    "low": "float64",
    "high": "float64",
    "p": "float64",
    "p_of_all": "float64",
    "verdict": "string",
    "pairs": "int64",
    "could_be_seen": "float64",
}
OF_PAIR = {
    "caller": "string",
    "run": "int64",
    "same": "boolean",
    "before_passed": "boolean",
    "after_passed": "boolean",
    "before_mean": "float64",
    "after_mean": "float64",
    "change": "float64",
}


def of_difference(one: Difference) -> dict[str, object]:
    """Return a figure as a row of a table, seconds and shares."""
    told: dict[str, object] = {name: getattr(one, name, None) for name in OF_DIFFERENCE}
    return {**told, "figure": one.name, "unit": one.metric.unit}


def of_pair(pair: RowPair) -> dict[str, object]:
    """Return a pair as a row of a table, seconds."""
    return {
        "caller": pair.caller,
        "run": pair.run,
        "same": pair.same,
        "before_passed": pair.before.passed,
        "after_passed": pair.after.passed,
        "before_mean": pair.before.mean,
        "after_mean": pair.after.mean,
        "change": change_of(pair),
    }


_STYLE = """
.piopiy-comparison { max-width: 62rem; line-height: 1.4; }
.piopiy-comparison p { margin: .3em 0; }
.piopiy-comparison td:last-child, .piopiy-comparison th:last-child { text-align: left; }
.piopiy-comparison tr.pc-better td:last-child { color: #117733; font-weight: 600; }
.piopiy-comparison tr.pc-worse td:last-child { color: #b2182b; font-weight: 600; }
@media (prefers-color-scheme: dark) {
  .piopiy-comparison tr.pc-better td:last-child { color: #5fbf7f; }
  .piopiy-comparison tr.pc-worse td:last-child { color: #ff8080; }
}
""".strip()
