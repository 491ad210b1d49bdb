"""Many calls as one HTML file: the whole table, what failed how often, the worst to be heard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TypeVar

from piopiy_lab.call.call import Call
from piopiy_lab.display.document import MAX_SOUND_SECS, document
from piopiy_lab.experiments.figures import how_sure
from piopiy_lab.experiments.figures.listing import Listing
from piopiy_lab.experiments.figures.ordering import groups_of
from piopiy_lab.experiments.figures.pause_shares import pause_shares
from piopiy_lab.experiments.figures.row_texts import latency_of, share_text, short_share, whole_ms
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.showing.table_html import Shown, table_html
from piopiy_lab.redaction import redact, shown

T = TypeVar("T")
#: A listing of more rows is left out.
MOST_LISTED = 60

_STYLE = """<style>
body { max-width: 76rem; }
body .piopiy-calls .pc-scroll { max-height: none; overflow: visible; }
body .piopiy-calls .pc-share { display: none; }
table.calls-text { margin: .3rem 0 1rem; } table.calls-text td { text-align: left; }
</style>"""


def report_of(
    rows: Sequence[CallRow],
    calls: Mapping[int, Call],
    notices: Sequence[str],
    settings: Mapping[str, object],
) -> str:
    """Return the document; it needs nothing from outside and has no secrets in it.

    Args:
        rows: All rows.
        calls: The calls that are in it with their sound, by index, the worst first.
        notices: What has to be said of them.
        settings: How they were made.
    """
    title = f"Calls: {share_text(rows)}"
    told = Shown(rows, calls, notices, _NOWHERE, most_rows=None)
    body = (
        _STYLE,
        f"<h1>{escape(title)}</h1>",
        f"<div>{_facts(rows)}</div>",
        *_section("By caller", _callers(rows)),
        *_listed("What failed", how_sure.failing_steps(rows)),
        *_listed("Answers, with 95 % intervals", how_sure.latency(rows)),
        *_listed("Pauses of the callers", pause_shares(rows)),
        "<h2>The calls</h2>",
        f"<div>{escape(_left_out(rows, calls))}</div>",
        table_html(told, MAX_SOUND_SECS),
        *_section("Settings", _settings(settings)),
    )
    return document(title, "\n".join(body))


_NOWHERE = (
    "This file has the sound of the worst calls only. Where the calls were saved, "
    "Calls.load(folder) has this one, and simulate(..., perturb=SEED) gives it again."
)


def _facts(rows: Sequence[CallRow]) -> str:
    p50, p95 = latency_of(rows)
    answers = sum(row.turns for row in rows)
    told = [f"{sum(row.secs for row in rows) / 60:.1f} minutes of calls, {answers} answers"]
    if p50 is not None:
        told.append(f"median {whole_ms(p50)} ms, 95th percentile {whole_ms(p95)} ms of all answers")
    return escape("; ".join(told))


def _left_out(rows: Sequence[CallRow], calls: Mapping[int, Call]) -> str:
    if len(calls) == len(rows):
        return "Each call is in this file with its sound: click its row."
    gone = sum(not row.kept for row in rows)
    lost = f", {gone} of which were not kept" if gone else ""
    return (
        f"With their sound the {len(calls)} worst calls are in this file: click a row. Of the "
        f"other {len(rows) - len(calls)}{lost}, it has the figures alone."
    )


def _callers(rows: Sequence[CallRow]) -> list[list[str]]:
    groups = groups_of(rows)
    if len(groups) < 2:
        return []
    lines = [["caller", "passed", "p50 ms", "p95 ms", "cut in"]]
    for name, group in groups.items():
        cuts = sum(row.interruptions for row in group)
        lines.append([name, short_share(group), *map(whole_ms, latency_of(group)), str(cuts)])
    return lines


def _listed(title: str, listing: Listing[T]) -> list[str]:
    """Return a listing below its title; nothing where there is nothing in it."""
    if not len(listing):
        return []
    told = f"<div>{len(listing)} of them: too many for a page.</div>"
    table = listing._repr_html_() if len(listing) <= MOST_LISTED else told
    return [f"<h2>{escape(title)}</h2>", table]


def _settings(settings: Mapping[str, object]) -> list[list[str]]:
    return [[name, str(value)] for name, value in redact(settings).items()]


def _section(title: str, lines: Iterable[Sequence[str]]) -> list[str]:
    rows = [
        "<tr>" + "".join(f"<td>{escape(shown(cell))}</td>" for cell in line) + "</tr>"
        for line in lines
    ]
    if not rows:
        return []
    return [f"<h2>{escape(title)}</h2>", f'<table class="calls-text">{"".join(rows)}</table>']
