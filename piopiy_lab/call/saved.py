"""A saved call: a folder of ``events.jsonl``, ``call.wav``, ``caller.flac`` and ``meta.json``.

``events.jsonl`` has one event per line, ``call.wav`` the caller left and the agent right,
``caller.flac`` what the pipeline heard of the caller (``caller.wav`` while the call runs), and
``meta.json`` versions, services, settings and wall times. A call can be written there as it
happens (:class:`CallFolder`), so that a killed process loses at most the last line, or in one
piece afterwards (:func:`save`). Nothing is pickled, and no key or token is written.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path

from piopiy_lab import events as ev
from piopiy_lab.call.event_file import LONE, EventFile
from piopiy_lab.call.placing import beside, discard, put_in_place
from piopiy_lab.call.record import CallRecord
from piopiy_lab.checks.regular_files import open_regular
from piopiy_lab.errors import SavedCallError
from piopiy_lab.events.log import EventLog
from piopiy_lab.redaction import redact, told
from piopiy_lab.sound.heard import FLAC, heard_in, write_flac
from piopiy_lab.sound.heard import WAV as CALLER_WAV
from piopiy_lab.sound.sample_store import FileStore
from piopiy_lab.sound.wav import SavedAudio

EVENTS, WAV, META = "events.jsonl", "call.wav", "meta.json"
OURS = (EVENTS, WAV, META, CALLER_WAV, FLAC)
#: Bytes of a line that are read at the most: what a tool gave may be long, but has an end.
LONGEST_LINE = 64 << 20
#: Hz, of a recording that says nothing about it.
DEFAULT_SAMPLE_RATE = 24000


class CallFolder:
    """A folder that a call is written to as it happens. A sink for the event log's lines.

    Safe from any thread. With ``overwrite``, the call that was there is kept beside it under
    another name until :meth:`close`, so that it is not lost before the new one is whole.
    """

    def __init__(self, path: str | PathLike[str], overwrite: bool = False) -> None:
        """Create the folder and begin ``events.jsonl``.

        Raises:
            SavedCallError: The folder exists and isn't empty (with ``overwrite``: is no saved
                call), or can't be written.
        """
        self.path: Path = _checked(path, overwrite)
        self._lock = threading.Lock()  # guards _file and _old
        self.error: OSError | None = None  # why meta.json isn't there; written by write_meta()
        self._old: Path | None = None  # the call that was here; written by close()
        try:
            if _has_something(self.path):
                self._old = beside(self.path, "old")
                self.path.rename(self._old)
            self.path.mkdir(parents=True, exist_ok=True)
            self._file = EventFile(self.path / EVENTS)
        except OSError as error:
            self._put_back()
            raise _unwritable(self.path, error) from error

    @property
    def wav_path(self) -> Path:
        """Where the Recorder writes."""
        return self.path / WAV

    def write_line(self, line: str) -> None:
        """Append one line to ``events.jsonl``; it outlives the process from here on.

        Raises:
            OSError: The disk is full, or gone.
        """
        with self._lock:
            if self._file.closed:
                return
            self._file.append(line)

    def write_meta(self, meta: Mapping[str, object]) -> None:
        """Write ``meta.json`` in one step, without keys and tokens; again replaces it.

        A disk that is full or gone doesn't end the call: it is remembered in :attr:`error`.
        """
        text = json.dumps(redact(meta), indent=2, ensure_ascii=False) + "\n"
        draft = self.path / f".{META}.new"
        try:
            draft.write_bytes(text.encode("utf-8", LONE))
            draft.replace(self.path / META)
        except OSError as error:
            self.error = self.error or error

    def close(self) -> None:
        """Finish writing: the call is whole, so the one it replaced can go."""
        with self._lock:
            self._file.close()
            old, self._old = self._old, None
        if old is not None:
            discard(old, self.path, OURS)

    def _put_back(self) -> None:
        if self._old is not None and self._old.exists():
            with contextlib.suppress(OSError):
                self.path.rmdir()
            if not self.path.exists():
                self._old.rename(self.path)

    def __repr__(self) -> str:
        return f"<CallFolder {self.path}>"


def save(call: CallRecord, path: str | PathLike[str], overwrite: bool = False) -> Path:
    """Save a call, running or ended, as a folder.

    It is written beside its place and then moved there, so what was there is never lost before
    the new one is whole. Files of other names in a folder that is overwritten are kept.

    Returns:
        The folder.

    Raises:
        SavedCallError: The folder exists and isn't empty (with ``overwrite``: is no saved call),
            or can't be written.
    """
    given = Path(path).expanduser().resolve()
    if call.folder is not None and call.folder.resolve() == given and _is_saved_call(given):
        return given  # it is there already
    target = _checked(path, overwrite)
    if target.exists() and not _has_something(target):
        return _save_into(call, target)
    draft = beside(target, "new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(call, draft)
        old = put_in_place(draft, target)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, SavedCallError):
            raise
        raise _unwritable(target, error) from error
    if old is not None:
        discard(old, target, OURS)
    return target


def load(path: str | PathLike[str]) -> tuple[EventLog, SavedAudio, dict[str, object]]:
    """Read a saved call; one whose process was killed, up to there. Changes nothing on disk.

    Returns:
        The log, the sound (read when it is asked for), and what ``meta.json`` says.

    Raises:
        SavedCallError: The folder is no saved call, or can't be read; says which file and what
            to do.
    """
    folder = Path(path).expanduser()
    if not (folder / EVENTS).is_file():
        there = (folder / EVENTS).exists()
        found = f"has no {EVENTS}" + (" that is a regular file" if there else "")
        if not folder.is_dir():
            found = "is no folder"
        raise SavedCallError(
            f"{folder} is no saved call: it {found}; give the folder that call.save() returned"
        )
    log = EventLog()
    for event in _read_events(folder / EVENTS):
        log.append(event)
    meta = _read_meta(folder / META)
    started = log.of(ev.CallStarted)
    rate = started[0].sample_rate if started else DEFAULT_SAMPLE_RATE
    told = meta.get("heard")
    changes = log.of(ev.CallStateChanged)
    begins = next((event.at for event in changes if event.new == "listening"), 0.0)
    return log, SavedAudio(folder / WAV, rate, lambda: heard_in(folder, told, begins)), meta


def keep_in_meta(folder: Path, name: str, value: object) -> None:
    """Put one thing into the ``meta.json`` of a saved call, in one step; the rest stays.

    Raises:
        SavedCallError: It can't be written.
    """
    meta = {**_read_meta(folder / META), name: value}
    draft = folder / f".{META}.new"
    try:
        text = json.dumps(redact(meta), indent=2, ensure_ascii=False) + "\n"
        draft.write_bytes(text.encode("utf-8", LONE))
        draft.replace(folder / META)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _save_into(call: CallRecord, empty: Path) -> Path:
    """Save a call into a folder that is there and empty (a mount point, say)."""
    try:
        _write(call, empty)
    except OSError as error:
        for name in OURS:
            with contextlib.suppress(OSError):
                (empty / name).unlink()
        if isinstance(error, SavedCallError):
            raise
        raise _unwritable(empty, error) from error
    return empty


def _write(call: CallRecord, draft: Path) -> None:
    folder = CallFolder(draft)
    try:
        for event in call.events.snapshot():
            folder.write_line(event.to_json())
        audio = call.sample_source
        store = FileStore.wav(folder.wav_path, audio.sample_rate)
        frame = 0
        for block in audio.blocks():
            store.write(frame, block)
            frame += len(block)
        store.truncate(frame)
        meta = dict(call.meta)
        heard = call.heard
        if heard is not None and len(heard.samples):
            write_flac(draft / FLAC, heard.samples, heard.sample_rate)
            meta["heard"] = heard.frames.to_json()
        folder.write_meta(meta)
        if folder.error is not None:
            raise folder.error
    finally:
        folder.close()


def _read_events(path: Path) -> list[ev.Event]:
    found: list[ev.Event] = []
    broken: SavedCallError | None = None  # of a line that is the last one, as far as is known
    for number, line in _lines(path):
        if broken is not None:
            raise broken
        try:
            found.append(ev.from_json(line.decode("utf-8")))
        except (SavedCallError, UnicodeDecodeError) as error:
            broken = SavedCallError(
                f"line {number} of {path} is no event: {told(repr(line[:60]))} ({error}); "
                "mend or delete that line, or load a copy of the original"
            )
            if number == 1:
                raise broken from error
    return found  # without a last line that the process was killed in


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that hold something, with their numbers from 1.

    Raises:
        SavedCallError: The file can't be read, or has a line without end.
    """
    try:
        with open_regular(path) as file:
            for number in itertools.count(1):
                line = file.readline(LONGEST_LINE)
                if not line:
                    return
                if len(line) == LONGEST_LINE:
                    raise SavedCallError(
                        f"line {number} of {path} is longer than {LONGEST_LINE} bytes: it is no "
                        "event of ours; mend or delete that line"
                    )
                if line.strip():
                    yield number, line.rstrip(b"\n")
    except OSError as error:
        raise SavedCallError(
            f"{path} can't be read ({error.strerror or error}); check its permissions"
        ) from error


