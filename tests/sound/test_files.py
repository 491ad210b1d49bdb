"""Sound files as they come: without a header, and with one that says nothing of the length."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from piopiy_lab import AudioFile, Caller
from piopiy_lab.errors import AudioFileError
from piopiy_lab.screenplay.mouth import open_audio_file
from piopiy_lab.sound.files import open_sound
from piopiy_lab.turn_lab.spans import caller_samples

TONE = (8000 * np.sin(np.arange(16000) / 5)).astype(np.int16)


def wav(path: Path, riff: int | None = None, data: int | None = None, before: bytes = b"") -> Path:
    """Write a WAV whose header says so many bytes."""
    soundfile.write(path, TONE, 16000, subtype="PCM_16")
    content = path.read_bytes()
    head, sound = content[:36], content[44:]
    size = len(sound) if data is None else data
    whole = head + before + b"data" + struct.pack("<I", size) + sound
    length = len(whole) - 8 if riff is None else riff
    path.write_bytes(whole[:4] + struct.pack("<I", length) + whole[8:])
    return path


@pytest.mark.parametrize("name", ["call.raw", "call.RAW"])
def test_sound_without_a_header_is_refused_with_the_remedy(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(TONE.tobytes())
    for read in (open_sound, caller_samples, lambda path: open_audio_file(AudioFile(path))):
        with pytest.raises(AudioFileError, match=r"no header .* sox -r 16000"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("riff", "data"), [(0, 0), (36, 0), (None, 0), (0xFFFFFFFF, 0), (0xFFFFFFFF, 0xFFFFFFFF)]
)
@pytest.mark.parametrize("before", [b"", b"LIST" + struct.pack("<I", 6) + b"INFO\0\0"])
def test_a_wav_of_unknown_length_is_read_to_its_end(tmp_path: Path, riff, data, before):
    path = wav(tmp_path / "streamed.wav", riff, data, before)
    was = path.read_bytes()
    with open_sound(path) as sound:
        assert sound.frames == len(TONE)
        assert np.array_equal(sound.read(dtype="int16"), TONE)
    sound, _ = open_audio_file(AudioFile(path))
    sound.seek(15000)
    assert np.array_equal(sound.read(dtype="int16"), TONE[15000:])
    sound.close()
    assert len(caller_samples(path)) == len(TONE)
    assert path.read_bytes() == was


def test_a_wav_that_holds_nothing_still_holds_nothing(tmp_path: Path):
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros(0, np.int16), 16000)
    with pytest.raises(AudioFileError, match="holds no samples"):
        open_audio_file(AudioFile(empty))
    chunk = b"LIST" + struct.pack("<I", 6) + b"INFO\0\0"
    empty.write_bytes(empty.read_bytes()[:44] + chunk)
    with open_sound(empty) as sound:
        assert sound.frames == 0


def test_a_file_that_is_not_there_or_is_no_sound(tmp_path: Path):
    with pytest.raises(AudioFileError, match="is not there"):
        open_sound(tmp_path / "none.wav")
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(AudioFileError, match="is no sound file"):
        open_sound(tmp_path / "text.wav")
    assert Caller().says(AudioFile(tmp_path / "none.wav"))  # looked at when the call begins
