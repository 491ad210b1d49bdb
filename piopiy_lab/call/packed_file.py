"""A packed call as one file: a ZIP archive of what a saved call's folder has, with FLAC for WAV.

Any tool opens it: ``events.jsonl``, ``meta.json``, ``call.flac``, ``caller.flac``, and
``packed.json`` with what these don't say. Nothing is pickled, no key or token is written, the same
call gives the same bytes, and each part has its checksum, so that damage is seen.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
import zlib
from os import PathLike
from pathlib import Path

from piopiy_lab.call.event_file import LONE, EventFile
from piopiy_lab.call.packed import PackedCall, log_of
from piopiy_lab.checks.json_values import Record
from piopiy_lab.checks.regular_files import open_regular
from piopiy_lab.errors import SavedCallError
from piopiy_lab.redaction import redact

#: What such a file's name ends in.
SUFFIX = ".zip"
#: Of the files' form; another one is refused by its number.
VERSION = 1
EVENTS, META, SOUND, HEARD = "events.jsonl", "meta.json", "call.flac", "caller.flac"
PACKED = "packed.json"
#: Bytes that one part may unpack to: two hours of sound are a quarter of it.
LARGEST_PART = 1 << 30


def write_packed(packed: PackedCall, path: Path) -> None:
    """Write a packed call; a file that is there is replaced once the new one is whole.

    Raises:
        OSError: The disk is full, or the folder can't be written; nothing is left of it then.
    """
    told = {"version": VERSION, "sample_rate": packed.sample_rate}
    if packed.frames:
        told["frames"] = json.loads(packed.frames)
    draft = path.with_name(f".{path.name}.new")
    try:
        with zipfile.ZipFile(draft, "w") as archive:
            _add(archive, PACKED, json.dumps(told).encode(), zipfile.ZIP_DEFLATED)
            _add(archive, EVENTS, _clean_events(packed, path.parent), zipfile.ZIP_DEFLATED)
            meta = json.dumps(redact(json.loads(packed.meta)), indent=2)
            _add(archive, META, meta.encode("utf-8", LONE), zipfile.ZIP_DEFLATED)
            for name, sound in ((SOUND, packed.recording), (HEARD, packed.heard)):
                if sound:
                    _add(archive, name, sound, zipfile.ZIP_STORED)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_packed(path: str | PathLike[str]) -> PackedCall:
    """Read a packed call.

    Raises:
        SavedCallError: It is none, it is damaged, another version wrote it, or it can't be read;
            says which file and what to do.
    """
    file = Path(path).expanduser()
    try:
        with open_regular(file) as opened, zipfile.ZipFile(opened) as archive:
            told: Record = json.loads(_part(archive, PACKED))
            if told.get("version") != VERSION:
                raise SavedCallError(
                    f"{file} has version {told.get('version')!r} of a packed call, and this "
                    f"piopiy_lab reads {VERSION}: load it with the one that saved it"
                )
            meta: Record = json.loads(_part(archive, META))
            frames = told.get("frames")
            packed = PackedCall(
                events=zlib.compress(_part(archive, EVENTS).rstrip(b"\n"), 6),
                meta=json.dumps(meta),
                sample_rate=int(told["sample_rate"]),
                recording=_part(archive, SOUND, there=False),
                heard=_part(archive, HEARD, there=False),
                frames="" if frames is None else json.dumps(frames),
            )
    except SavedCallError:
        raise
    except OSError as error:
        raise SavedCallError(
            f"{file} can't be read ({error.strerror or error}); check that it is there"
        ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _damaged(file, error) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(file, error) from error
    return packed


def _damaged(file: Path, error: Exception) -> SavedCallError:
    return SavedCallError(
        f"{file} is damaged, or no call of ours ({error}): take it from a copy, or delete it"
    )


def _add(archive: zipfile.ZipFile, name: str, data: bytes, how: int) -> None:
    """Add a part, with the oldest date that ZIP has: the same call is the same file."""
    info = zipfile.ZipInfo(name)
    info.compress_type = how
    info.external_attr = 0o644 << 16
    archive.writestr(info, data, compresslevel=6)


def _part(archive: zipfile.ZipFile, name: str, *, there: bool = True) -> bytes:
    if not there and name not in archive.namelist():
        return b""
    info = archive.getinfo(name)
    if info.file_size > LARGEST_PART:
        raise ValueError(f"its {name} says that it has {info.file_size} bytes")
    return archive.read(info)


def _clean_events(packed: PackedCall, folder: Path) -> bytes:
    """Return the lines of ``events.jsonl`` as a saved call has them: without secrets."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".events-") as place:
        lines = EventFile(Path(place) / EVENTS)
        try:
            for event in log_of(packed).snapshot():
                lines.append(event.to_json())
        finally:
            lines.close()
        return (Path(place) / EVENTS).read_bytes()
