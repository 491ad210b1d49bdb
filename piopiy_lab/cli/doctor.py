"""``piopiy-lab doctor``: what is there, what is missing and how to get it.

Its output is for bug reports: short, in the same order everywhere, with keys by name only and
without the name of the user's home folder.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

from piopiy_lab._version import __version__
from piopiy_lab.cli.checks import keys_present, run_checks
from piopiy_lab.cli.packages import base_packages, extras, missing_from_base, version_of
from piopiy_lab.cli.terminal import Terminal

#: Packages that are worth a line if they are there.
ALSO = ("jupyterlab", "ipykernel")
#: What is wide enough for the names on the left.
WIDTH = 20


def doctor(terminal: Terminal, *, as_json: bool = False) -> int:
    """Print what is installed and whether it works.

    Args:
        terminal: Where to.
        as_json: Whether it is for a program.

    Returns:
        The exit code: 0 if calls can run, else 1.
    """
    found = examine()
    terminal.line(json.dumps(found, indent=2) if as_json else _text(terminal, found))
    return 0 if found["ok"] else 1


def examine() -> dict[str, object]:
    """Return everything that is printed, as values that JSON can hold."""
    checks = run_checks()
    missing = missing_from_base()
    return {
        "ok": not missing and not any(c.base and c.status != "ok" for c in checks),
        "piopiy_lab": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version_of(name) for name in (*base_packages(), *ALSO)},
        "missing": missing,
        "extras": {
            extra.name: {
                "installed": not extra.missing,
                "missing": list(extra.missing),
                "install": extra.install,
            }
            for extra in extras()
        },
        "checks": [{**vars(c), "detail": _without_home(c.detail)} for c in checks],
        "keys": keys_present(),
    }


def _text(terminal: Terminal, found: dict[str, Any]) -> str:
    lines = [
        _row("piopiy_lab", found["piopiy_lab"]),
        _row("python", found["python"]),
        _row("platform", found["platform"]),
    ]
    lines += [_row(name, version or "not installed") for name, version in found["packages"].items()]
    if found["missing"]:
        lines.append(_bad(terminal, _row("missing", ", ".join(found["missing"]))))
        lines.append(_row("", "pip install --upgrade piopiy-lab"))
    lines += ["", terminal.styled("Extras", "bold")]
    for name, extra in found["extras"].items():
        lines.append(_row(name, "installed" if extra["installed"] else extra["install"]))
    lines += ["", terminal.styled("Checks", "bold")]
    for check in found["checks"]:
        status = "" if check["status"] == "ok" else f"{check['status']}: "
        line = _row(check["name"], f"{status}{check['detail']}")
        lines.append(_bad(terminal, line) if check["status"] == "failed" else line)
        if check["remedy"]:
            lines.append(_row("", f"({check['remedy']})"))
    lines += ["", terminal.styled("Keys", "bold")]
    lines.append(", ".join(found["keys"]) or "none of the well-known ones is set")
    lines += ["", "Calls can run." if found["ok"] else _bad(terminal, "Calls can't run.")]
    return "\n".join(lines)


def _row(name: str, value: str) -> str:
    return f"{name:<{WIDTH}}  {value}"


def _bad(terminal: Terminal, text: str) -> str:
    return terminal.styled(text, "bad")


def _without_home(text: str) -> str:
    try:
        home = str(Path.home())
    except RuntimeError:
        return text
    return text.replace(home, "~") if len(home) > 1 else text
