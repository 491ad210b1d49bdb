"""espeak-ng behind ctypes: one engine per process, its lock, and voices that never vary.

espeak-ng adds random flutter, roughness and breath to its voices, so that no two clips are alike.
Here a voice is the language's and the variant's own file with those attributes left out; it is
handed to the library under a throw-away path and loaded afresh for every clip (0.1 ms), so nothing
that was spoken before is left in it. With them gone, pauses are exact zeros too.

The library is GPLv3 and not part of this package: it is looked up at run time
(``espeakng-loader``, the 'offline' extra). Only :mod:`piopiy_lab.sound.speech` uses this module.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from piopiy_lab.errors import MissingExtraError, PiopiyLabError

__all__ = ["NATIVE_RATE", "Engine", "engine"]

NATIVE_RATE = 22050
"""espeak-ng's own sample rate in Hz."""


class _Event(ctypes.Structure):
    """espeak_EVENT of espeak-ng's speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # 1 for the text's first character
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # ms
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_int64),  # a union of 8 bytes
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)

# Constants of espeak-ng's speak_lib.h.
_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples go to the callback
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT
_BUFFER_MS = 400
_LIST_TERMINATED, _WORD = 0, 1  # event types
_POSITION_CHARACTER = 1
_UTF8 = 1
_RATE, _VOLUME, _PITCH, _RANGE, _WORDGAP = 1, 2, 3, 4, 7

_NO_OVERFLOW = 70  # of 100: the library's gain control, once at work, goes on into the next clip

_NOISE = {"flutter", "roughness", "breath", "breathw", "echo"}  # what makes clips differ
_ABOUT = {"name", "gender", "maintainer", "status"}
_FREE_FILES = 4  # that a clip takes at once (two), and what other threads take meanwhile
_LONGEST_DATA_PATH = 140  # espeak-ng keeps it in char[160], and appends to it
_LONGEST_VOICE_PATH = 59  # espeak_ng_SetVoiceByFile copies it to char[60], in lower case

#: Where Linux has a path for each open file of this process.
OPEN_FILES = Path("/proc/self/fd")


class Engine:
    """espeak-ng, loaded. One for each process: the library's state is global.

    Callable from any thread; :meth:`speak` holds the lock from the voice's loading to the last
    sample.
    """

    def __init__(self) -> None:
        """Load the library and look through its data.

        Raises:
            MissingExtraError: ``espeakng-loader`` is not installed, or its library doesn't load.
            PiopiyLabError: espeak-ng can't read its data.
        """
        try:
            import espeakng_loader

            library = ctypes.CDLL(espeakng_loader.get_library_path())
            data = Path(espeakng_loader.get_data_path())
        except (ImportError, OSError, RuntimeError) as error:
            raise MissingExtraError("Offline speech", "offline", detail=str(error)) from error
        self._lock = threading.Lock()  # held while the library runs
        self._library = library
        self._pcm: list[bytes] = []  # written by the callback, in the thread that holds the lock
        self._events: list[tuple[int, int]] = []  # likewise
        self._callback = _Callback(self._on_samples)  # ctypes needs the reference kept
        self.open_files = OPEN_FILES  # as paths; where there is no such folder, files are made
        self._home = _short_path(data, self.open_files)
        if (
            library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, os.fsencode(self._home), _DONT_EXIT)
            < 0
        ):
            raise PiopiyLabError(
                f"espeak-ng can't read its data in {data}: reinstall espeakng-loader"
            )
        self.languages: dict[str, Path] = _languages(data)
        """A language's name -> its file."""
        self.variants: dict[str, Path] = _variants(data)
        """A variant's name -> its file."""
        self._definitions: dict[str, bytes] = {}  # a voice's name -> its file's content

    def speak(
        self, text: str, name: str, *, rate: int, pitch: int, range: int
    ) -> tuple[npt.NDArray[np.int16], list[tuple[int, int]]]:
        """Synthesise a text.

        Args:
            text: Plain text without NULs.
            name: A language of :attr:`languages`, or one with ``+`` and one of :attr:`variants`.
            rate: Words per minute, 80 to 450.
            pitch: 0 to 99.
            range: 0 to 99.

        Returns:
            int16 samples of shape (n,) at :data:`NATIVE_RATE`, and for each word spoken the index
            of a character in the text and the sample where it starts.

        Raises:
            PiopiyLabError: espeak-ng refused the voice or the text.
        """
        data = text.encode()
        library = self._library
        with self._lock:
            _check_free_files()
            self._pcm.clear()
            self._events.clear()
            self._load(name)
            library.espeak_SetSynthCallback(self._callback)  # another package may have set its own
            for parameter, value in (
                (_RATE, rate),
                (_VOLUME, _NO_OVERFLOW),
                (_PITCH, pitch),
                (_RANGE, range),
                (_WORDGAP, 0),
            ):
                if status := library.espeak_SetParameter(parameter, value, 0):
                    raise PiopiyLabError(
                        f"espeak-ng refused {value} for its parameter {parameter} (status {status})"
                    )
            status = library.espeak_Synth(
                data,
                ctypes.c_size_t(len(data) + 1),
                0,
                _POSITION_CHARACTER,
                0,
                _UTF8,
                None,
                None,
            )
            samples, events = b"".join(self._pcm), list(self._events)
            self._pcm.clear()
        if status:
            raise PiopiyLabError(f"espeak-ng could not speak {text[:60]!r} (status {status})")
        return np.frombuffer(samples, dtype=np.int16), events

    def _load(self, name: str) -> None:
        """Make a voice the current one; about 0.1 ms. Called with the lock held."""
        if name not in self._definitions:
            language, _, variant = name.partition("+")
            files = [self.languages[language]] + ([self.variants[variant]] if variant else [])
            self._definitions[name] = _definition(files)
        with VoiceFile(self._definitions[name], self.open_files) as path:
            status = self._library.espeak_ng_SetVoiceByFile(os.fsencode(path))
        if status:
            raise PiopiyLabError(f"espeak-ng refused the voice {name!r} (status {status:#x})")

    def _on_samples(self, pcm: Any, count: int, events: Any) -> int:
        """espeak-ng's callback, in the thread that called espeak_Synth.

        Args:
            pcm: ``count`` int16 samples, or NULL at the end.
            count: The number of samples.
            events: An array that ends with a LIST_TERMINATED event.

        Returns:
            0: go on.
        """
        if pcm and count > 0:
            self._pcm.append(ctypes.string_at(pcm, 2 * count))
        i = 0
        while events[i].type != _LIST_TERMINATED:
            if events[i].type == _WORD:
                self._events.append((events[i].text_position - 1, events[i].sample))
            i += 1
        return 0


