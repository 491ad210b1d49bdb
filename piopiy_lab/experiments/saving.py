"""A batch of calls on the disk: a folder of ``calls.json`` and of the calls that were kept.

``calls.json`` has the version, notices, settings and the rows, one on each line; ``calls/`` a file
for each kept call, which ``Call.load`` reads as well (``piopiy_lab.call.packed_file``). Nothing is
pickled, and no key or token is written. The folder is written beside its place and moved there, so
that what was there is never lost before the new one is whole.
"""

from __future__ import annotations

import contextlib
import errno
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path, PurePosixPath

from piopiy_lab._version import __version__
from piopiy_lab.call.event_file import LONE
from piopiy_lab.call.packed_file import SUFFIX
from piopiy_lab.call.placing import beside, discard, put_in_place
from piopiy_lab.checks.json_files import read_object
from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import SavedCallError
from piopiy_lab.experiments.figures.row_json import row_from_json, row_to_json
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.kept import Kept
from piopiy_lab.redaction import redact

ROWS, CALLS = "calls.json", "calls"
#: Of the folder's form; another one is refused by its number.
VERSION = 1
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Saved:
    """What a folder holds.

    Attributes:
        rows: The rows.
        files: Of the calls that were kept, by the rows' index.
        notices: What has to be said of them.
        settings: How they were made.
    """

    rows: tuple[CallRow, ...]
    files: Mapping[int, Path]
    notices: tuple[str, ...]
    settings: Mapping[str, object]


def save_calls(
    rows: Sequence[CallRow],
    kept: Kept,
    folder: str | PathLike[str],
    *,
    notices: Iterable[str] = (),
    settings: Mapping[str, object] | None = None,
    overwrite: bool = False,
) -> Path:
    """Save rows and the calls behind them.

    Returns:
        The folder.

    Raises:
        SavedCallError: The folder exists and isn't empty (with ``overwrite``: is no batch of ours),
            the disk is full, or a call's own file can't be read.
    """
    target = Path(folder).expanduser().resolve()
    draft = beside(target, "new")
    try:
        _refuse(target, overwrite)
        (draft / CALLS).mkdir(parents=True)
        names = _copy(rows, kept, draft)
        _write_rows(draft / ROWS, rows, names, notices, settings or {})
        old = put_in_place(draft, target)
    except SavedCallError:
        raise
    except OSError as error:
        raise _unwritable(target, error, rows, kept) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    if old is not None:
        discard(old, target, (ROWS, CALLS))
    kept.moved({i: target / name for i, name in names.items() if _is_in(kept.path(i), target)})
    return target


def load_calls(folder: str | PathLike[str]) -> Saved:
    """Read a saved batch; the calls themselves are read when somebody asks for them.

    Raises:
        SavedCallError: It is none, is damaged, or another version saved it; says which file and
            what to do.
    """
    place = Path(folder).expanduser().resolve()
    file = place / ROWS
    whole = _read(place, file)
    if whole.get("version") != VERSION:
        raise SavedCallError(
            f"{file} has version {whole.get('version')!r}, saved by piopiy_lab "
            f"{whole.get('piopiy_lab')!s:.20}; this piopiy_lab ({__version__}) reads version "
            f"{VERSION}: load it with the one that saved it, or install that version"
        )
    rows: dict[int, CallRow] = {}
    files: dict[int, Path] = {}
    for number, record in enumerate(_list(file, whole, "rows"), 1):
        try:
            row = row_from_json(record)
            if row.index in rows:
                raise SavedCallError(f"its 'index' is {row.index}, which another row has")
            rows[row.index] = row
            if name := record.get("file"):
                files[row.index] = place / _inside(name)
        except SavedCallError as error:
            raise SavedCallError(
                f"{file}: row {number} is damaged: {error}; mend it, or take the file from a copy"
            ) from error
    settings = whole.get("settings")
    return Saved(
        tuple(rows.values()),
        files,
        tuple(str(notice) for notice in _list(file, whole, "notices")),
        settings if isinstance(settings, dict) else {},
    )


def is_saved_batch(folder: Path) -> bool:
    """Whether a folder looks like a saved batch."""
    return (folder / ROWS).is_file()


# --- writing ----------------------------------------------------------------------------------


