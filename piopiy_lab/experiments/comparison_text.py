"""A comparison as text, as HTML, and as rows of a table. Pure; without secrets."""

from __future__ import annotations

from html import escape
from typing import Literal, Protocol

from piopiy_lab.display.bundle import picture_html
from piopiy_lab.display.document import document
from piopiy_lab.errors import CallError
from piopiy_lab.experiments.differences import Difference, RowPair, Verdict, by_change, change_of
from piopiy_lab.experiments.listing import html_table, text_table
from piopiy_lab.experiments.row_texts import reason
from piopiy_lab.experiments.statistics import least_discordant
from piopiy_lab.redaction import shown

#: Pairs that are listed at the most.
MOST_PAIRS = 20
_HEADS = ("", "before", "after", "difference (95 %)", "p", "p of all", "")
_PAIR_HEADS = ("call", "answers", "outcome", "hear both")


class HasText(Protocol):
    """What is shown side by side."""

    def _repr_html_(self) -> str: ...


class Compared(Protocol):
    """What is shown: a comparison."""

    min_difference: float | None
    pairs: tuple[RowPair, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Return the figures."""
        ...

    @property
    def verdict(self) -> Verdict | Literal["mixed"]:
        """Return what can be said."""
        ...

    @property
    def differing(self) -> tuple[RowPair, ...]:
        """Return the pairs that differ."""
        ...

    @property
    def broken(self) -> tuple[RowPair, ...]:
        """Return the pairs that passed only before."""
        ...

    @property
    def mended(self) -> tuple[RowPair, ...]:
        """Return the pairs that pass only now."""
        ...

    @property
    def mcnemar(self) -> float:
        """Return McNemar's p."""
        ...

    def pair(self, caller: str, run: int = 1) -> HasText:
        """Return both calls, which show themselves."""
        ...


def headline(compared: Compared) -> str:
    """Return the verdict and how many calls differ, in one line."""
    told = f"{len(compared.differing)} of {len(compared.pairs)} calls differ"
    return f"{compared.verdict}; {told}"


def notes(compared: Compared) -> list[str]:
    """Return what must be known to read the table, in sentences."""
    return [
        *_of_whom(compared),
        *_of_passes(compared),
        *_of_latency(compared),
        *_of_gaps(compared),
    ]


def _of_whom(compared: Compared) -> list[str]:
    callers = list(dict.fromkeys(pair.caller for pair in compared.pairs))
    runs = len(compared.pairs) // len(callers)
    who = callers[0] if len(callers) == 1 else f"{len(callers)} callers"
    told = f"{len(compared.pairs)} pairs: {who}" + (f", {runs} runs each" if runs > 1 else "")
    if compared.differences[0].units == len(callers) > 1:
        return [f"{told}; intervals are of callers like these."]
    return [f"{told}; too few callers to stand for others: all of it speaks of these only."]


def _of_passes(compared: Compared) -> list[str]:
    broke, mended = len(compared.broken), len(compared.mended)
    if not broke and not mended:
        return [
            "Pass or fail: no call broke and none mended; of fewer than 6 that broke nothing could "
            "be said."
        ]
    told = (
        f"Pass or fail: {broke} broke and {mended} mended (McNemar's p {_chance(compared.mcnemar)})"
    )
    if compared.mcnemar < 0.05:
        return [f"{told}."]
    most, least = max(broke, mended), min(broke, mended)
    needed = least_discordant(least)
    return [f"{told}; with {least} the other way it takes {needed} for p < 0.05, and {most} did."]


def _of_latency(compared: Compared) -> list[str]:
    told: list[str] = []
    mean = next(one for one in compared.differences if one.name == "mean")
    if mean.could_be_seen is not None:
        found = f"Of the mean, {1000 * mean.could_be_seen:.0f} ms would be found 4 times in 5"
        wanted = compared.min_difference
        if wanted is None:
            half = mean.could_be_seen / 2
            told.append(f"{found}; half of that takes {mean.needed(half)} {_units(compared)}.")
        else:
            told.append(
                f"{found}; {1000 * wanted:.0f} ms take {mean.needed(wanted)} {_units(compared)}."
            )
        ends = (mean.low or 0.0, mean.high or 0.0)
        if wanted is not None and max(map(abs, ends)) < wanted:
            told.append(f"A difference of {1000 * wanted:.0f} ms or more is ruled out.")
    told += [f"{one.metric.title}: {one.why}." for one in compared.differences if one.why]
    return told


def _units(compared: Compared) -> str:
    callers = {pair.caller for pair in compared.pairs}
    return "callers" if compared.differences[0].units == len(callers) > 1 else "calls"


def _of_gaps(compared: Compared) -> list[str]:
    n = len(compared.pairs)
    silent = sum(change_of(pair) is None for pair in compared.pairs)
    return (
        [f"{silent} of {n} pairs have a call without answers: they are in no latency."]
        if silent
        else []
    )


def _number(value: float | None, one: Difference, *, signed: bool = False) -> str:
    if value is None:
        return ""
    sign = "+" if signed else ""
    match one.metric.unit:
        case "s":
            return f"{1000 * value:{sign}.0f}"
        case "share":
            return f"{value:{sign}.2f}"
        case "count":
            return f"{value:{sign}.2f}" if abs(value) < 10 else f"{value:{sign}.0f}"


def interval_text(one: Difference) -> str:
    """Return a difference with its interval: ``-54 ms (-93 to -23)``."""
    if one.difference is None or one.verdict == "the same":
        return ""
    unit = " ms" if one.metric.unit == "s" else ""
    told = f"{_number(one.difference, one, signed=True)}{unit}"
    if one.low is None or one.high is None:
        return told
    ends = (_number(end, one, signed=True) for end in (one.low, one.high))
    return f"{told} ({' to '.join(ends)})"


def value_text(value: float | None, one: Difference) -> str:
    """Return a figure with its unit: ``410 ms``."""
    return _number(value, one) + (" ms" if value is not None and one.metric.unit == "s" else "")


def _chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _cells(one: Difference) -> list[str]:
    chances = ["" if p is None else _chance(p) for p in (one.p, one.p_of_all)]
    return [
        one.metric.title,
        value_text(one.before, one),
        value_text(one.after, one),
        interval_text(one),
        *chances,
        one.verdict,
    ]


def pair_cells(pair: RowPair) -> list[str]:
    """Return what a list of pairs says of one."""
    was, now = pair.before, pair.after
    change = change_of(pair)
    ms = ["none" if row.mean is None else f"{1000 * row.mean:.0f}" for row in (was, now)]
    told = f"{ms[0]} -> {ms[1]} ms" + ("" if change is None else f" ({1000 * change:+.0f})")
    outcome = was.kind if was.kind == now.kind else f"{was.kind} -> {now.kind}"
    why = reason(now) or reason(was)
    return [
        f"{pair.caller}, {pair.run}",
        told,
        outcome + (f": {why}" if why else ""),
        f"comparison.pair({pair.caller!r}, {pair.run})",
    ]


def _listed(compared: Compared) -> tuple[list[list[str]], str]:
    pairs = by_change(compared.differing)
    more = len(pairs) - MOST_PAIRS
    return [
        [shown(cell) for cell in pair_cells(pair)] for pair in pairs[:MOST_PAIRS]
    ], f"... and {more} more: comparison.differing" if more > 0 else ""


def text_of(compared: Compared) -> str:
    """Return the verdict, the table and the calls that differ, as text."""
    lines = [f"Two agents on the same sound: {headline(compared)}", ""]
    lines.append(text_table(_HEADS, [_cells(one) for one in compared.differences]))
    lines += ["", *notes(compared)]
    listed, more = _listed(compared)
    if listed:
        lines += ["", text_table(_PAIR_HEADS, listed)]
    return "\n".join([*lines, more] if more else lines)


def html_of(compared: Compared) -> str:
    """Return the same as HTML, with the picture."""
    return _html(compared, _listed(compared))


def _html(compared: Compared, listed: tuple[list[list[str]], str]) -> str:
    from piopiy_lab.experiments.comparison_plot import draw
    from piopiy_lab.plot.style import png_of

    rows, more = listed
    figure = draw(compared)
    table = html_table(
        _HEADS,
        [_cells(one) for one in compared.differences],
        [
            f"pc-{one.verdict.replace(' ', '-').replace(chr(39), '')}"
            for one in compared.differences
        ],
    )
    told = "".join(f"<p>{escape(shown(note))}</p>" for note in notes(compared))
    pairs = f"{html_table(_PAIR_HEADS, rows)}<p>{escape(more)}</p>" if rows else ""
    picture = picture_html(png_of(figure), str(figure.get_label()))
    return (
        f"<div class='piopiy-comparison'><style>{_STYLE}</style>"
        f"<p><b>Two agents on the same sound: {escape(headline(compared))}</b></p>"
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
