"""A baseline: what many calls were like, as JSON, for later ones to be held against.

By caller and run: the seed, the outcome, the answers' seconds, counts and fingerprints, of what the
caller and the line were like, too; no word of what was said, no key. Files are written whole or not
at all.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from importlib import metadata
from os import PathLike
from pathlib import Path

from piopiy_lab._version import __version__
from piopiy_lab.checks.json_files import read_object
from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import ArgumentError, SavedCallError
from piopiy_lab.experiments.figures.ordering import groups_of
from piopiy_lab.experiments.figures.row_json import row_from_json
from piopiy_lab.experiments.figures.rows import CallRow, percentile
from piopiy_lab.experiments.showing.text_file import write_text

#: Of its form; another one is refused by its number.
VERSION = 1
#: What is kept of a run.
_OF_RUN = (
    "run",
    "seed",
    "kind",
    "answers",
    "interruptions",
    "tokens",
    "words",
    "word_errors",
    "sha",
    "course",
)
#: What is kept where there is any.
_IF_ANY = ("missing", "unit")


def baseline_of(rows: Sequence[CallRow]) -> Record:
    """Return what calls were like, as JSON holds it.

    Raises:
        ArgumentError: There are none, or one of them came to nothing: a session that raises is no
            measure for others.
    """
    if not rows:
        raise ArgumentError("a baseline of no calls: nothing could be held against it")
    for row in rows:
        if row.kind not in ("passed", "failed"):
            raise ArgumentError(
                f"the call {row.call_id} {row.kind} ({row.error}): mend it before you keep a "
                "baseline, or every later run would be as good"
            )
    return {
        "version": VERSION,
        "made_with": versions(),
        "callers": {name: _of_caller(calls) for name, calls in groups_of(rows).items()},
    }


def _of_caller(rows: Sequence[CallRow]) -> Record:
    answers = [secs for row in rows for secs in row.answers]
    made = next((dict(row.made_of) for row in rows if row.made_of), {})
    return {
        **({"made_of": made} if made else {}),
        "n": len(rows),
        "passed": sum(row.passed for row in rows),
        "means": [_rounded(row.mean) for row in rows],
        "p50": _rounded(percentile(answers, 50)),
        "p95": _rounded(percentile(answers, 95)),
        "runs": [_of_run(row, made) for row in rows],
    }


def _of_run(row: CallRow, made: Record) -> Record:
    """Return a run; what it was made of only where that isn't as of the caller's first."""
    told: Record = {name: getattr(row, name) for name in _OF_RUN}
    if row.made_of and row.made_of != made:
        told["made_of"] = dict(row.made_of)
    return told | {name: getattr(row, name) for name in _IF_ANY if getattr(row, name)}


def _rounded(secs: float | None) -> float | None:
    return None if secs is None else round(secs, 6)


def versions() -> dict[str, str]:
    """Return what the calls were made with."""
    return {
        "piopiy_lab": __version__,
        "pipecat": metadata.version("pipecat-ai"),
        "onnxruntime": metadata.version("onnxruntime"),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


def save_baseline(
    rows: Sequence[CallRow], path: str | PathLike[str], overwrite: bool = False
) -> Path:
    """Save a baseline as a JSON file.

    Returns:
        The file's whole path.

    Raises:
        ArgumentError: As :func:`baseline_of`.
        SavedCallError: The file is there already, or can't be written.
    """
    return write_text(path, json.dumps(baseline_of(rows), indent=1) + "\n", overwrite)


def load_baseline(path: str | PathLike[str]) -> Record:
    """Read a baseline.

    Raises:
        SavedCallError: There is none, or it is damaged.
    """
    file = Path(path).expanduser().resolve()
    try:
        return read_object(file, "baseline", "take it from a copy, or make it anew")
    except FileNotFoundError as error:
        raise SavedCallError(
            f"{file} isn't there: make it with calls.save_baseline({str(path)!r})"
        ) from error


def rows_of(baseline: Record) -> list[CallRow]:
    """Return a baseline's calls as rows, with what is kept of them.

    Raises:
        SavedCallError: It is none, is damaged, or another version made it.
    """
    if baseline.get("version") != VERSION:
        raise SavedCallError(
            f"the baseline has version {baseline.get('version')!r:.20}, and this piopiy_lab "
            f"({__version__}) reads {VERSION}: make it anew with calls.save_baseline()"
        )
    rows: list[CallRow] = []
    try:
        for caller, of in baseline["callers"].items():
            for told in of["runs"]:
                record = {**told, "index": len(rows), "caller": caller}
                record["answers"] = list(told["answers"])
                record.setdefault("made_of", of.get("made_of", {}))
                rows.append(row_from_json(record))
    except (KeyError, TypeError, AttributeError, SavedCallError) as error:
        raise SavedCallError(
            f"the baseline is damaged ({type(error).__name__}: {error}); take it from a copy, or "
            "make it anew with calls.save_baseline()"
        ) from error
    if not rows:
        raise SavedCallError("the baseline has no calls: make it anew with calls.save_baseline()")
    return rows
