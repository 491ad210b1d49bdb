"""Rows of calls that nobody made: for what is counted and compared."""

from __future__ import annotations

from piopiy_lab import Calls
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.kept import Kept


def made_rows(passed, answers=None, **told):
    """Rows by caller: ``{"anna": "ppf"}`` are three runs, of which the last failed.

    Args:
        passed: By caller, a letter for each run: p passed, f failed, r raised, h hung.
        answers: ``(caller, run) -> seconds of the answers``.
        **told: More of each row.
    """
    kinds = {"p": "passed", "f": "failed", "r": "raised", "h": "hung"}
    rows = []
    for caller, runs in passed.items():
        for run, letter in enumerate(runs, 1):
            row = {
                "kind": kinds[letter],
                "failing_step": "hears('friday')" if letter == "f" else None,
                "error": "ValueError: no table" if letter == "r" else None,
                "answers": tuple(answers(caller, run)) if answers and letter != "r" else (),
                "sha": f"{caller}-{run}-{letter}",
                "course": f"{caller}-{run}-{letter}",
                "seed": run,
                **told,
            }
            rows.append(CallRow(len(rows), caller, run, **row))
    return rows


def made_calls(passed, answers=None, **told):
    """The same as ``Calls``, without the calls."""
    return Calls(made_rows(passed, answers, **told), Kept())
