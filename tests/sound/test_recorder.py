import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from piopiy_lab.errors import ArgumentError, SavedCallError
from piopiy_lab.sound import sample_store
from piopiy_lab.sound.recorder import AGENT, CALLER, Recorder
from piopiy_lab.sound.wav import SavedAudio

RATE = 24000
CLICKS = (10.0, 30.0, 60.0, 119.0)


def tone(secs: float, rate: int = RATE, level: int = 8000) -> np.ndarray:
    count = round(secs * rate)
    return (np.sin(np.arange(count) * 440 * 2 * np.pi / rate) * level).astype(np.int16)


def write_clicks(recorder: Recorder, rate: int, ppm: float, jitter, seed: int) -> None:
    """Two minutes of 20 ms chunks of a crystal that is ``ppm`` off, their times jittered."""
    rng = np.random.default_rng(seed)
    true_rate = rate * (1 + ppm * 1e-6)
    sound = np.zeros(rate * 121, np.int16)
    for click in CLICKS:
        sound[round(click * true_rate)] = 20000
    size = rate // 50
    for start in range(0, len(sound), size):
        at = max(0.0, start / true_rate + rng.uniform(*jitter))
        recorder.write_caller(at, sound[start : start + size], rate)
        recorder.write_agent(at, sound[start : start + size], rate)
        recorder.advance(at)


