"""Many calls as an HTML table: folds of callers, and behind each row the call, where it is there.

The markup stands without its script: the table reads in order, and the calls with their sound are
in folds below it. With the script a click on a row (or Enter) puts its call below it, and one on a
heading sorts. A call that isn't in the page is asked for by a ``piopiy-call-wanted`` event, which
the notebook's kernel answers (``piopiy_lab.widgets.call_fetcher``). Everything is escaped here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from importlib.resources import files

from piopiy_lab.call.call import Call
from piopiy_lab.display.bundle import MAX_SOUND_SECS, html_of
from piopiy_lab.display.page import assets
from piopiy_lab.errors import CallError, SavedCallError
from piopiy_lab.experiments.figures.ordering import groups_of, worst_first
from piopiy_lab.experiments.figures.row_texts import (
    failing_steps,
    heard_text,
    latency_of,
    reason,
    share_text,
    short_share,
    tools_text,
    whole_ms,
    whole_reason,
)
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.redaction import made_valid, shown

#: Rows of a notebook's table: the worst; the others are counted.
MOST_ROWS = 200
#: Up to so many rows all folds are open; else the first in which a call did not pass.
OPEN_ROWS = 40
_HEADS = ("call", "result", "p50 ms", "p95 ms", "cut in", "tools", "why")
_NUMBERS = (2, 3, 4)


@dataclass(frozen=True)
class Shown:
    """What a page shows of calls.

    Attributes:
        rows: All rows.
        calls: The calls that are in the page with their sound, by index, the worst first.
        notices: What has to be said.
        nowhere: What is said of a call that isn't in the page, when nobody answers for it.
        most_rows: How many rows there are at the most; None for all.
    """

    rows: Sequence[CallRow]
    calls: Mapping[int, Call]
    notices: Sequence[str]
    nowhere: str
    most_rows: int | None = MOST_ROWS


def table_html(told: Shown, max_sound_secs: float = MAX_SOUND_SECS) -> str:
    """Return the table as HTML that needs nothing from outside; the same rows give the same.

    Args:
        told: What to show.
        max_sound_secs: Seconds of each call's sound that its player gets.
    """
    if not told.rows:
        return "<em>no calls</em>"
    style, script = _assets()
    call_style, call_script = assets()
    chosen = {row.index for row in worst_first(told.rows)[: told.most_rows]}
    body = "\n".join(
        [
            f'<div class="pc-share"><b>{escape(share_text(told.rows))}</b></div>',
            *(f'<div class="pc-note">Note: {_safe(notice)}</div>' for notice in told.notices),
            _table(told, chosen),
            _sounds(told, max_sound_secs),
        ]
    )
    return made_valid(
        f'<div class="piopiy-calls" data-batch="{batch_of(told.rows)}" '
        f'data-nowhere="{_safe(told.nowhere)}" data-lm-suppress-shortcuts="true">'
        f"<style>{call_style}\n{style}</style>\n{body}\n"
        f"<script>{script.replace('/* page.js */', call_script)}</script></div>"
    )


def batch_of(rows: Sequence[CallRow]) -> str:
    """Return a name for these rows: equal rows have the same."""
    told = "\n".join(f"{row.index} {row.call_id} {row.kind} {row.sha}" for row in rows)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def call_html(call: Call, max_sound_secs: float = MAX_SOUND_SECS) -> str:
    """Return a call as it stands below its row: without a style and script of its own."""
    return html_of(call, str(call), max_sound_secs, alone=False)


@lru_cache(maxsize=1)
def _assets() -> tuple[str, str]:
    here = files("piopiy_lab.experiments.showing")
    style, script = ((here / name).read_text("utf-8") for name in ("table.css", "table.js"))
    return style.strip(), script.strip()


def _table(told: Shown, chosen: set[int]) -> str:
    heads = "".join(
        f'<th scope="col"{_number(place)}><button type="button">{head}</button></th>'
        for place, head in enumerate(_HEADS)
    )
    groups = groups_of(told.rows)
    failing = (name for name, rows in groups.items() if not all(row.passed for row in rows))
    opened = set(groups) if len(told.rows) <= OPEN_ROWS else {next(failing, next(iter(groups)))}
    bodies = "\n".join(_group(name, rows, chosen, name in opened) for name, rows in groups.items())
    long = " pc-long" if len(chosen) > OPEN_ROWS else ""
    return (
        f'<div class="pc-scroll{long}"><table class="pc-table"><thead><tr>{heads}</tr></thead>\n'
        f'{bodies}\n<tbody class="pc-flat"></tbody></table></div>'
    )


def _group(name: str, rows: Sequence[CallRow], chosen: set[int], is_open: bool) -> str:
    p50, p95 = latency_of(rows)
    steps = "; ".join(f"{count} x {step}" for step, count in failing_steps(rows)[:3])
    cuts = sum(row.interruptions for row in rows)
    cells = [
        f'<th scope="rowgroup"><button type="button" aria-expanded="{str(is_open).lower()}">'
        f"{_safe(name)}</button></th>",
        f"<td>{escape(short_share(rows))}</td>",
        *(f'<td class="pc-n">{whole_ms(secs)}</td>' for secs in (p50, p95)),
        f'<td class="pc-n">{cuts or ""}</td><td></td>',
        f'<td class="pc-why">{_safe(steps)}</td>',
    ]
    lines = [f'<tr class="pc-head">{"".join(cells)}</tr>']
    shown_rows = [row for row in worst_first(rows) if row.index in chosen]
    lines += map(_row, shown_rows)
    if left := len(rows) - len(shown_rows):
        lines.append(
            f'<tr class="pc-more"><td colspan="{len(_HEADS)}" class="pc-quiet">and {left} more, '
            f"less bad than these: calls[{_safe(repr(name))}]</td></tr>"
        )
    folded = "" if is_open else " pc-folded"
    return f'<tbody class="pc-group{folded}">{"".join(lines)}</tbody>'


def _row(row: CallRow) -> str:
    mark = "\u2713" if row.passed else "\u2717"
    get = f"calls[{row.caller!r}, {row.run}]"
    facts = [f"{row.secs:.1f} s", (row.end_reason or "").replace("_", " ")]
    facts += [f"seed {row.seed}"] if row.seed is not None else []
    cells = (
        f'<td title="{_safe(heard_text(row))}"><button type="button" aria-expanded="false">'
        f"{_safe(row.caller)}, {row.run}</button></td>",
        f"<td>{mark} {row.kind}</td>",
        f'<td class="pc-n">{whole_ms(row.p50)}</td>',
        f'<td class="pc-n">{whole_ms(row.p95)}</td>',
        f'<td class="pc-n">{row.interruptions or ""}</td>',
        f'<td class="pc-tools">{_safe(tools_text(row))}</td>',
        f'<td class="pc-why" title="{escape(whole_reason(row))}">{_safe(reason(row))}</td>',
    )
    return (
        f'<tr class="pc-row{"" if row.passed else " pc-bad"}" data-index="{row.index}" '
        f'data-kept="{int(row.kept)}" data-get="{_safe(get)}" '
        f'data-facts="{_safe(", ".join(filter(None, facts)))}">{"".join(cells)}</tr>'
    )


def _sounds(told: Shown, max_sound_secs: float) -> str:
    by_index = {row.index: row for row in told.rows}
    return "\n".join(
        f'<details class="pc-sounds"><summary>{_safe(_title(by_index[index]))}</summary>'
        f'<div data-call-of="{index}">{call_html(call, max_sound_secs)}</div></details>'
        for index, call in told.calls.items()
    )


def _title(row: CallRow) -> str:
    return ": ".join(filter(None, (f"{row.caller}, {row.run}", row.kind, reason(row))))


def _number(place: int) -> str:
    return ' class="pc-n"' if place in _NUMBERS else ""


def _safe(text: str) -> str:
    return escape(shown(text))


def embedded(
    rows: Iterable[CallRow], n: int, call: Callable[[CallRow], Call]
) -> tuple[dict[int, Call], list[str]]:
    """Return the worst calls that were kept, by index, the worst first; and why one is not there.

    Args:
        rows: The rows.
        n: How many calls at the most.
        call: Reads a row's call.
    """
    found: dict[int, Call] = {}
    missing: list[str] = []
    for row in [row for row in worst_first(rows) if row.kept][:n]:
        try:
            found[row.index] = call(row)
        except (CallError, SavedCallError) as error:
            missing.append(str(error))
    return found, missing
