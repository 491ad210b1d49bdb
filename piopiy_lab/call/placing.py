"""Putting a folder that was written whole in the place of another: what was there is never lost."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection
from pathlib import Path


def beside(folder: Path, what: str) -> Path:
    """Return a name that nothing has, in the same folder.

    Args:
        folder: Beside which.
        what: What it is to be: "new", "old".
    """
    name = folder.name.encode()[:200].decode(errors="ignore")  # of 255 bytes that may be there
    return folder.with_name(f".{name}.{what}-{os.getpid()}-{secrets.token_hex(3)}")


def put_in_place(draft: Path, target: Path) -> Path | None:
    """Move a whole new folder to its place; return where the old one is, if there was one.

    Raises:
        OSError: It can't be moved; then what was there is there again.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    old = beside(target, "old") if target.exists() else None
    if old is not None:
        target.rename(old)
    try:
        draft.rename(target)
    except OSError:
        if old is not None:
            old.rename(target)
        raise
    return old


def discard(old: Path, new: Path, ours: Collection[str]) -> None:
    """Delete a folder that was replaced, but move files of other names to the new one.

    Args:
        old: What was replaced.
        new: What is there now.
        ours: The names of what may go.
    """
    try:
        for extra in sorted(old.iterdir()):
            if extra.name not in ours and not (new / extra.name).exists():
                extra.rename(new / extra.name)
    except OSError:
        return  # keep it: better a folder too many than a file too few
    shutil.rmtree(old, ignore_errors=True)