def _refuse(target: Path, overwrite: bool) -> None:
    if target.exists() and not target.is_dir():
        raise SavedCallError(f"{target} is a file; give the name of a folder")
    if not target.exists() or not any(target.iterdir()):
        return
    if not overwrite:
        raise SavedCallError(
            f"the folder {target} exists and isn't empty; give another name, or overwrite=True to "
            "replace calls that were saved there"
        )
    if not is_saved_batch(target):
        raise SavedCallError(
            f"the folder {target} holds something else than saved calls (it has no {ROWS}), so it "
            "is not overwritten; give another name, or empty it yourself"
        )


def _copy(rows: Sequence[CallRow], kept: Kept, draft: Path) -> dict[int, str]:
    """Copy the kept calls, and return their names in the folder."""
    names: dict[int, str] = {}
    for row in rows:
        path = kept.path(row.index)
        if path is None:
            continue
        slug = re.sub(r"[^A-Za-z0-9_-]+", "-", row.call_id)[:60].strip("-")
        name = f"{CALLS}/{row.index:05d}-{slug}{SUFFIX}"
        try:
            shutil.copyfile(path, draft / name)
        except FileNotFoundError as error:
            raise SavedCallError(
                f"{path} is gone, which has the call {row.call_id}; nothing was saved. Save "
                "calls.where(lambda row: ...) without it, or run it again"
            ) from error
        names[row.index] = name
    return names


def _write_rows(
    path: Path,
    rows: Sequence[CallRow],
    names: Mapping[int, str],
    notices: Iterable[str],
    settings: Mapping[str, object],
) -> None:
    lines: list[str] = []
    for row in rows:
        told = {**row_to_json(row), "kept": row.index in names}
        if row.index in names:
            told["file"] = names[row.index]
        lines.append(json.dumps(told, ensure_ascii=False))
    head = {"version": VERSION, "piopiy_lab": __version__, "settings": redact(settings)}
    head["notices"] = redact(list(notices))
    text = json.dumps(head, ensure_ascii=False, indent=2, default=str).removesuffix("\n}")
    body = ",\n".join(lines)
    path.write_bytes(f'{text},\n  "rows": [\n{body}\n]}}\n'.encode("utf-8", LONE))


def _unwritable(
    target: Path, error: OSError, rows: Sequence[CallRow], kept: Kept
) -> SavedCallError:
    as_it_was = "what was there is as it was" if target.exists() else "nothing is left of it"
    if error.errno in _FULL:
        needed = sum(_size(kept.path(row.index)) for row in rows) / 1e6
        return SavedCallError(
            f"the disk is full: {target} needs {max(1.0, needed):.0f} MB ({error.strerror}); "
            f"{as_it_was}. Make room, give another place, or save fewer: "
            "calls.failed.save(...)"
        )
    return SavedCallError(
        f"can't write the folder {target} ({error.strerror or error}); {as_it_was}. Check its "
        "permissions, or give another place"
    )


def _size(path: Path | None) -> int:
    with contextlib.suppress(OSError):
        return 0 if path is None else path.stat().st_size
    return 0


def _is_in(path: Path | None, folder: Path) -> bool:
    return path is not None and folder in path.parents


# --- reading ----------------------------------------------------------------------------------


def _read(place: Path, file: Path) -> Record:
    if not place.is_dir():
        beside = sorted(place.parent.glob(f".{place.name}.old-*")) if place.parent.is_dir() else []
        hint = f"; {beside[-1]} is what was there when a save was killed" if beside else ""
        raise SavedCallError(f"{place} is no folder; give the one that calls.save() returned{hint}")
    if not file.exists():
        one = (place / "events.jsonl").exists()
        hint = "; it is one saved call, which Call.load reads" if one else ""
        raise SavedCallError(f"{place} has no saved calls: there is no {ROWS} in it{hint}")
    remedy = (
        f"take it from a copy. The calls themselves are in {place / CALLS}: Call.load reads each"
    )
    return read_object(file, "list of calls of ours", remedy)


def _list(file: Path, whole: Record, name: str) -> list[Record]:
    found = whole.get(name)
    if not isinstance(found, list):
        raise SavedCallError(f"{file} is damaged: it has no list {name!r}; take it from a copy")
    return found


def _inside(name: object) -> str:
    """Return a file's name in the folder; one that leads out of it is refused."""
    path = PurePosixPath(name) if isinstance(name, str) else PurePosixPath("/")
    if path.is_absolute() or ".." in path.parts:
        raise SavedCallError(f"its 'file' is {name!r:.60}, which isn't in the folder")
    return str(path)
