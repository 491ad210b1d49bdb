"""A cassette's sound: raw while it is recorded, FLAC afterwards, the same to the last bit.

``sound.raw`` is 16-bit PCM, appended piece by piece, so a killed process loses nothing that has a
line. At the end it becomes ``sound.flac``, in one step; what goes on later is made raw again. Where
both are there the raw one counts: it is whole, and the other is its copy.

Pure but for the files; used on one thread at a time.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from piopiy_lab.errors import CassetteError

if TYPE_CHECKING:
    from soundfile import SoundFile

RAW, FLAC = "sound.raw", "sound.flac"
#: Hz of the FLAC's header, where no line has told. Samples are samples, whatever it says.
RATE = 24000
#: Samples that are converted in one go.
_BLOCK = 1 << 20


class SoundWriter:
    """Appends to a cassette's sound."""

    def __init__(self, folder: Path, *, append: bool) -> None:
        """Take the folder, which is there; nothing is written yet.

        Raises:
            OSError: What is there can't be removed, or read.
        """
        self._folder = folder
        self._file: BinaryIO | None = None  # when there was something to write
        self.rate = RATE  # written by who knows it
        if not append:
            for name in (RAW, FLAC):
                (folder / name).unlink(missing_ok=True)
        self._size = size_of(folder)

    def place(self, samples: bytes) -> list[int]:
        """Return the first byte that the next samples get, and their number."""
        place = [self._size, len(samples)]
        self._size += len(samples)
        return place

    def write(self, samples: bytes) -> None:
        """Append samples.

        Raises:
            OSError: They can't be written.
        """
        if self._file is None:
            _expand(self._folder)
            self._file = (self._folder / RAW).open("ab")
        self._file.write(samples)
        self._file.flush()

    def close(self) -> None:
        """Close the file, and compress what is in it.

        Raises:
            OSError: It can't be compressed; the raw file stays.
        """
        if self._file is not None:
            self._file.close()
            self._file = None
            _compress(self._folder, self.rate)


class SoundReader:
    """Reads a cassette's sound, piece by piece."""

    def __init__(self, folder: Path) -> None:
        """Open nothing yet."""
        self._folder = folder
        self._raw: BinaryIO | None = None
        self._flac: SoundFile | None = None

    def read(self, place: list[int]) -> bytes:
        """Return the bytes at a place: its first, and their number.

        Raises:
            CassetteError: They are not there.
        """
        first, count = place
        try:
            found = self._read(first, count)
        except (OSError, RuntimeError) as error:
            raise CassetteError(f"{str(self._folder / FLAC)!r} can't be read: {error}") from error
        if len(found) != count:
            raise CassetteError(
                f"the sound of the cassette {str(self._folder)!r} is damaged: {len(found)} of "
                f"{count} bytes are at {first}; copy the whole folder, or record it again with "
                "record_mode='all'"
            )
        return found

    def _read(self, first: int, count: int) -> bytes:
        if self._raw is None and self._flac is None:
            try:  # its recording may be compressing it just now
                self._raw = (self._folder / RAW).open("rb")
            except FileNotFoundError:
                self._flac = _opened(self._folder / FLAC)
        if self._raw is not None:
            self._raw.seek(first)
            return self._raw.read(count)
        assert self._flac is not None, "one of both"
        sample, odd = divmod(first, 2)
        if self._flac.tell() != sample:
            self._flac.seek(sample)
        samples = self._flac.read((odd + count + 1) // 2, dtype="int16")
        return np.asarray(samples, "<i2").tobytes()[odd : odd + count]

    def close(self) -> None:
        """Close the file."""
        for file in (self._raw, self._flac):
            if file is not None:
                file.close()
        self._raw = self._flac = None


def size_of(folder: Path) -> int:
    """Return how many bytes of sound a cassette has; 0 without any.

    Raises:
        OSError: It can't be read.
    """
    try:  # its recording may be compressing it just now
        return (folder / RAW).stat().st_size
    except FileNotFoundError:
        if not (folder / FLAC).is_file():
            return 0
    try:
        with _opened(folder / FLAC) as file:
            return 2 * file.frames
    except RuntimeError as error:
        raise OSError(f"{FLAC} is no FLAC file any more: {error}") from error


def _opened(path: Path) -> SoundFile:
    import soundfile

    return soundfile.SoundFile(path)


def _compress(folder: Path, rate: int) -> None:
    import soundfile

    draft = folder / f".{FLAC}.new"
    try:
        with (folder / RAW).open("rb") as raw, soundfile.SoundFile(
            draft, "w", rate, 1, format="FLAC", subtype="PCM_16"
        ) as flac:  # fmt: skip
            while block := raw.read(2 * _BLOCK):
                whole = block if len(block) % 2 == 0 else block + b"\0"
                flac.write(np.frombuffer(whole, "<i2"))
        draft.replace(folder / FLAC)
        (folder / RAW).unlink()
    except RuntimeError as error:  # soundfile's own
        raise OSError(str(error)) from error
    finally:
        draft.unlink(missing_ok=True)


def _expand(folder: Path) -> None:
    """Make a FLAC raw again, so that it can grow.

    Raises:
        OSError: It can't be read to its end; it stays as it is.
    """
    if not (folder / FLAC).is_file():
        return
    if not (folder / RAW).is_file():
        draft = folder / f".{RAW}.new"
        try:
            with _opened(folder / FLAC) as flac, draft.open("wb") as raw:
                for block in flac.blocks(_BLOCK, dtype="int16"):
                    raw.write(np.asarray(block, "<i2").tobytes())
                there, needed = raw.tell(), 2 * flac.frames
            if there != needed:
                raise OSError(f"{FLAC} is damaged: {there} of {needed} bytes can be read")
            draft.replace(folder / RAW)
        except RuntimeError as error:  # soundfile's own
            raise OSError(f"{FLAC} is damaged: {error}") from error
        finally:
            draft.unlink(missing_ok=True)
    (folder / FLAC).unlink()


def copy_sound(folder: Path, target: Path) -> None:
    """Copy a cassette's sound, which may just be being compressed, to a folder without any.

    Raises:
        OSError: It can't be read or written.
    """
    try:
        shutil.copyfile(folder / RAW, target / RAW)
    except FileNotFoundError:
        if (folder / FLAC).is_file():  # none is there where nothing was said
            shutil.copyfile(folder / FLAC, target / FLAC)
    else:
        _compress(target, RATE)
