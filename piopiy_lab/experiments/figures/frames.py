"""Many calls as pandas' tables: a row for each call, or a row for each answered turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from piopiy_lab.call.latency import PARTS
from piopiy_lab.checks.data_frames import ANYTHING, data_frame
from piopiy_lab.experiments.figures.rows import CallRow

if TYPE_CHECKING:
    from pandas import DataFrame

#: The columns of a call, and what pandas calls that which is in them.
CALL_COLUMNS: Mapping[str, str] = {
    "caller": "string",
    "unit": "string",
    "run": "Int64",
    "seed": "Int64",
    "kind": "string",
    "passed": "boolean",
    "failing_step": "string",
    "error": "string",
    "end_reason": "string",
    "secs": "float64",
    "turns": "Int64",
    "mean": "float64",
    "p50": "float64",
    "p95": "float64",
    "max": "float64",
    "missing": "Int64",
    "interruptions": "Int64",
    "tools": ANYTHING,
    "tool_args": ANYTHING,
    "heard": ANYTHING,
    "ends": ANYTHING,
    "tokens": "Int64",
    "characters": "Int64",
    "words": "Int64",
    "word_errors": "Int64",
    "sha": "string",
    "course": "string",
    "kept": "boolean",
    "cpu_secs": "float64",
    "worker": "Int64",
}
#: The columns of an answered turn.
TURN_COLUMNS: Mapping[str, str] = {
    "caller": "string",
    "run": "Int64",
    "passed": "boolean",
    "number": "Int64",
    "at": "float64",
    **dict.fromkeys(PARTS, "float64"),
    "total": "float64",
    "tool_secs": "float64",
    "end": "float64",
    "words": "string",
}


def calls_frame(rows: Sequence[CallRow]) -> DataFrame:
    """Return a row for each call, seconds throughout; a sweep's parameters are columns, too.

    Raises:
        MissingExtraError: pandas isn't installed.
    """
    swept = dict.fromkeys((name for row in rows for name in row.params), ANYTHING)
    columns = {**CALL_COLUMNS, **{n: kind for n, kind in swept.items() if n not in CALL_COLUMNS}}
    return data_frame(map(_call, rows), columns)


def turns_frame(rows: Sequence[CallRow]) -> DataFrame:
    """Return a row for each answered turn, seconds throughout.

    Raises:
        MissingExtraError: pandas isn't installed.
    """
    return data_frame(_turns(rows), TURN_COLUMNS)


def _call(row: CallRow) -> dict[str, object]:
    own = {name: getattr(row, name) for name in CALL_COLUMNS if name != "max"}
    lists = {name: list(own[name]) for name in ("tools", "tool_args", "heard", "ends")}
    return {**row.params, **own, **lists, "max": max(row.answers, default=None)}


def _turns(rows: Sequence[CallRow]) -> Iterator[dict[str, object]]:
    for row in rows:
        for number, turn in enumerate(row.turn_rows, 1):
            yield {
                "caller": row.caller,
                "run": row.run,
                "passed": row.passed,
                "number": number,
                "at": turn.at,
                **dict(zip(PARTS, turn.parts, strict=True)),
                "total": turn.total,
                "tool_secs": turn.tool_secs,
                "end": turn.end,
                "words": turn.words,
            }
