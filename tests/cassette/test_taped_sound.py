"""A cassette's sound: raw while it is written, FLAC at the end, the same to the last bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from taped import SHORT, run, sound

from piopiy_lab.cassette import sounds
from piopiy_lab.cassette.sounds import SoundReader, SoundWriter, copy_sound, size_of
from piopiy_lab.cassette.tape import Writer
from piopiy_lab.errors import CassetteError

#: Pieces as providers send them: some have an odd number of bytes.
PIECES = [np.random.default_rng(n).bytes(n) for n in (4800, 1, 961, 320, 7, 48001)]


def written(folder, pieces=PIECES, *, append=False):
    writer = SoundWriter(folder, append=append)
    places = []
    for piece in pieces:
        places.append(writer.place(piece))
        writer.write(piece)
    writer.close()
    return places


def read(folder, places):
    reader = SoundReader(folder)
    try:
        return [reader.read(place) for place in places]
    finally:
        reader.close()


def test_it_is_compressed_at_the_end_and_the_same_to_the_bit(tmp_path):
    places = written(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["sound.flac"]
    assert read(tmp_path, places) == PIECES
    assert read(tmp_path, reversed(places)) == PIECES[::-1]  # in any order


def test_it_grows_again_later(tmp_path):
    before = written(tmp_path, PIECES[:3])
    after = written(tmp_path, PIECES[3:], append=True)
    assert read(tmp_path, before + after) == PIECES
    assert [path.name for path in tmp_path.iterdir()] == ["sound.flac"]
    untouched = (tmp_path / "sound.flac").read_bytes()
    written(tmp_path, [], append=True)
    assert (tmp_path / "sound.flac").read_bytes() == untouched
    written(tmp_path, PIECES[:1])
    assert size_of(tmp_path) == len(PIECES[0])


def test_raw_sound_of_an_older_cassette_is_played(tmp_path):
    recorded = run(cassette=tmp_path / "tape")
    samples, _ = soundfile.read(tmp_path / "tape" / "sound.flac", dtype="int16")
    (tmp_path / "tape" / "sound.raw").write_bytes(samples.tobytes())
    (tmp_path / "tape" / "sound.flac").unlink()
    assert sound(run(cassette=tmp_path / "tape")) == sound(recorded)
    assert (tmp_path / "tape" / "sound.raw").is_file()


def test_where_both_are_there_the_raw_one_counts(tmp_path):
    places = written(tmp_path)
    (tmp_path / "sound.raw").write_bytes(b"".join(PIECES))
    (tmp_path / "sound.flac").write_bytes(b"torn")
    assert read(tmp_path, places) == PIECES


def test_damaged_sound_is_named(tmp_path):
    run(cassette=tmp_path / "tape")
    path = tmp_path / "tape" / "sound.flac"
    path.write_bytes(b"no FLAC at all")
    with pytest.raises(CassetteError, match=r"can't be read: sound.flac is no FLAC file any more"):
        run(cassette=tmp_path / "tape")


def test_a_piece_that_is_cut_off_is_named(tmp_path):
    (place, *_) = written(tmp_path, [PIECES[-1]])
    path = tmp_path / "sound.flac"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CassetteError, match=r"is damaged: .* of 48001 bytes|can't be read"):
        read(tmp_path, [place])


def test_a_killed_process_leaves_raw_sound_that_is_played(tmp_path):
    code = f"""
import os, signal
from taped import run, SHORT
from piopiy_lab.cassette.tape import Writer
Writer.close = lambda self: os.kill(os.getpid(), signal.SIGKILL)
run(caller=SHORT, cassette={str(tmp_path / "tape")!r})
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "tape" / "sound.raw").stat().st_size > 10000
    played = run(caller=SHORT, cassette=tmp_path / "tape", record_mode="none").raise_for_error()
    assert played.transcript[-1].text.startswith("A table for two")


def test_a_sound_that_can_not_be_compressed_stays_raw_and_is_said(tmp_path, monkeypatch, caplog):
    def full(folder, rate):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("piopiy_lab.cassette.sounds._compress", full)
    recorded = run(cassette=tmp_path / "tape").raise_for_error()
    assert "stays uncompressed" in caplog.text
    assert sound(run(cassette=tmp_path / "tape")) == sound(recorded)


@pytest.mark.parametrize("mode", ["none", "new_episodes"])
def test_a_sound_that_was_cut_short_is_named_before_the_call(mode, tmp_path):
    run(caller=SHORT, cassette=tmp_path / "tape")
    path = tmp_path / "tape" / "sound.flac"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(CassetteError, match=r"is damaged: |can't be read: "):
        run(caller=SHORT, cassette=tmp_path / "tape", record_mode=mode)


def test_a_damaged_sound_can_not_grow_and_stays(tmp_path):
    written(tmp_path, [PIECES[-1]])
    path = tmp_path / "sound.flac"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    writer = SoundWriter(tmp_path, append=True)
    with pytest.raises(OSError, match=r"sound.flac is damaged"):
        writer.write(b"12")
    assert [one.name for one in tmp_path.iterdir()] == ["sound.flac"]


def test_what_can_not_be_expanded_whole_is_no_sound(monkeypatch, tmp_path):
    written(tmp_path, [PIECES[-1]])
    monkeypatch.setattr(soundfile.SoundFile, "blocks", lambda self, *_, **__: iter(()))
    with pytest.raises(OSError, match=r"is damaged: 0 of 48002 bytes"):
        SoundWriter(tmp_path, append=True).write(b"12")
    assert [one.name for one in tmp_path.iterdir()] == ["sound.flac"]


def test_lines_that_can_not_be_closed_leave_a_compressed_sound(monkeypatch, tmp_path):
    writer = Writer(tmp_path, append=False, about={})
    writer.sound(PIECES[0])

    class Full:
        def close(self):
            raise OSError(28, "No space left on device")

    writer._lines.close()
    writer._lines = Full()
    with pytest.raises(OSError, match="No space"):
        writer.close()
    assert not (tmp_path / "sound.raw").exists()
    assert (tmp_path / "sound.flac").is_file()


def test_a_copy_is_whole_while_the_sound_is_compressed(monkeypatch, tmp_path):
    tape, copied, late = tmp_path / "tape", tmp_path / "copied", tmp_path / "late"
    for folder in (tape, copied, late):
        folder.mkdir()
    with monkeypatch.context() as before:
        before.setattr(sounds, "_compress", lambda folder, rate: None)
        places = written(tape)
    copy_sound(tape, copied)
    assert read(copied, places) == PIECES
    assert [one.name for one in copied.iterdir()] == ["sound.flac"]
    copy = sounds.shutil.copyfile

    def compressed_first(source, target):
        if (tape / "sound.raw").exists():
            sounds._compress(tape, 24000)
        return copy(source, target)

    monkeypatch.setattr(sounds.shutil, "copyfile", compressed_first)
    copy_sound(tape, late)
    assert read(late, places) == PIECES


def test_no_sound_is_copied_as_none(tmp_path):
    (tmp_path / "copied").mkdir()
    copy_sound(tmp_path, tmp_path / "copied")
    assert list((tmp_path / "copied").iterdir()) == []
