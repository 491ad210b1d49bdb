"""A folder of recordings with labels as stimuli: what people really said.

``labels.csv`` in it has a row for each recording, with a heading. Columns: ``file`` (its name in
the folder) and ``kind`` (a kind of stimulus), and, where they are needed, ``text`` (what is said;
of all but noises), ``during`` ("speech" or "silence"), ``after`` (seconds into the agent's speech,
or its silence), ``split``, and ``holds``: the pauses within a turn, in seconds of the recording,
"1.20-1.75 3.1-3.6". Nothing is sent anywhere.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from piopiy_lab.bench.scripting import caller_of, clip_of
from piopiy_lab.bench.stimuli import KINDS, Stimulus, read_stimuli
from piopiy_lab.errors import ArgumentError, PiopiyLabError

#: The file that says what each recording is.
LABELS = "labels.csv"
#: Its columns; those that need not be there come last.
COLUMNS = ("file", "kind", "text", "during", "after", "split", "holds")


def load_recordings(folder: str | PathLike[str]) -> tuple[Stimulus, ...]:
    """Return the stimuli of a folder of recordings, in the order of its labels.

    Raises:
        ArgumentError: No such folder, no labels, or a label that can't be used; names the row.
        AudioFileError: A recording can't be read, or is silent.
    """
    place = Path(folder).expanduser()
    path = place / LABELS
    if not path.is_file():
        raise ArgumentError(
            f"{str(place)!r} has no {LABELS}: make one with the columns {', '.join(COLUMNS)}; "
            "file and kind are needed, and the text of all but noises"
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeError, csv.Error) as error:
        raise ArgumentError(f"{str(path)!r} can't be read: {error}") from error
    if not rows:
        raise ArgumentError(
            f"{str(path)!r} has no rows: give a heading, and a row for each recording"
        )
    found: list[Stimulus] = []
    for number, row in rows:
        try:
            found.append(_read(place, row))
        except PiopiyLabError as error:
            raise type(error)(f"{LABELS}, line {number}: {error}") from error
    names = [one.id for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArgumentError(f"{LABELS} has {twice[0]!r} twice: a row for each recording")
    return tuple(found)


def _read(folder: Path, row: Mapping[str | None, Any]) -> Stimulus:
    if None in row:
        raise ArgumentError(
            f"it has more cells than the heading, {', '.join(row[None])!r} at its end: put a text "
            "with a comma in it in quotes"
        )
    given = {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
    unknown = sorted(set(given) - set(COLUMNS))
    if unknown:
        raise ArgumentError(f"there is no column {unknown[0]!r}: they are {', '.join(COLUMNS)}")
    name, kind = given.get("file", ""), given.get("kind", "")
    if not name or not (folder / name).is_file():
        raise ArgumentError(f"there is no recording {name!r} in {str(folder)!r}")
    if kind not in KINDS:
        raise ArgumentError(f"{name!r} has kind={kind!r}: give one of {', '.join(KINDS)}")
    text = given.get("text", "")
    if not text and kind != "noise":
        raise ArgumentError(f"{name!r} has no text: write what is said in it")
    record: dict[str, Any] = {
        "id": Path(name).with_suffix("").as_posix().replace("/", "-"),
        "kind": kind,
        "text": text or "a noise",
        "voice": "recorded",
        **{key: given[key] for key in ("during", "split") if given.get(key)},
    }
    if given.get("after"):
        record["after"] = _number(given["after"], "after")
    elif record.get("during", "speech") == "speech":
        record["after"] = 2.0
    (one,) = read_stimuli([record])
    one = Stimulus(**{**vars(one), "clip": str(folder / name), "holds": _holds(given)})
    clip = clip_of(one)
    secs = len(clip.samples) / clip.sample_rate
    if one.kind == "pause" and not one.holds:
        raise ArgumentError(f"{name!r} is a pause without holds: say where in it, as '1.20-1.75'")
    last = 0.0
    for start, end in one.holds:
        if not last <= start < end <= secs:
            raise ArgumentError(
                f"{name!r} has a hold of {start:g}-{end:g} s, and is {secs:.2f} s long; they must "
                "be in it, and in order"
            )
        last = end
    caller_of(one)  # what can't be performed is refused here, by its line
    return one


def _holds(given: Mapping[str, str]) -> tuple[tuple[float, float], ...]:
    found: list[tuple[float, float]] = []
    for piece in given.get("holds", "").split():
        start, dash, end = piece.partition("-")
        if not dash:
            raise ArgumentError(f"holds={given['holds']!r}: give them as '1.20-1.75 3.1-3.6'")
        found.append((_number(start, "holds"), _number(end, "holds")))
    return tuple(found)


def _number(text: str, column: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentError(f"{column}={text!r} is no number of seconds") from None