def _attributes(path: Path) -> list[list[str]]:
    """A voice file's lines, each split into the attribute's name and its values."""
    return [line.split() for line in path.read_text("utf-8").splitlines() if line.strip()]


def _languages(data: Path) -> dict[str, Path]:
    """Every language name and its file, the first file winning, if its dictionary is there."""
    found: dict[str, Path] = {}
    for path in sorted(p for p in (data / "lang").rglob("*") if p.is_file()):
        lines = _attributes(path)
        names = [line[1] for line in lines if line[0] == "language" and len(line) > 1]
        spelt = [line[1] for line in lines if line[0] == "dictionary" and len(line) > 1]
        dictionary = (spelt or [name.split("-")[0] for name in names] or [""])[0]
        if (data / f"{dictionary}_dict").is_file():
            for name in names:
                found.setdefault(name, path)
    return found


def _variants(data: Path) -> dict[str, Path]:
    """Every variant's name and its file; not Klatt's, whose noise carries on from clip to clip."""
    files = {path.name: path for path in sorted((data / "voices" / "!v").iterdir())}
    return {
        name: path
        for name, path in files.items()
        if not any(line[0] == "klatt" for line in _attributes(path))
    }


def _definition(files: Iterable[Path]) -> bytes:
    """One voice file out of a language's and a variant's, without what is random.

    What the library would otherwise carry over from the voice before is set first: ``intonation``
    is a global there. A ``roughness`` past its table switches cycle-counted modulation off.
    """
    lines = [
        line
        for path in files
        for line in _attributes(path)
        if line[0] not in _NOISE | _ABOUT and line[:2] != ["language", "variant"]
    ]
    lines.sort(key=lambda line: line[0] != "language")  # the rest needs the language to be known
    first = sum(line[0] == "language" for line in lines)
    lines[first:first] = [["intonation", "0"]]
    lines += [["name", "piopiy"], ["flutter", "0"], ["roughness", "8"]]
    return "".join(" ".join(line) + "\n" for line in lines).encode()


