"""Opens sound files that users name: whatever libsndfile reads, and WAVs of unknown length.

A WAV that was streamed says that it has 0 bytes of sound, since its writer could not go back to
say how many there were. The file's size knows; the file itself is never changed.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from piopiy_lab.errors import AudioFileError

if TYPE_CHECKING:
    from soundfile import SoundFile

#: Bytes in which a WAV's header must end.
HEAD_BYTES = 4096
GREATEST_SIZE = 0xFFFFFFFF


def open_sound(path: Path) -> SoundFile:
    """Open a sound file, to be closed by whoever asked for it.

    Raises:
        AudioFileError: It isn't there, or is no sound file that says what it holds.
    """
    import soundfile

    try:
        return soundfile.SoundFile(_repaired(path) or path)
    except TypeError as error:  # soundfile's own: it can't guess what such a file leaves out
        raise AudioFileError(
            f"{str(path)!r} has no header that says its sample rate, channels and format: make a "
            "WAV of it (for 16 kHz, mono, 16 bit: sox -r 16000 -c 1 -b 16 -e signed in.raw out.wav)"
        ) from error
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        what = "is no sound file that libsndfile reads" if path.is_file() else "is not there"
        raise AudioFileError(
            f"{str(path)!r} can't be read: it {what} ({error}); give a WAV, FLAC, OGG or MP3 file, "
            "or the folder of a saved call"
        ) from error


def _repaired(path: Path) -> io.BytesIO | None:
    """Return a WAV whose header says length 0 as one that says its length; None for another.

    It is read whole: soundfile closes no file that it was given open.
    """
    if not path.is_file():
        return None
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    place = 12
    while place + 8 <= len(head):
        name, length = struct.unpack_from("<4sI", head, place)
        place += 8
        if name == b"data":
            rest = min(size - place, GREATEST_SIZE - place)
            if length or rest <= 0 or _is_chunk(head[place : place + 8], rest):
                return None
            whole = bytearray(path.read_bytes())
            struct.pack_into("<I", whole, 4, place + rest - 8)
            struct.pack_into("<I", whole, place - 4, rest)
            return io.BytesIO(whole)
        place += length + length % 2
    return None


def _is_chunk(head: bytes, rest: int) -> bool:
    """Whether another chunk follows the sound, so that there really is none."""
    if len(head) < 8 or not (head[:4].isalnum() and head[:4].isascii()):
        return False
    return 8 + struct.unpack_from("<I", head, 4)[0] <= rest
