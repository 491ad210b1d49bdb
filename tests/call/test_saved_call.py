import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from piopiy_lab import events as ev
from piopiy_lab.call import saved
from piopiy_lab.call.call import Call
from piopiy_lab.call.saved import CallFolder
from piopiy_lab.errors import SavedCallError
from piopiy_lab.events.log import EventLog
from piopiy_lab.redaction import REMOVED, redact, redact_text
from piopiy_lab.sound.recorder import Recorder

RATE = 24000
SOUND = np.random.default_rng(0).integers(-9000, 9000, RATE * 2).astype(np.int16)


def make_call(call_id: str = "sim-1", *, keep: bool = True, folder: CallFolder | None = None):
    """A call of two seconds in which the agent says a word."""
    log = EventLog(lambda: 2.0, sink=folder)
    recorder = Recorder(RATE, keep=keep, wav_path=folder.wav_path if folder and keep else None)
    meta = {"call_id": call_id, "metadata": {"table": 4}, "services": {"stt": "Fake"}}
    call = Call(log, recorder, None, meta, folder)
    log.append(ev.CallStarted(at=0.0, origin="caller", sample_rate=RATE))
    log.append(ev.CallStateChanged(at=0.1, old="starting", new="listening"))
    log.append(ev.AgentSpeechStarted(at=0.5))
    log.append(ev.WordSpoken(at=0.5, text="Grüezi"))
    log.append(ev.AgentSpeechStopped(at=1.0, cause="finished"))
    log.append(ev.ToolCalled(at=1.1, name="book", arguments={"size": 2}, number=1))
    log.append(ev.ToolReturned(at=1.2, name="book", number=1, result={"ok": True}))
    recorder.write_agent(0.0, SOUND, RATE)
    recorder.close(2.0)
    log.append(ev.CallEnded(at=2.0, reason="caller_hung_up"))
    log.close()
    return call


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_call_comes_back_as_it_was(tmp_path: Path):
    call = make_call()
    path = call.save(tmp_path / "calls" / "first")
    assert names(path) == ["call.wav", "events.jsonl", "meta.json"]
    assert names(path.parent) == ["first"]
    loaded = Call.load(path)
    assert list(loaded.events) == list(call.events)
    assert np.array_equal(loaded.recording, call.recording)
    assert loaded.recording.sample_rate == RATE
    assert loaded.meta == call.meta
    assert loaded.metadata == {"table": 4}
    assert str(loaded) == str(call)
    assert loaded.folder == path


def test_a_call_without_audio_comes_back_without(tmp_path: Path):
    path = make_call(keep=False).save(tmp_path / "c")
    assert Call.load(path).recording.shape == (0, 2)
    (path / "call.wav").unlink()
    (path / "meta.json").unlink()
    loaded = Call.load(path)
    assert loaded.recording.shape == (0, 2)
    assert loaded.sample_rate == RATE
    assert loaded.call_id == "c"


def test_a_call_can_be_written_as_it_happens(tmp_path: Path):
    folder = CallFolder(tmp_path / "live")
    call = make_call(folder=folder)
    assert len((folder.path / "events.jsonl").read_text("utf-8").splitlines()) == len(call.events)
    folder.write_meta(call.meta)
    folder.close()
    folder.write_line("too late")
    loaded = Call.load(tmp_path / "live")
    assert list(loaded.events) == list(call.events)
    assert np.array_equal(loaded.recording, call.recording)
    assert call.save(tmp_path / "live") == folder.path  # it is there already
    assert Call.load(call.save(tmp_path / "copy")).call_id == "sim-1"


@pytest.mark.parametrize(
    "cut", [b'{"type": "Call', b'{"type": "Call\xc3', b"\x00\x00\x00", b"{}\n"]
)
def test_a_cut_last_line_is_left_out(tmp_path: Path, cut: bytes):
    path = make_call().save(tmp_path / "c")
    whole = len(Call.load(path).events)
    with (path / "events.jsonl").open("ab") as file:
        file.write(cut)
    before = (path / "events.jsonl").read_bytes()
    assert len(Call.load(path).events) == whole
    assert (path / "events.jsonl").read_bytes() == before


def test_a_log_that_breaks_off_has_no_end_reason(tmp_path: Path):
    path = make_call().save(tmp_path / "c")
    lines = (path / "events.jsonl").read_text("utf-8").splitlines()
    (path / "events.jsonl").write_text("\n".join(lines[:5]), "utf-8")
    loaded = Call.load(path)
    assert loaded.state == "ended"
    assert loaded.end_reason is None
    assert loaded.duration == 1.0
    assert repr(loaded) == "<Call sim-1: broken off, 1.0 s, 0 turns>"


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path):
    path = make_call().save(tmp_path / "c")
    lines = (path / "events.jsonl").read_text("utf-8").splitlines()
    lines[2] = "nonsense"
    (path / "events.jsonl").write_text("\n".join(lines), "utf-8")
    with pytest.raises(SavedCallError, match=r"line 3 of .*events\.jsonl.*'nonsense'.*delete"):
        Call.load(path)


