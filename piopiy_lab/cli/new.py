"""``piopiy-lab new``: a folder with an agent of one's own, its tests, a notebook and a README."""

from __future__ import annotations

import re
import shlex
from importlib.resources import files
from pathlib import Path

from piopiy_lab.cli.terminal import Terminal, printable
from piopiy_lab.errors import ArgumentError

#: What stands for the folder's name in the files that are copied.
PLACEHOLDER = "NAME"
#: They are kept under other names: as Python files they would be part of this package.
SUFFIX = ".in"
#: A name that a file, a docstring, a notebook and a shell take as it is.
_NAME = re.compile(r"[^\W_][\w .-]*")


def new(terminal: Terminal, folder: Path) -> int:
    """Make the folder, and say what to do next; returns the exit code.

    Args:
        terminal: Where to print.
        folder: The new folder; its name is the agent's.

    Raises:
        ArgumentError: The name is none, there is something of that name already, or it can't be
            written.
    """
    folder = folder.expanduser()
    name = folder.resolve().name  # of "." too
    if not _NAME.fullmatch(name):
        raise ArgumentError(
            f"{name!r} can't be an agent's name: give one of letters, digits, '-' and '_', "
            "my-shop say"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ArgumentError(f"{folder} is there already, and not empty: choose another name")
    templates = [
        file for file in (files("piopiy_lab.cli") / "new_agent").iterdir() if file.is_file()
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for template in sorted(templates, key=lambda file: file.name):
            text = template.read_text("utf-8").replace(PLACEHOLDER, name)
            target = folder / template.name.removesuffix(SUFFIX)
            target.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ArgumentError(f"{folder} can't be written: {error}") from error
    terminal.line(f"{printable(str(folder))} is an agent of your own. Next:")
    for command, what in (
        (f"cd {printable(shlex.quote(str(folder)))}", ""),
        ("python agent.py", "a call with a scripted caller, in a few seconds"),
        ("piopiy-lab talk agent.py --text", "call it yourself, by typing"),
        ("pytest", "its tests"),
    ):
        terminal.line(f"  {command:<34}{terminal.styled(what, 'dim')}".rstrip())
    return 0
