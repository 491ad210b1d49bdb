"""Writing a report: one text file, whole or not at all."""

from __future__ import annotations

import os
import secrets
from os import PathLike
from pathlib import Path

from piopiy_lab.errors import SavedCallError


def write_text(path: str | PathLike[str], text: str, overwrite: bool) -> Path:
    """Write a file beside its place and move it there.

    Returns:
        The file's whole path.

    Raises:
        SavedCallError: It is there already, or can't be written.
    """
    target = Path(path).expanduser().resolve()
    draft = target.with_name(f".{target.name[:200]}.{os.getpid()}-{secrets.token_hex(3)}")
    try:
        check_free(target, overwrite)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_text(text, encoding="utf-8")
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except SavedCallError:
        raise
    except OSError as error:
        raise SavedCallError(
            f"{target} can't be written: {error.strerror or error}; make room, or give another "
            "place"
        ) from error
    return target


def check_free(path: str | PathLike[str], overwrite: bool) -> None:
    """Refuse a place before any work is done for it.

    Raises:
        SavedCallError: Something is there already.
    """
    target = Path(path).expanduser().resolve()
    if target.is_dir():
        raise SavedCallError(f"{target} is a folder; give the name of a file")
    if target.exists() and not overwrite:
        raise SavedCallError(f"{target} is there already; give another name, or overwrite=True")