def _check_free_files() -> None:
    """Check that espeak-ng can open its voice and dictionary: it goes on without, and crashes.

    Raises:
        PiopiyLabError: The process has too few file descriptors left.
    """
    held: list[int] = []
    try:
        for _ in range(_FREE_FILES):
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        raise PiopiyLabError(
            f"espeak-ng needs {_FREE_FILES} free file descriptors, and there are {len(held)} "
            f"({error.strerror or error}): close files, or raise the limit (ulimit -n)"
        ) from error
    finally:
        for file in held:
            os.close(file)


class VoiceFile:
    """A voice's definition under a path that espeak-ng can take, for the length of a ``with``.

    In memory on Linux (so a read-only disk will do), in a temporary file elsewhere.
    """

    def __init__(self, content: bytes, open_files: Path) -> None:
        """Make nothing yet.

        Args:
            content: The definition.
            open_files: The folder in which the process's open files have a path, if there is one.
        """
        self._content, self._open_files = content, open_files
        self._fd = -1
        self._path = ""

    def __enter__(self) -> str:
        """The file's path: at most 59 characters, and found in lower case too.

        Raises:
            PiopiyLabError: No temporary folder with such a path can be written to.
        """
        if self._open_files.is_dir() and hasattr(os, "memfd_create"):
            self._fd = os.memfd_create("voice")
            os.write(self._fd, self._content)
            return f"{self._open_files}/{self._fd}"
        for folder in ("/tmp", tempfile.gettempdir(), "/var/tmp"):
            try:
                fd, path = tempfile.mkstemp(prefix="pl", dir=folder)
            except OSError:
                continue
            self._path = path
            with os.fdopen(fd, "wb") as file:
                file.write(self._content)
            if len(os.fsencode(path)) <= _LONGEST_VOICE_PATH and os.path.exists(path.lower()):
                return path
            os.unlink(path)
        self._path = ""
        raise PiopiyLabError(
            "espeak-ng needs a writable temporary folder with a short path in lower case: "
            f"{tempfile.gettempdir()!r} is not one; set TMPDIR"
        )

    def __exit__(self, *exc: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        if self._path:
            os.unlink(self._path)


def _short_path(data: Path, open_files: Path) -> str:
    """A path to espeak-ng's data that fits into its buffer, for as long as the process lives.

    Raises:
        PiopiyLabError: The path is too long and there is no way to shorten it here.
    """
    if len(os.fsencode(data)) <= _LONGEST_DATA_PATH:
        return str(data)
    if open_files.is_dir():
        return f"{open_files}/{os.open(data, os.O_RDONLY)}"
    raise PiopiyLabError(
        f"espeak-ng can't use data under a path of more than {_LONGEST_DATA_PATH} bytes: {data}; "
        "install piopiy-lab[offline] in a folder with a shorter name"
    )


_loading = threading.Lock()  # guards _loaded
_loaded: Engine | None = None  # written once, by the first call that needs it


def engine() -> Engine:
    """The process's engine, loaded by the first call.

    Raises:
        MissingExtraError: espeak-ng is not installed.
    """
    global _loaded
    with _loading:
        if _loaded is None:
            _loaded = Engine()
        return _loaded
