"""``piopiy-lab notebooks``: copies the package's notebooks and opens JupyterLab on them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from importlib.resources import files
from pathlib import Path

from piopiy_lab.cli.terminal import Terminal
from piopiy_lab.errors import ArgumentError, MissingExtraError

#: Where the notebooks are in an installed package, and in a clone of the project.
_INSTALLED, _CLONE = "_notebooks", "../notebooks"


def notebooks(terminal: Terminal, folder: Path, *, start: bool = True) -> int:
    """Copy the notebooks and start JupyterLab in this process's place.

    Args:
        terminal: Where to say what was done.
        folder: Where to. Notebooks that are there already stay as they are.
        start: Whether JupyterLab is started.

    Returns:
        The exit code.

    Raises:
        ArgumentError: The folder can't be written.
        MissingExtraError: JupyterLab is to be started and isn't installed.
    """
    if start and importlib.util.find_spec("jupyterlab") is None:
        raise MissingExtraError("Opening the notebooks", "jupyter")
    copied, kept = copy_notebooks(folder)
    terminal.line(f"{len(copied)} notebooks copied to {folder}")
    if kept:
        terminal.line(f"{len(kept)} were there already and stay as they are: {', '.join(kept)}")
    if start:
        sys.stdout.flush()
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", _first(folder)])
    return 0


def copy_notebooks(folder: Path) -> tuple[list[str], list[str]]:
    """Copy the notebooks into a folder, which is made.

    Returns:
        The names of those that were copied, and of those that were there already.
    """
    copied: list[str] = []
    kept: list[str] = []
    try:
        source = _source()
        for notebook in (*sorted(source.glob("*.ipynb")), *sorted(source.glob("marimo/*.py"))):
            name = notebook.relative_to(source)
            target = folder / name
            if target.exists():
                kept.append(name.as_posix())
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(notebook, target)
                copied.append(name.as_posix())
    except OSError as error:
        raise ArgumentError(
            f"the notebooks can't be written to {folder} ({error.strerror or error}); give a "
            "folder of your own: piopiy-lab notebooks DIR"
        ) from error
    return copied, kept


def _source() -> Path:
    package = Path(str(files("piopiy_lab")))
    for name in (_INSTALLED, _CLONE):
        if any((package / name).glob("*.ipynb")):
            return package / name
    raise ArgumentError(
        "no notebooks came with this installation: install piopiy-lab from a wheel or a clone"
    )


def _first(folder: Path) -> str:
    names = sorted(path.name for path in folder.glob("*.ipynb"))
    return next((name for name in names if name.startswith("01")), ".")