@pytest.mark.parametrize("ppm", [-100, 100])
@pytest.mark.parametrize("jitter", [(-0.03, 0.03), (0.0, 0.03), (0.0, 0.0)])
@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_click_is_at_its_time_after_two_minutes(rate: int, ppm: float, jitter):
    recorder = Recorder(RATE)
    write_clicks(recorder, rate, ppm, jitter, seed=rate + ppm)
    recorder.close(121.0)
    samples = recorder.samples()
    assert samples.shape == (121 * RATE, 2)
    for click in CLICKS:
        begin = round((click - 0.2) * RATE)
        for side in (CALLER, AGENT):
            heard = np.abs(samples[begin : begin + RATE * 2 // 5, side].astype(int))
            assert heard.max() > 5000
            assert abs((begin + int(heard.argmax())) / RATE - click) < 0.02


def test_jitter_makes_no_gap_and_no_click():
    rng = np.random.default_rng(3)
    recorder = Recorder(RATE)
    sound = tone(4.0)
    steps = np.abs(np.diff(sound.astype(int))).max()
    for start in range(0, len(sound), 480):
        at = max(0.0, start / RATE + rng.uniform(-0.03, 0.03))
        recorder.write_agent(at, sound[start : start + 480], RATE)
    heard = recorder.samples()[100 : len(sound) - 2000, AGENT].astype(int)
    assert np.abs(np.diff(heard)).max() <= steps * 1.05
    assert (np.abs(heard) < 5).sum() < 2 * 440 * 4  # only where the tone crosses zero


def test_chunks_on_the_clock_are_kept_to_the_bit():
    recorder = Recorder(RATE)
    sound = np.random.default_rng(0).integers(-9000, 9000, RATE * 3).astype(np.int16)
    for start in range(0, len(sound), 480):
        recorder.write_agent(0.5 + start / RATE, sound[start : start + 480], RATE)
        recorder.advance(0.5 + start / RATE)
    recorder.close(4.0)
    samples = recorder.samples()
    assert np.array_equal(samples[RATE // 2 : RATE // 2 + len(sound), AGENT], sound)
    assert not samples[: RATE // 2].any()
    assert not samples[:, CALLER].any()


def test_a_gap_is_silence_and_what_follows_is_at_its_time():
    recorder = Recorder(RATE)
    recorder.write_agent(0.0, np.full(2400, 1000, np.int16), RATE)
    recorder.write_agent(1.0, np.full(2400, 2000, np.int16), RATE)
    side = recorder.samples()[:, AGENT]
    assert side[2399] == 1000
    assert not side[2400:24000].any()
    assert (side[24000:26400] == 2000).all()


def test_audio_that_overlaps_what_is_there_keeps_to_the_clock():
    recorder = Recorder(RATE)
    for start in range(20):  # a stall: everything is stamped too late, then comes at once
        recorder.write_caller(1.0, np.full(480, start + 1, np.int16), RATE)
    recorder.write_caller(1.02, np.full(480, 99, np.int16), RATE)
    recorder.write_caller(1.2, np.full(480, 77, np.int16), RATE)
    side = recorder.samples()[:, CALLER]
    where = np.flatnonzero(side == 77)
    assert len(where)
    assert abs(where[0] / RATE - 1.2) <= 0.06


def test_audio_that_was_cut_was_not_heard_even_in_the_store():
    recorder = Recorder(RATE)
    recorder.write_agent(1.0, np.full(RATE * 4, 1000, np.int16), RATE)
    recorder.advance(4.5)
    recorder.cut_agent(3.0)
    recorder.write_agent(3.5, np.full(RATE, 2000, np.int16), RATE)
    recorder.close(6.0)
    side = recorder.samples()[:, AGENT]
    assert (side[RATE : 3 * RATE] == 1000).all()
    assert not side[3 * RATE : RATE * 7 // 2].any()
    assert (side[RATE * 7 // 2 : RATE * 9 // 2] == 2000).all()
    assert not side[RATE * 9 // 2 :].any()


def test_a_cut_drops_what_the_resampler_held_back():
    recorder = Recorder(RATE)
    recorder.write_agent(0.0, np.full(16000, 1000, np.int16), 16000)
    recorder.cut_agent(0.5)
    recorder.close(2.0)
    assert not recorder.samples()[RATE // 2 :].any()


def test_a_giver_may_use_its_buffer_again():
    recorder = Recorder(RATE)
    buffer = np.full(320, 1000, np.int16)
    for start in range(50):
        recorder.write_caller(start / 50, buffer, 16000)
        buffer[:] = 1000
        recorder.write_agent(start / 50, buffer, RATE)
        buffer[:] = -1
        buffer[:] = 1000 if start < 49 else -1
    recorder.close(1.0)
    assert (recorder.samples()[2400:-2400, CALLER] > 900).all()


def test_a_late_chunk_finds_its_place():
    recorder = Recorder(RATE)
    recorder.write_agent(0.0, tone(10), RATE)
    recorder.advance(10.0)
    recorder.write_caller(2.0, np.full(480, 500, np.int16), RATE)
    side = recorder.samples()[:, CALLER]
    assert np.flatnonzero(side).tolist() == list(range(2 * RATE, 2 * RATE + 480))


def test_the_end_is_exact_both_ways():
    short, long = Recorder(RATE), Recorder(RATE)
    short.write_caller(0.0, tone(1), RATE)
    long.write_agent(0.0, tone(9), RATE)
    long.advance(9.0)
    for recorder in (short, long):
        recorder.close(2.5)
        recorder.close(99.0)
        recorder.write_agent(1.0, tone(5), RATE)
        recorder.cut_agent(0.0)
        recorder.advance(50.0)
        assert recorder.samples().shape == (60000, 2)


def test_keeping_nothing():
    recorder = Recorder(RATE, keep=False)
    recorder.write_caller(0.0, tone(1), RATE)
    recorder.advance(5.0)
    recorder.close(5.0)
    assert recorder.samples().shape == (0, 2)
    assert list(recorder.blocks()) == []


def test_the_same_chunks_give_the_same_bytes():
    def record() -> bytes:
        recorder = Recorder(RATE)
        rng = np.random.default_rng(5)
        sound = tone(5, 16000)
        for start in range(0, len(sound), 320):
            at = max(0.0, start / 16000 + rng.normal(0, 0.01))
            recorder.write_caller(at, sound[start : start + 320], 16000)
        recorder.close(5.5)
        return recorder.samples().tobytes()

    assert record() == record()


def test_a_long_recording_leaves_memory_and_reads_the_same(monkeypatch: pytest.MonkeyPatch):
    made = []
    temporary = sample_store.FileStore.temporary

    def spy() -> sample_store.FileStore:
        made.append(1)
        return temporary()

    monkeypatch.setattr(sample_store.FileStore, "temporary", spy)
    spilled, kept = Recorder(RATE, memory_limit_bytes=100_000), Recorder(RATE)
    sound = np.random.default_rng(0).integers(-9000, 9000, RATE * 6).astype(np.int16)
    for recorder in (spilled, kept):
        for start in range(0, len(sound), 2400):
            recorder.write_caller(start / RATE, sound[start : start + 2400], RATE)
            recorder.advance(start / RATE)
        recorder.close(6.0)
    assert made == [1]
    assert np.array_equal(spilled.samples(), kept.samples())
    assert np.array_equal(np.concatenate(list(spilled.blocks())), kept.samples())


def test_no_room_to_leave_memory_is_remembered_and_costs_nothing(monkeypatch: pytest.MonkeyPatch):
    def full() -> sample_store.FileStore:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sample_store.FileStore, "temporary", full)
    recorder = Recorder(RATE, memory_limit_bytes=1000)
    recorder.write_caller(0.0, np.full(RATE * 5, 7, np.int16), RATE)
    recorder.advance(4.0)
    recorder.close(5.0)
    assert recorder.error is not None
    assert (recorder.samples()[:, CALLER] == 7).all()


class FullDisk:
    """A file that takes so many bytes and no more."""

    def __init__(self, file, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data) -> int:
        if self.room <= 0:
            raise OSError(28, "No space left on device")
        taken = self.file.write(data[: self.room])
        self.room -= taken
        return taken

    def __getattr__(self, name: str):
        return getattr(self.file, name)


def test_a_full_disk_does_not_end_the_call_and_loses_nothing(tmp_path: Path):
    recorder = Recorder(RATE, wav_path=tmp_path / "call.wav")
    store = recorder._store
    store._file = FullDisk(store._file, 100_001)
    sound = np.random.default_rng(0).integers(-9000, 9000, RATE * 5).astype(np.int16)
    for start in range(0, len(sound), 2400):
        recorder.write_agent(start / RATE, sound[start : start + 2400], RATE)
        recorder.advance(start / RATE)
    recorder.cut_agent(4.5)
    recorder.close(5.0)
    assert recorder.error is not None
    assert recorder.error.errno == 28
    assert np.array_equal(recorder.samples()[: RATE * 9 // 2, AGENT], sound[: RATE * 9 // 2])
    assert recorder.samples().shape == (RATE * 5, 2)


def test_a_wav_is_written_as_it_goes_and_any_program_reads_it(tmp_path: Path):
    import soundfile

    path = tmp_path / "call.wav"
    recorder = Recorder(RATE, wav_path=path)
    sound = tone(5)
    recorder.write_agent(0.0, sound, RATE)
    recorder.advance(5.0)
    assert path.stat().st_size > 3 * RATE * 4
    recorder.close(5.0)
    read, rate = soundfile.read(path, dtype="int16")
    assert rate == RATE
    assert np.array_equal(read, recorder.samples())
    assert np.array_equal(read[:, AGENT], sound)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    with pytest.raises(SavedCallError, match=r"nowhere.*call\.wav"):
        Recorder(RATE, wav_path=tmp_path / "nowhere" / "call.wav")
    with pytest.raises(ArgumentError, match="0 Hz"):
        Recorder(0)
    with pytest.raises(ArgumentError, match="nan"):
        Recorder(RATE).write_caller(float("nan"), tone(1), RATE)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_a_killed_process_leaves_its_sound(tmp_path: Path):
    path = tmp_path / "call.wav"
    script = """
        import sys
        from pathlib import Path
        import numpy as np
        from piopiy_lab.sound.recorder import Recorder
        recorder = Recorder(24000, wav_path=Path(sys.argv[1]))
        for i in range(500):
            recorder.write_caller(i / 50, np.full(480, i + 1, np.int16), 24000)
            recorder.advance(i / 50)
        print("ready", flush=True)
        sys.stdin.read()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    side = SavedAudio(path, 0).samples()[:, CALLER]
    assert len(side) >= 9.8 * RATE  # at most the last fifth of a second
    assert np.array_equal(side, np.repeat(np.arange(1, 501), 480)[: len(side)])


def test_what_was_cut_or_came_late_is_so_in_the_file_too(tmp_path: Path):
    """A killed process leaves what was heard: the last second is written before it is final."""
    recorder = Recorder(RATE, wav_path=tmp_path / "call.wav")
    recorder.write_agent(0.0, np.full(RATE * 4, 1000, np.int16), RATE)  # ahead of the clock
    for i in range(1, 101):
        recorder.advance(i / 50)
    recorder.cut_agent(1.7)
    recorder.write_caller(1.5, np.full(480, 500, np.int16), RATE)
    recorder.advance(2.1)
    samples = SavedAudio(tmp_path / "call.wav", RATE).samples()
    assert len(samples) == round(2.1 * RATE)  # nothing that nobody has heard yet
    assert (samples[: round(1.7 * RATE), AGENT] == 1000).all()
    assert not samples[round(1.7 * RATE) :, AGENT].any()
    assert np.flatnonzero(samples[:, CALLER]).tolist() == list(
        range(RATE * 3 // 2, RATE * 3 // 2 + 480)
    )
    recorder.close(3.0)
    assert np.array_equal(SavedAudio(tmp_path / "call.wav", RATE).samples(), recorder.samples())