def _read_meta(path: Path) -> dict[str, object]:
    """Read meta.json; a missing or broken one costs nothing but itself."""
    try:
        with open_regular(path) as file:
            meta: object = json.loads(file.read(LONGEST_LINE), parse_constant=str)
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(name): value for name, value in meta.items()} if isinstance(meta, dict) else {}


# --- places ---------------------------------------------------------------------------------


def _checked(path: str | PathLike[str], overwrite: bool) -> Path:
    """Return the absolute folder if a call may be written there."""
    folder = Path(path).expanduser().resolve()
    try:
        if folder.exists() and not folder.is_dir():
            raise SavedCallError(f"{folder} is a file; give the name of a folder")
        if not _has_something(folder):
            return folder
        if not overwrite:
            raise SavedCallError(
                f"the folder {folder} exists and isn't empty; give another name, "
                "or overwrite=True to replace a call that was saved there"
            )
        if not _is_saved_call(folder):
            raise SavedCallError(
                f"the folder {folder} holds something else than a saved call, so it is not "
                "overwritten; give another name, or empty it yourself"
            )
    except OSError as error:
        if isinstance(error, SavedCallError):
            raise
        raise _unwritable(folder, error) from error
    return folder


def _has_something(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _is_saved_call(folder: Path) -> bool:
    """Whether the folder has an events.jsonl that begins like one."""
    try:
        with open_regular(folder / EVENTS) as file:
            line = file.readline(1 << 20)
        if line.strip():
            ev.from_json(line.decode("utf-8"))
    except (OSError, SavedCallError, UnicodeDecodeError):
        return False
    return True


def _unwritable(folder: Path, error: OSError) -> SavedCallError:
    return SavedCallError(
        f"can't write the folder {folder} ({error.strerror or error}); "
        "check its permissions and the room on the disk, or give another place"
    )