@pytest.mark.parametrize("size", [0, 20, 44, 44 + RATE * 4 + 3])
def test_a_wav_whose_header_is_wrong_is_read_by_its_size(tmp_path: Path, size: int):
    call = make_call()
    path = call.save(tmp_path / "c")
    data = bytearray((path / "call.wav").read_bytes()[:size])
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"[: len(data[40:44])]
    (path / "call.wav").write_bytes(data[:size])
    loaded = Call.load(path)
    assert loaded.sample_rate == RATE
    frames = max(0, size - 44) // 4
    assert np.array_equal(loaded.recording, call.recording[:frames])


def test_a_wav_of_another_program_is_read_by_its_header(tmp_path: Path):
    import soundfile

    call = make_call()
    path = call.save(tmp_path / "c")
    wav = path / "call.wav"
    wav.write_bytes(wav.read_bytes() + b"LIST\x04\x00\x00\x00abcd")
    assert np.array_equal(Call.load(path).recording, call.recording)
    soundfile.write(wav, np.asarray(call.recording), RATE, subtype="PCM_24", format="WAV")
    assert np.array_equal(Call.load(path).recording, call.recording)


def test_a_recording_that_is_none_is_named(tmp_path: Path):
    import soundfile

    path = make_call().save(tmp_path / "c")
    soundfile.write(path / "call.wav", SOUND, RATE)
    with pytest.raises(SavedCallError, match=r"call\.wav.*1 channel"):
        Call.load(path)
    (path / "call.wav").write_bytes(b"this is no sound at all, but a text of some length ......")
    with pytest.raises(SavedCallError, match=r"call\.wav can't be read"):
        Call.load(path)


def test_what_is_no_saved_call_is_named(tmp_path: Path):
    with pytest.raises(SavedCallError, match="nowhere is no saved call: it is no folder"):
        Call.load(tmp_path / "nowhere")
    with pytest.raises(SavedCallError, match=r"has no events\.jsonl"):
        Call.load(tmp_path)


def test_nothing_is_overwritten_unasked(tmp_path: Path):
    path = make_call("old").save(tmp_path / "c")
    for write in (make_call("new").save, CallFolder):
        with pytest.raises(SavedCallError, match="exists and isn't empty.*overwrite=True"):
            write(path)
    assert Call.load(path).call_id == "old"


def test_overwriting_keeps_files_that_are_not_ours(tmp_path: Path):
    path = make_call("old").save(tmp_path / "c")
    (path / "notes.txt").write_text("mine")
    make_call("new").save(path, overwrite=True)
    assert Call.load(path).call_id == "new"
    assert (path / "notes.txt").read_text() == "mine"
    assert names(tmp_path) == ["c"]
    folder = CallFolder(path, overwrite=True)
    assert len(names(tmp_path)) == 2  # the old one is beside it until the new one is whole
    call = make_call("newest", folder=folder)
    folder.write_meta(call.meta)
    folder.close()
    assert Call.load(path).call_id == "newest"
    assert names(tmp_path) == ["c"]
    assert (path / "notes.txt").read_text() == "mine"


