"""What the pipeline heard, kept sample by sample and frame by frame; also through kill -9."""

from __future__ import annotations

import io
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import soundfile

from piopiy_lab.errors import SavedCallError
from piopiy_lab.sound import hearing
from piopiy_lab.sound.heard import Frames, Heard, gaps_of, heard_in
from piopiy_lab.sound.hearing import HeardTrack

RATE = 16000


def noise(n, seed=1):
    return np.random.default_rng(seed).integers(-3000, 3000, n).astype(np.int16)


def fill(track, sizes, samples, *, virtual=True):
    at = 0
    for n in sizes:
        start = 0.5 + at / RATE
        pushed = {"pushed_at": 0.5 + (at + n) / RATE} if virtual else {}
        track.add(start, samples[at : at + n], RATE, **pushed)
        at += n


def test_samples_and_frames_come_back_as_they_were():
    sizes = [320] * 50 + [111] + [320] * 7 + [8000, 320]
    samples = noise(sum(sizes))
    track = HeardTrack()
    fill(track, sizes, samples)
    heard = track.heard()
    assert heard is not None
    assert np.array_equal(heard.samples, samples)
    assert heard.frames.sizes() == sizes
    assert heard.frames.begins == 0.5
    assert heard.frames.longest == 0.5
    assert heard.frames.virtual
    assert not heard.frames.pushed


def test_what_was_given_may_be_used_again_by_whoever_gave_it():
    samples = noise(640)
    track = HeardTrack()
    track.add(0.0, samples, RATE)
    kept = samples.copy()
    samples[:] = 0
    assert np.array_equal(track.heard().samples, kept)


def test_a_frame_that_was_pushed_at_another_time_is_remembered():
    track = HeardTrack()
    track.add(0.0, noise(320), RATE, pushed_at=0.02)
    track.add(0.02, noise(100), RATE, pushed_at=0.02 + 101.5 / RATE)
    track.add(0.02625, noise(320), RATE, pushed_at=420 / RATE + 0.02)
    assert track.frames.pushed == {1: 0.02 + 101.5 / RATE}


def test_a_live_gap_is_a_jump_of_the_clock():
    samples = noise(640)
    track = HeardTrack()
    track.add(1.0, samples[:320], RATE)
    track.add(1.52, samples[320:], RATE)  # half a second was lost
    frames = track.frames
    assert frames.jumps == ((320, 1.52),)
    assert frames.second_of(0) == 1.0
    assert frames.second_of(320) == 1.52
    assert frames.sample_at(1.53) == 480
    assert frames.sample_at(1.3) == 320  # what was lost was not heard


def test_the_folder_has_a_flac_with_the_same_samples(tmp_path):
    samples = noise(RATE * 3 + 77)
    track = HeardTrack(tmp_path)
    fill(track, [320] * 150 + [77], samples)
    assert [path.name for path in tmp_path.iterdir()] == ["caller.wav"]
    track.end(3.6, [("hello", 1.0, 1.2)])
    assert [path.name for path in tmp_path.iterdir()] == ["caller.flac"]
    read, rate = soundfile.read(tmp_path / "caller.flac", dtype="int16")
    assert rate == RATE
    assert np.array_equal(read, samples)
    assert np.array_equal(track.heard().samples, samples)  # of the file that is gone by now
    heard = heard_in(tmp_path, track.frames.to_json())
    assert heard.frames == track.frames
    assert heard.frames.words == (("hello", 1.0, 1.2),)
    track.add(9.0, samples[:320], RATE)  # too late
    assert len(track.heard().samples) == len(samples)


def test_a_long_call_is_compressed_beside_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(hearing, "SHORT_SECS", 0.5)
    started = []

    class Noted(hearing.threading.Thread):
        def start(self):
            started.append(self)
            super().start()

    monkeypatch.setattr(hearing.threading, "Thread", Noted)
    samples = noise(RATE)
    track = HeardTrack(tmp_path)
    fill(track, [320] * 50, samples)
    track.end(1.5)
    (thread,) = started
    thread.join(10)
    assert np.array_equal(heard_in(tmp_path, None).samples, samples)
    assert not (tmp_path / "caller.wav").exists()


def test_a_killed_process_loses_a_tenth_of_a_second(tmp_path):
    code = """
        import os, signal, sys
        import numpy as np
        from pathlib import Path
        from piopiy_lab.sound.hearing import HeardTrack
        track = HeardTrack(Path(sys.argv[1]))
        samples = np.arange(16000 * 2, dtype=np.int16)
        for at in range(0, len(samples), 320):
            track.add(at / 16000, samples[at : at + 320], 16000)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], timeout=60, check=False
    )
    assert ended.returncode < 0
    heard = heard_in(tmp_path, None)
    assert heard is not None
    assert len(heard.samples) >= 2 * RATE - 0.1 * RATE
    assert np.array_equal(heard.samples, np.arange(len(heard.samples), dtype=np.int16))
    assert set(heard.frames.sizes()) == {320}


def test_a_disk_that_fails_costs_nothing_but_the_file(tmp_path, monkeypatch):
    samples = noise(RATE)
    track = HeardTrack(tmp_path)
    fill(track, [320] * 25, samples)

    class Full(io.FileIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(track, "_file", Full(tmp_path / "caller.wav", "r+"))
    at = 25 * 320
    for start in range(at, RATE, 320):
        track.add(0.5 + start / RATE, samples[start : start + 320], RATE, pushed_at=0.5)
    assert "No space left" in str(track.error)
    assert np.array_equal(track.heard().samples, samples)
    track.end(1.5)


def test_without_keeping_there_is_nothing():
    track = HeardTrack(keep=False)
    track.add(0.0, noise(320), RATE)
    assert track.heard() is None
    track.end(1.0)


def test_much_of_it_goes_to_a_temporary_file(monkeypatch):
    monkeypatch.setattr(hearing, "MEMORY_BYTES", 10_000)
    samples = noise(RATE)
    track = HeardTrack()
    fill(track, [320] * 50, samples)
    assert not isinstance(track._file, io.BytesIO)
    assert np.array_equal(track.heard().samples, samples)


@pytest.mark.parametrize(
    "told",
    [None, 3, {}, {"rate": 0, "begins": 0, "frames": []}, {"rate": 16000, "begins": "x"}],
)
def test_meta_that_says_nothing_of_it_is_no_trouble(tmp_path, told):
    soundfile.write(tmp_path / "caller.flac", noise(1000), RATE, subtype="PCM_16")
    heard = heard_in(tmp_path, told)
    assert len(heard.samples) == 1000
    assert heard.frames.runs == ((3, 320), (1, 40))


def test_a_file_of_another_shape_is_refused(tmp_path):
    soundfile.write(tmp_path / "caller.flac", np.zeros((100, 2), np.int16), RATE)
    with pytest.raises(SavedCallError, match="2 channels"):
        heard_in(tmp_path, None)
    (tmp_path / "caller.flac").write_bytes(b"fLaC and nothing else")
    with pytest.raises(SavedCallError, match="can't be read"):
        heard_in(tmp_path, None)
    (tmp_path / "caller.flac").unlink()
    assert heard_in(tmp_path, None) is None


def test_the_gaps_are_what_is_between():
    heard = Heard(Frames(rate=100, runs=((10, 10),)), np.arange(100, dtype=np.int16))
    pieces = gaps_of(heard, [(0.1, 0.2), (0.5, 0.9)])
    assert [(piece[0], piece[-1]) for piece in pieces] == [(0, 9), (20, 49), (90, 99)]
