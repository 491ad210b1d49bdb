"""A row as JSON and back, every value looked at: a batch may have been saved by others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import get_args

from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import SavedCallError
from piopiy_lab.experiments.figures.pauses import Pause
from piopiy_lab.experiments.figures.rows import CallRow, Kind, TurnRow
from piopiy_lab.redaction import redact


def row_to_json(row: CallRow) -> Record:
    """Return a row as a JSON object, without secrets; what is as nobody set it is left out."""
    plain = CallRow(row.index, row.caller, row.run)
    told: Record = {"index": row.index, "caller": row.caller, "run": row.run}
    for field in fields(CallRow):
        value = getattr(row, field.name)
        if field.name not in told and value != getattr(plain, field.name):
            told[field.name] = value
    if row.turn_rows:
        told["turn_rows"] = [vars(turn) for turn in row.turn_rows]
    if row.pauses:
        told["pauses"] = [list(pause) for pause in row.pauses]
    told["params"] = {name: _plain(value) for name, value in row.params.items()}
    return redact(told)


def row_from_json(record: object) -> CallRow:
    """Return the row that :func:`row_to_json` made an object of.

    Raises:
        SavedCallError: It is none; says which of its values can't be used.
    """
    return CallRow(**_read(record, _ROW, ("index", "caller", "run")))


def _read(
    record: object, kinds: Mapping[str, Callable[[object], object]], needed: tuple[str, ...]
) -> Record:
    if not isinstance(record, dict):
        raise SavedCallError(f"{record!r:.60} is no object")
    missing = [name for name in needed if name not in record]
    if missing:
        raise SavedCallError(f"it has no {missing[0]!r}")
    found: Record = {}
    for name, read in kinds.items():
        if name in record:
            try:
                found[name] = read(record[name])
            except (TypeError, ValueError) as error:
                raise SavedCallError(f"its {name!r} is {record[name]!r:.60}") from error
    return found


def _plain(value: object) -> object:
    """Return what a sweep was given as JSON has it: numbers and texts as they are."""
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _kind(value: object) -> object:
    if value not in get_args(Kind):
        raise ValueError
    return value


def _maybe(read: Callable[[object], object]) -> Callable[[object], object]:
    return lambda value: None if value is None else read(value)


def _several(read: Callable[[object], object]) -> Callable[[object], object]:
    def read_all(value: object) -> object:
        if not isinstance(value, list):
            raise TypeError
        return tuple(read(one) for one in value)

    return read_all


def _turn(value: object) -> TurnRow:
    try:
        return TurnRow(**_read(value, _TURN, ("at", "total", "parts")))
    except SavedCallError as error:
        raise ValueError from error


def _pause(value: object) -> Pause:
    if not isinstance(value, list) or len(value) != len(Pause._fields):
        raise TypeError
    turn, at, cut, held, probability, end = value
    sure = None if probability is None else _number(probability)
    return Pause(_whole(turn), _number(at), _flag(cut), _flag(held), sure, _flag(end))


def _usage(value: object) -> dict[str, dict[str, float]]:
    of = {name: _params(units) for name, units in _params(value).items()}
    return {
        name: {unit: _number(count) for unit, count in units.items()} for name, units in of.items()
    }


def _params(value: object) -> Record:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _texts(value: object) -> dict[str, str]:
    return {name: _text(text) for name, text in _params(value).items()}


_TURN: Mapping[str, Callable[[object], object]] = {
    "at": _number,
    "total": _number,
    "parts": _several(_number),
    "tool_secs": _number,
    "words": _text,
    "end": _maybe(_number),
}
_ROW: Mapping[str, Callable[[object], object]] = {
    "index": _whole,
    "caller": _text,
    "run": _whole,
    "seed": _maybe(_whole),
    "kind": _kind,
    "error": _maybe(_text),
    "failing_step": _maybe(_text),
    "end_reason": _maybe(_text),
    "secs": _number,
    "answers": _several(_number),
    "missing": _whole,
    "interruptions": _whole,
    "tools": _several(_text),
    "tool_args": _several(_text),
    "heard": _several(_text),
    "ends": _several(_number),
    "tokens": _whole,
    "characters": _whole,
    "turn_rows": _several(_turn),
    "pauses": _several(_pause),
    "words": _whole,
    "word_errors": _whole,
    "usage": _usage,
    "params": _params,
    "unit": _text,
    "made_of": _texts,
    "sha": _text,
    "course": _text,
    "kept": _flag,
    "cpu_secs": _number,
    "worker": _whole,
}
