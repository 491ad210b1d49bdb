"""An eval as one HTML page: the table of runs, each run's turns and trace, and calls to be heard.

Any thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from pipecat.evals.results import EvalScriptResult, EvalSimulationResult

from piopiy_lab.display.bundle import html_of
from piopiy_lab.display.document import document
from piopiy_lab.display.wording import WHO
from piopiy_lab.evals.runs import EvalRun
from piopiy_lab.redaction import redact_text, shown


def page_of(bot: str, runs: Sequence[EvalRun], notices: Sequence[str]) -> str:
    """Return the page; it needs nothing from outside and has no secrets in it."""
    done = sum(run.passed for run in runs)
    title = shown(f"Evals of {bot}: {done} of {len(runs)} passed")
    body = [f"<h1>{escape(title)}</h1>", _summary(runs, notices)]
    for run in runs:
        body += _run(run)
    return document(title, "\n".join(body))


def _summary(runs: Sequence[EvalRun], notices: Sequence[str]) -> str:
    rows = "".join(
        f"<tr><td>{run.status}</td><td>{_cell(run.name)}</td><td>{run.secs:.1f} s</td>"
        f"<td>{run.wall_secs:.1f} s</td><td>{_cell('; '.join(run.reasons))}</td></tr>"
        for run in runs
    )
    head = "<tr><th></th><th>scenario</th><th>conversation</th><th>took</th><th>why</th></tr>"
    told = "".join(f"<p>Note: {_cell(notice)}</p>" for notice in notices)
    return f'<table class="text">{head}{rows}</table>{told}'


def _run(run: EvalRun) -> list[str]:
    parts = [f"<h2>{run.status}: {_cell(run.name)}</h2>"]
    if isinstance(run.result, EvalScriptResult):
        parts.append(_turns(run, run.result))
    elif run.result is not None:
        parts.append(_simulated(run.result))
    else:
        parts += [f"<p>{_cell(reason)}</p>" for reason in run.reasons]
    if run.result is not None:
        trace = escape(redact_text("\n".join(run.result.debug_log)))
        parts.append(f"<details><summary>trace</summary><pre>{trace}</pre></details>")
    if run.call is not None and not run.passed:
        parts.append(html_of(run.call, str(run.call)))
    return parts


def _turns(run: EvalRun, result: EvalScriptResult) -> str:
    """Return a table of a script's turns: what was said, and what came of each expectation."""
    rows: list[str] = []
    script = getattr(run.scenario, "turns", [])
    for turn in result.turns:
        said = script[turn.turn_index].user or script[turn.turn_index].dtmf or ""
        found = [
            f"{'✓' if each.passed else '✗'} {each.event_name} {each.matched}".strip()
            for each in turn.expectations
        ]
        why = [f"{failure.event_name}: {failure.reason}" for failure in turn.failures]
        rows.append(_row(str(turn.turn_index), turn.status, said, "\n".join(found), "\n".join(why)))
    return _table(("turn", "", "caller", "expected", "why"), rows)


def _simulated(result: EvalSimulationResult) -> str:
    rows = [_row("goal", str(result.succeeded), result.success, result.reason)]
    for metric in result.metrics:
        value = metric.score if metric.value is None else metric.value
        told = "" if value is None else f"{value:g}"
        rows.append(_row(metric.name, str(metric.passed), told, metric.reason))
    talk = [
        _row(WHO.get(str(line.get("role")), ""), "", "", str(line.get("content", "")))
        for line in result.messages
    ]
    return _table(("", "", "", "why"), rows) + _table(("who", "", "", "said"), talk)


def _table(names: Iterable[str], rows: list[str]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    return f'<table class="text"><tr>{head}</tr>{"".join(rows)}</table>'


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{_lines(cell)}</td>' for cell in cells)}</tr>"


def _lines(text: str) -> str:
    return "<br>".join(_cell(line) for line in text.splitlines())


def _cell(text: str) -> str:
    return escape(shown(text))
