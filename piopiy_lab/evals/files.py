"""Eval files as pipecat's loader makes them, after a check of their names. Any thread."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from pipecat.evals.scenario import (
    EvalLoadedScenario,
    EvalScenarioFile,
    EvalScriptScenario,
    EvalSimulationScenario,
)

from piopiy_lab.errors import ArgumentTypeError, EvalFileError
from piopiy_lab.evals.checking import check_file
from piopiy_lab.evals.yaml_tree import Item, read

SUFFIXES = (".yaml", ".yml")
#: An eval file has one of these at its top.
KEYS = ("scenarios", "turns", "persona")
_KEY = re.compile(rf"^({'|'.join(KEYS)})\s*:", re.M)

#: What an eval can be of: a file, a folder of files, what pipecat's loader made, or several.
Scenarios = (
    str
    | PathLike[str]
    | EvalScenarioFile
    | EvalLoadedScenario
    | Iterable[str | PathLike[str] | EvalScenarioFile | EvalLoadedScenario]
)


def load(scenarios: Scenarios, notices: list[str] | None = None) -> list[EvalLoadedScenario]:
    """Return the scenarios of files, in their order.

    Args:
        scenarios: What to load.
        notices: Gets what has to be said of it.

    Raises:
        EvalFileError: A file is none, or says what pipecat's harness would pass over.
        ArgumentTypeError: Something else than a file or a scenario.
    """
    notices = [] if notices is None else notices
    if isinstance(scenarios, EvalScriptScenario | EvalSimulationScenario):
        return [scenarios]
    if isinstance(scenarios, EvalScenarioFile):
        return list(scenarios.scenarios)
    if isinstance(scenarios, str | PathLike):
        path = Path(scenarios)
        return _folder(path, notices) if path.is_dir() else _file(path)
    try:
        parts = iter(scenarios)
    except TypeError:
        raise ArgumentTypeError(
            f"run_eval() takes an eval file's path, or what EvalScenarioFile.load() returned, "
            f"got {scenarios!r}"
        ) from None
    return [scenario for part in parts for scenario in load(part, notices)]


def labels_of(scenarios: Sequence[EvalLoadedScenario]) -> list[str]:
    """Return how each scenario is called in a report: its name, where no other has that.

    Files of one name, ``a/x.yaml`` and ``b/x.yaml``, are told apart by the way to them.
    """
    labels = [scenario.name for scenario in scenarios]
    for name in {name for name in labels if labels.count(name) > 1}:
        same = [at for at, label in enumerate(labels) if label == name]
        paths = [Path(scenarios[at].source_path or "").absolute().with_suffix("") for at in same]
        depth, ways = 1, [path.name for path in paths]
        while len(set(ways)) < len(set(paths)):
            depth += 1
            ways = ["/".join(path.parts[-depth:]) for path in paths]
        _, slash, rest = name.partition("/")
        for at, way in zip(same, ways, strict=True):
            labels[at] = f"{way}{slash}{rest}"
    return [_numbered(labels, at) for at in range(len(labels))]


def _numbered(labels: Sequence[str], at: int) -> str:
    """Return a label with its number, from 2 on, if the ones before it are the same."""
    before = labels[:at].count(labels[at])
    return f"{labels[at]} ({before + 1})" if before else labels[at]


def _folder(path: Path, notices: list[str]) -> list[EvalLoadedScenario]:
    """Return the scenarios of a folder's files, of those below it too; ``.hidden`` ones are not.

    A file with none of ``KEYS`` at its top is no eval file. It is passed over, and that is said,
    but for one that an eval file includes.
    """
    found: list[EvalLoadedScenario] = []
    others: list[Path] = []
    included: set[str] = set()
    for file in sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES):
        if any(part.startswith(".") for part in file.relative_to(path).parts):
            continue
        try:
            top = read(file)
        except EvalFileError:
            if _KEY.search(file.read_text(encoding="utf-8", errors="replace")):
                raise
            others.append(file)
            continue
        if not isinstance(top.value, dict) or not any(key in top.value for key in KEYS):
            others.append(file)
            continue
        found += _file(file, top)
        included.update(str(Path(name).resolve()) for name in _files_of(top))
    names = [str(file) for file in others if str(file.resolve()) not in included]
    passed_over = f"none of {', '.join(KEYS)} at the top of {', '.join(names)}"
    if not found:
        why = f": {passed_over}" if names else ""
        raise EvalFileError(
            f"{path}: there is no eval file in this folder ({', '.join(SUFFIXES)}){why}"
        )
    if names:
        notices.append(f"passed over, as no eval file: {passed_over}")
    return found


def _files_of(item: Item) -> set[str]:
    """Return the files that an item and what is in it were read from."""
    inner = item.value if isinstance(item.value, list) else []
    inner = list(item.value.values()) if isinstance(item.value, dict) else inner
    return {item.where.rpartition(":")[0]}.union(*map(_files_of, inner))


def _file(path: Path, top: Item | None = None) -> list[EvalLoadedScenario]:
    check_file(top or read(path), path.parent)
    try:
        with warnings.catch_warnings():  # pipecat's older form, which it still loads
            warnings.simplefilter("ignore", DeprecationWarning)
            return list(EvalScenarioFile.load(path).scenarios)
    except (ValueError, OSError) as error:
        raise EvalFileError(str(error)) from None
