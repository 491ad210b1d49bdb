"""The user's own part of a traceback: where *their* code failed, without the way there.

A call runs deep inside of pipecat and asyncio; of forty frames two are the user's.
"""

from __future__ import annotations

import asyncio
import re
import sysconfig
import traceback
from pathlib import Path

from piopiy_lab.checks.texts import text_of

#: Where code lives that the user didn't write.
_FOREIGN = tuple(
    str(Path(place))
    for place in (
        Path(__file__).parents[1],  # this package
        Path(asyncio.__file__).parents[1],  # the standard library
        sysconfig.get_paths()["purelib"],
        sysconfig.get_paths()["platlib"],
    )
)
#: How ipykernel names the file of a cell; the numbers differ from run to run.
_CELL = re.compile(r"ipykernel_\d+[/\\]\d+\.py$|^<ipython-input-")


def user_traceback(error: BaseException) -> str:
    """Return the user's frames of an error and of what caused it; "" when there are none.

    Args:
        error: As it was raised, with its ``__traceback__``.
    """
    parts: list[str] = []
    seen: set[int] = set()
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        chain.append(current)
        current = current.__cause__
    for one in reversed(chain):
        frames = [f for f in traceback.extract_tb(one.__traceback__) if _is_theirs(f.filename)]
        if frames:
            lines = [
                f"  {_place(f.filename)}, line {f.lineno}, in {f.name}\n    {f.line or ''}"
                for f in frames
            ]
            parts.append("\n".join([*lines, f"{type(one).__name__}: {text_of(one)}"]))
    return "\n\n".join(parts)


def user_place(error: BaseException) -> str:
    """Return the user's line that raised an error, the innermost if none is the user's.

    The same on every machine: the file's folder is left out.
    """
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if _is_theirs(frame.filename)] or list(frames)
    if not theirs:
        return "an unknown place"
    last = theirs[-1]
    file = "cell" if _CELL.search(last.filename) else Path(last.filename).name
    return f"{file}, line {last.lineno}, in {last.name}: {last.line or ''}"


def _is_theirs(filename: str) -> bool:
    return bool(_CELL.search(filename)) or not filename.startswith((*_FOREIGN, "<"))


def _place(filename: str) -> str:
    return "cell" if _CELL.search(filename) else f'File "{filename}"'
