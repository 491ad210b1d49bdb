"""pipecat's own files of an eval: ``results.jsonl`` as its suite writes it, a trace for each run.

Without secrets, which pipecat leaves in. What can be written is written, whatever else can't be.
Any thread.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from pipecat.evals.results import EvalSimulationResult
from pipecat.evals.scenario import EvalKind
from pipecat.evals.suite import EvalRun as PipecatRun

from piopiy_lab.checks.texts import described
from piopiy_lab.errors import SavedCallError
from piopiy_lab.evals import seams
from piopiy_lab.evals.runs import EvalRun
from piopiy_lab.redaction import made_valid, redact, redact_text

#: What stands in no file's name.
_NO_NAME = re.compile(r"[^\w.-]")


def save(bot: str, runs: Sequence[EvalRun], folder: Path) -> None:
    """Write what pipecat's suite writes of its runs.

    Raises:
        SavedCallError: Something can't be written; the first of it. All else is there.
    """
    logs = folder / "logs"
    failed: list[SavedCallError] = []

    def tried(write: Callable[[Path, str], object], path: Path, text: str) -> bool:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, text)
        except OSError as error:
            failed.append(_cant_write(path, error))
            return False
        return True

    taken: set[str] = set()
    for run in runs:
        stem = _stem(bot, run, taken)
        artifacts = {"log": str(logs / f"{stem}.log")}  # pipecat names it, there or not
        for key, path, text in _artifacts(run, logs / stem):
            if tried(_write, path, text):
                artifacts[key] = str(path)
        record = {**redact(seams.record_of(_theirs(run, bot))), "artifacts": artifacts}
        tried(_append, folder / "results.jsonl", json.dumps(record) + "\n")
    if failed:
        raise failed[0]


def _stem(bot: str, run: EvalRun, taken: set[str]) -> str:
    """Return how a run's files are called, each otherwise; written into ``taken``."""
    name = f"{redact_text(bot)}__{redact_text(run.label).replace('/', '__')}"
    name = _NO_NAME.sub("_", name) + (f"__{run.attempt:03d}" if run.attempts > 1 else "")
    stem, number = name, 1
    while stem.casefold() in taken:
        number += 1
        stem = f"{name}__{number}"
    taken.add(stem.casefold())
    return stem


def _artifacts(run: EvalRun, stem: Path) -> list[tuple[str, Path, str]]:
    """Return what is kept of a run beside its record: pipecat's key, the file, its text."""
    found: list[tuple[str, Path, str]] = []
    if run.result is not None:
        trace = made_valid(redact_text("\n".join(run.result.debug_log)))
        found.append(("eval_log", stem.parent / f"{stem.name}.eval.log", f"{trace}\n"))
    if isinstance(run.result, EvalSimulationResult):
        told = json.dumps(redact(run.result.conversation), indent=2)
        found.append(("conversation", stem.parent / f"{stem.name}.conversation.json", f"{told}\n"))
    return found


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _append(path: Path, line: str) -> None:
    """Append a line, or nothing of it: half a record would spoil the next one."""
    size = path.stat().st_size if path.exists() else 0
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line)
    except OSError:
        if path.is_file() and path.stat().st_size > size:
            os.truncate(path, size)
        raise


def _cant_write(path: Path, error: OSError) -> SavedCallError:
    failed = SavedCallError(
        f"{path} can't be written: {error.strerror or error}: make room or give another folder; "
        "what was recorded before is kept"
    )
    failed.__cause__ = error
    return failed


def _theirs(run: EvalRun, bot: str) -> PipecatRun:
    simulated = not hasattr(run.scenario, "turns")
    return PipecatRun(
        bot=bot,
        scenario=run.label,
        scenario_path=run.scenario.source_path or Path(),
        kind=EvalKind.SIMULATION if simulated else EvalKind.SCRIPT,
        attempts=run.attempts,
        attempt=run.attempt,
        status="done",
        result=run.result,
        error=None if run.error is None else described(run.error),
        duration_ms=None if run.result is None else run.result.duration_ms,
    )
