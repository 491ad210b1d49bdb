"""What a row's cells say, in a terminal and in a page alike. Pure; without secrets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from piopiy_lab.experiments.figures.how_sure import cause_of_row, pass_rate
from piopiy_lab.experiments.figures.rows import CallRow, percentile
from piopiy_lab.experiments.figures.statistics import share_of
from piopiy_lab.redaction import shown

#: Characters of a row's reason.
SHORT = 60


def whole_ms(secs: float | None) -> str:
    """Write seconds as whole milliseconds without a unit; "" for None."""
    return "" if secs is None else f"{1000 * secs:.0f}"


def tools_text(row: CallRow) -> str:
    """Return the tools that were called, each once, with how often: ``book_table, look_up x2``."""
    counts = Counter(row.tools)
    return ", ".join(f"{shown(name)} x{n}" if n > 1 else shown(name) for name, n in counts.items())


def heard_text(row: CallRow) -> str:
    """Return what the agent took the caller to have said, turn by turn."""
    return shown(" | ".join(row.heard))


def reason(row: CallRow, limit: int = SHORT) -> str:
    """Return in short why a call did not pass: the step or check, or the error; "" if it did."""
    if row.passed:
        return ""
    return _short(row.failing_step or row.error or row.kind, limit)


def _short(text: str, limit: int = SHORT) -> str:
    text = shown(text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def whole_reason(row: CallRow) -> str:
    """Return all that is known of why a call did not pass; the step is in its error."""
    if row.failing_step and row.error and row.failing_step not in row.error:
        return f"{shown(row.failing_step)}: {shown(row.error)}"
    return shown(row.error or row.failing_step or "")


def said_of(rows: Sequence[CallRow]) -> str:
    """Return how many passed, and what became of the others: ``17 of 20 passed, 1 hung``."""
    passed = sum(row.passed for row in rows)
    return ", ".join([f"{passed} of {len(rows)} passed", *_ended_otherwise(rows)])


def _ended_otherwise(rows: Sequence[CallRow]) -> list[str]:
    counts = Counter(row.kind for row in rows)
    return [f"{counts[kind]} {kind}" for kind in ("raised", "hung", "died") if counts[kind]]


def short_share(rows: Sequence[CallRow]) -> str:
    """Return the same in short: ``17 of 20, 0.85 (0.64 to 0.95), 1 hung``."""
    share = share_of(sum(row.passed for row in rows), len(rows))
    return ", ".join([str(share), *_ended_otherwise(rows)])


def share_text(rows: Sequence[CallRow]) -> str:
    """Return how many passed, how sure that is (95 %), and what became of the others.

    Of these callers' calls (Wilson), and from six callers on of callers like them.
    """
    rate = pass_rate(rows)
    sure = f", pass rate {rate.share:.2f} ({rate.low:.2f} to {rate.high:.2f})" if rate.n else ""
    if rate.among_callers is not None:
        low, high = rate.among_callers
        sure += f"; of callers like these {low:.2f} to {high:.2f}"
    return said_of(rows) + sure


def latency_of(rows: Sequence[CallRow]) -> tuple[float | None, float | None]:
    """Return the median and the 95th percentile of all the answers of several calls, seconds."""
    answers = [secs for row in rows for secs in row.answers]
    return percentile(answers, 50), percentile(answers, 95)


def failing_steps(rows: Sequence[CallRow]) -> list[tuple[str, int]]:
    """Return what failed and in how many of the calls, the most frequent first."""
    counts = Counter(cause_of_row(row) for row in rows if not row.passed)
    told: dict[str, set[str]] = {}
    for row in rows:
        told.setdefault(cause_of_row(row), set()).add(reason(row))
    return [
        (next(iter(told[cause])) if len(told[cause]) == 1 else _short(cause), count)
        for cause, count in counts.most_common()
    ]
