"""``--voice-baseline FILE``: repeated tests, held against the figures of an earlier run.

The file has a baseline (:mod:`piopiy_lab.experiments.baseline`) for each test, by its id: that of
pytest with the test's file as seen from the baseline's folder, so that it is the same whatever
pytest takes for its rootdir.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import PiopiyLabError, SavedCallError
from piopiy_lab.experiments.baseline import VERSION, baseline_of, load_baseline
from piopiy_lab.experiments.baseline_check import check_baseline
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.showing.text_file import write_text

_UPDATE = "pytest --voice-baseline {path} --voice-update writes it"


def id_of(baseline: Path, file: Path, node: str) -> str:
    """Return a test's id in a baseline's file.

    Args:
        baseline: The baseline's file, absolute.
        file: The test's file, absolute.
        node: pytest's id of it, "tests/test_it.py::test_it[2]".
    """
    folder = baseline.parent.resolve()
    try:
        seen = os.path.relpath(file.resolve(), folder)
    except ValueError:  # another drive of Windows
        return node
    return Path(seen).as_posix() + "".join(node.partition("::")[1:])


def figures_of(rows: Sequence[CallRow]) -> str:
    """Return the baseline of one test, as JSON, to travel in its report.

    Raises:
        ArgumentError: One of its calls came to nothing.
    """
    return json.dumps(baseline_of(rows))


def why_worse(path: Path, test: str, rows: Sequence[CallRow], min_difference: float) -> str | None:
    """Return why a test fails against the file's figures; None if it holds.

    Args:
        path: The file.
        test: The test's id.
        rows: Its calls.
        min_difference: Seconds by which answers may be slower.
    """
    update = _UPDATE.format(path=path)
    try:
        tests = _tests_in(path)
        if test not in tests:
            return f"{path} has no figures of this test: {update}"
        check = check_baseline(rows, tests[test], min_difference=min_difference, whole_runs=True)
    except PiopiyLabError as error:
        return f"--voice-baseline: {error}; {update}"
    return f"{check!r}\nif that is as it should be, {update}" if check.failed else None


def write_figures(path: Path, figures: Mapping[str, str]) -> None:
    """Write the figures of tests, by id, into the file; those of other tests in it stay.

    Raises:
        SavedCallError: The file can't be written, or is no baseline file.
    """
    tests = _tests_in(path) if path.exists() else {}
    tests = {**tests, **{test: json.loads(told) for test, told in figures.items()}}
    whole = {"version": VERSION, "tests": dict(sorted(tests.items()))}
    write_text(path, json.dumps(whole, indent=1) + "\n", True)


def _tests_in(path: Path) -> Record:
    if not path.exists():
        raise SavedCallError(f"{path} isn't there")
    tests = load_baseline(path).get("tests")
    if not isinstance(tests, dict):
        raise SavedCallError(f"{path} has no baselines of tests")
    return tests