def test_a_folder_of_somebody_else_is_never_overwritten(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("ten years")
    for write in (make_call().save, CallFolder):
        with pytest.raises(SavedCallError, match="holds something else"):
            write(tmp_path, overwrite=True)
    (tmp_path / "events.jsonl").write_text('{"user": 3}\n')
    with pytest.raises(SavedCallError, match="holds something else"):
        make_call().save(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "ten years"


def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = make_call("old").save(tmp_path / "c")

    def full(self: CallFolder, meta: object) -> None:
        self.error = OSError(28, "No space left on device")

    monkeypatch.setattr(CallFolder, "write_meta", full)
    with pytest.raises(SavedCallError, match="No space left on device"):
        make_call("new").save(path, overwrite=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SavedCallError, match="No space left on device"):
        make_call("new").save(tmp_path / "empty")
    assert names(tmp_path) == ["c", "empty"]
    assert names(tmp_path / "empty") == []
    assert Call.load(path).call_id == "old"


def test_an_empty_folder_and_a_file_in_the_way(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    assert Call.load(make_call().save(tmp_path / "empty")).call_id == "sim-1"
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        with pytest.raises(SavedCallError, match="file"):
            make_call().save(tmp_path / place)


def test_a_loaded_call_does_not_tell_another_calls_sound(tmp_path: Path):
    path = make_call().save(tmp_path / "c")
    loaded = Call.load(path)
    make_call("new").save(path, overwrite=True)
    with pytest.raises(SavedCallError, match="load it again"):
        _ = loaded.recording


def test_keys_and_tokens_are_not_saved():
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"
    meta = {
        "stt": {"api_key": "abc", "model": "nova-2", "Authorization": "x", "agentToken": "t"},
        "list": [{"secret": {"deep": 1}}, "uses sk-proj-abcdefgh12345678ijkl here"],
        "usage": {"prompt_tokens": 12, "max_tokens": None, "tokens": ["abc"]},
        "error": "401 for Bearer abcDEF123456789, and " + jwt,
        "url": "wss://user:pw@host/x?api_key=abc123&room=1",
        "keypad": "12#",
        "rate": 24000,
        "vad": True,
        "path": Path("calls"),
        "odd": object,
    }
    clean = redact(meta)
    assert clean["stt"] == {
        "api_key": REMOVED,
        "model": "nova-2",
        "Authorization": REMOVED,
        "agentToken": REMOVED,
    }
    assert clean["list"] == [{"secret": REMOVED}, f"uses {REMOVED} here"]
    assert clean["usage"] == {"prompt_tokens": 12, "max_tokens": None, "tokens": REMOVED}
    assert clean["error"] == f"401 for {REMOVED}, and {REMOVED}"
    assert clean["url"] == f"wss://{REMOVED}@host/x?api_key={REMOVED}&room=1"
    assert (clean["keypad"], clean["rate"], clean["vad"]) == ("12#", 24000, True)
    assert clean["path"] == "calls"
    json.dumps(clean)
    for harmless in ("a task-management-system-for-everyone", "call +41441234567", "Token ring"):
        assert redact_text(harmless) == harmless


def test_a_key_in_an_error_message_is_not_saved(tmp_path: Path):
    folder = CallFolder(tmp_path / "c")
    log = EventLog(sink=folder)
    key = "sk-abcdefgh12345678ijkl"
    log.append(ev.ErrorOccurred(at=1.0, message=f'Incorrect key "{key}"', source="llm"))
    log.append(ev.NoticeGiven(at=1.0, message="half a pair: \ud83d"))
    folder.close()
    assert key not in (tmp_path / "c" / "events.jsonl").read_text("utf-8")
    error, notice = Call.load(tmp_path / "c").events
    assert isinstance(error, ev.ErrorOccurred)
    assert error.message == f'Incorrect key "{REMOVED}"'
    assert isinstance(notice, ev.NoticeGiven)
    assert notice.message == "half a pair: \ud83d"


def run(script: str, *args: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_a_killed_process_leaves_a_call(tmp_path: Path):
    script = """
        import sys
        import numpy as np
        from piopiy_lab import events as ev
        from piopiy_lab.events.log import EventLog
        from piopiy_lab.sound.recorder import Recorder
        from piopiy_lab.call.saved import CallFolder
        folder = CallFolder(sys.argv[1])
        log = EventLog(lambda: 0.0, sink=folder)
        recorder = Recorder(24000, wav_path=folder.wav_path)
        log.append(ev.CallStarted(at=0.0, origin="microphone", sample_rate=24000))
        for i in range(200):
            log.append(ev.VADSampled(at=i / 50, confidence=0.5, volume=None))
            recorder.write_caller(i / 50, np.full(480, 7, np.int16), 24000)
            recorder.advance(i / 50)
        print("ready", flush=True)
        sys.stdin.read()
    """
    with run(script, str(tmp_path / "c")) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.kill(process.pid, signal.SIGKILL)
    loaded = Call.load(tmp_path / "c")
    assert len(loaded.events) == 201
    assert loaded.recording.duration > 2.5
    assert (loaded.recording.caller == 7).all()


def test_a_saved_call_loads_without_pipecat(tmp_path: Path):
    path = make_call().save(tmp_path / "c")
    script = """
        import sys
        for name in ("pipecat", "matplotlib", "soundfile", "IPython", "sounddevice"):
            sys.modules[name] = None
        from piopiy_lab.call.call import Call
        call = Call.load(sys.argv[1])
        print(call.transcript, call.turns, call.tool_calls, call.recording, call)
    """
    with run(script, str(path)) as process:
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Grüezi" in out.decode("utf-8")


def test_the_folder_reads_from_the_outside(tmp_path: Path):
    path = make_call().save(tmp_path / "c")
    lines = (path / "events.jsonl").read_text("utf-8").splitlines()
    assert json.loads(lines[0]) == {
        "type": "CallStarted",
        "at": 0.0,
        "origin": "caller",
        "sample_rate": RATE,
    }
    assert json.loads((path / "meta.json").read_text("utf-8"))["call_id"] == "sim-1"
    log, audio, meta = saved.load(path)
    assert len(log) == len(lines)
    assert audio.frames == RATE * 2
    assert meta["call_id"] == "sim-1"
