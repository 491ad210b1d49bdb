"""The user's own part of a traceback: where *their* code failed, without the way there.

A call runs deep inside of pipecat and asyncio; of forty frames two are the user's.
"""

from __future__ import annotations

import asyncio
import linecache
import os
import re
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

from piopiy_lab.checks.texts import text_of

#: This package's folder, and where other code lives that the user didn't write.
_OURS = f"{Path(__file__).parents[1]}{os.sep}"
_FOREIGN = tuple(
    str(Path(place))
    for place in (
        _OURS,
        Path(asyncio.__file__).parents[1],  # the standard library
        sysconfig.get_paths()["purelib"],
        sysconfig.get_paths()["platlib"],
    )
)
#: How ipykernel and marimo name the file of a cell; the numbers differ from run to run.
_CELL = re.compile(r"ipykernel_\d+[/\\]\d+\.py$|^<ipython-input-|[/\\]__marimo__cell_[^/\\]*\.py$")


def user_traceback(error: BaseException) -> str:
    """Return the user's frames of an error and of what caused it; "" when there are none.

    Args:
        error: As it was raised, with its ``__traceback__``.
    """
    parts: list[str] = []
    for one in reversed(_with_causes(error)):
        frames = [f for f in traceback.extract_tb(one.__traceback__) if is_users(f.filename)]
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
    if theirs := user_line(error):
        return theirs
    frames = traceback.extract_tb(error.__traceback__)
    return _line(frames[-1]) if frames else "an unknown place"


def user_line(error: BaseException) -> str:
    """Return the user's line at which an error came up, or else what caused it; "" if none is."""
    return next(filter(None, map(_own_line, _with_causes(error))), "")


def _own_line(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename and is_users(error.filename):
        return _at(error.filename, error.lineno, (error.text or "").strip())
    frames = traceback.extract_tb(error.__traceback__)
    return next((_line(frame) for frame in reversed(frames) if is_users(frame.filename)), "")


def _with_causes(error: BaseException) -> list[BaseException]:
    """Return an error and what it was raised from, each once, the last cause last."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    return chain


def shortened(error: BaseException) -> BaseException:
    """Return the error with the user's part of its traceback, and those of what caused it.

    Gone are this package's frames, and whatever led to the user's first. A traceback without a
    frame of the user's stays whole.
    """
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        seen.append(current)
        current.__traceback__ = _shortened(current.__traceback__)
        current = current.__cause__ or current.__context__  # which Python shows, too
    return error


def _shortened(whole: TracebackType | None) -> TracebackType | None:
    links: list[TracebackType] = []
    theirs = False
    link = whole
    while link is not None:
        filename = link.tb_frame.f_code.co_filename
        theirs = theirs or is_users(filename)
        if theirs and not filename.startswith(_OURS):
            links.append(link)
        link = link.tb_next
    kept: TracebackType | None = None
    for link in reversed(links):
        kept = TracebackType(kept, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return kept if theirs else whole


def place_in(filename: str, line: int, name: str) -> str:
    """Return a place in code as a text: the file without its folder, the line, the function."""
    code = linecache.getline(filename, line).strip()
    return _at(filename, f"{line}, in {name}", code)


def _line(frame: traceback.FrameSummary) -> str:
    return _at(frame.filename, f"{frame.lineno}, in {frame.name}", frame.line or "")


def _at(filename: str, line: object, code: str) -> str:
    file = "cell" if _CELL.search(filename) else Path(filename).name
    return f"{file}, line {line}: {code}"


def is_users(filename: str) -> bool:
    """Whether a file is the user's own: a cell, or nothing that was installed."""
    return bool(_CELL.search(filename)) or not filename.startswith((*_FOREIGN, "<"))


def _place(filename: str) -> str:
    return "cell" if _CELL.search(filename) else f'File "{filename}"'
