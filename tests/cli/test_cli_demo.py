from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.cli import demo as demo_module
from piopiy_lab.cli import main
from piopiy_lab.cli.demo import BOOKING, verdict
from piopiy_lab.errors import MissingExtraError

Start = Callable[..., "subprocess.Popen[str]"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and pipes")


# --- the call -----------------------------------------------------------------------------------


def test_the_demo_understands_books_answers_and_exits_with_0(demo_run):
    assert demo_run.code == 0, demo_run.out
    assert "It works" in demo_run.out
    assert "FAIL" not in demo_run.out


def test_the_demo_has_an_interruption_a_correction_and_one_booking_with_the_right_values(demo_run):
    call = Call.load(demo_run.folder)
    assert sum(entry.interrupted for entry in call.transcript) == 1
    users = [entry.text for entry in call.transcript if entry.role == "user"]
    assert "actually make it friday" in users
    (tool,) = call.tool_calls
    assert (tool.name, tool.arguments) == ("book_table", BOOKING)
    assert call.end_reason == "caller_hung_up"


def test_what_was_printed_live_is_what_show_prints(demo_run, capsys):
    assert main(["show", str(demo_run.folder)]) == 0
    shown = _conversation(capsys.readouterr().out)
    assert shown
    assert _conversation(demo_run.out) == shown


def test_every_line_of_the_conversation_is_in_the_transcript(demo_run):
    spoken = [line.split(maxsplit=2)[2] for line in _conversation(demo_run.out)]
    for entry in Call.load(demo_run.folder).transcript:
        assert any(line.startswith(entry.text) for line in spoken), entry


def test_it_says_where_the_reply_was_cut_and_what_nobody_heard(demo_run):
    (cut,) = re.findall(r"agent .* --  \(cut off; not heard: '(.+)'\)", demo_run.out)
    assert cut.endswith("under?")


def test_it_prints_the_latency_table_the_speed_and_where_it_saved(demo_run):
    assert re.search(r"\d+\.\d s of call in \d+\.\d s", demo_run.out)
    assert re.search(r"^ *median +\d+", demo_run.out, re.M)
    for name in ("call.wav", "events.jsonl", "meta.json", "timeline.png"):
        path = demo_run.folder / name
        assert str(path) in demo_run.out
        assert path.stat().st_size > 100
    assert (demo_run.folder / "timeline.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("offline")
def test_its_source_is_a_program_to_start_from(capsys):
    assert main(["demo", "--source"]) == 0
    source = capsys.readouterr().out
    compile(source, "my_agent.py", "exec")
    assert "async def create_session(" in source
    # What the agent is, is there to be changed: its words, its tool, and what callers may say.
    for part in ("def book_table(", "You take bookings", '"my name is {name}"', "greeting="):
        assert part in source
    assert re.findall(r"^(?:from|import) .+", source, re.M) == [
        "import asyncio",
        "from piopiy_lab import Caller, VoiceAgent, calls_tool, offline_stack, simulate",
    ]


# --- judging ------------------------------------------------------------------------------------


def test_the_verdict_on_the_demo_is_good(demo_run):
    assert all(met for met, _ in verdict(Call.load(demo_run.folder)))


def test_a_wrong_value_is_said_beside_the_one_that_was_wanted(demo_run, tmp_path):
    text = (demo_run.folder / "events.jsonl").read_text(encoding="utf-8")
    (tmp_path / "events.jsonl").write_text(text.replace('"friday"', '"sunday"'), encoding="utf-8")
    failed = [what for met, what in verdict(Call.load(tmp_path)) if not met]
    assert failed
    assert "day='sunday'" in failed[0]
    assert "the caller wanted party_size=2, day='friday'" in failed[0]


@pytest.mark.parametrize(
    "without", ["ToolCalled", "ToolReturned", "AgentInterrupted", "WordSpoken", "CallEnded"]
)
def test_a_call_that_lacks_something_is_judged_bad(demo_run, tmp_path, without):
    lines = (demo_run.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if f'"type": "{without}"' not in line]
    assert len(kept) < len(lines)
    kept = [line.replace('"cause": "interrupted"', '"cause": "finished"') for line in kept]
    (tmp_path / "events.jsonl").write_text("\n".join(kept), encoding="utf-8")
    assert not all(met for met, _ in verdict(Call.load(tmp_path)))


def test_a_bad_call_is_explained_and_exits_with_1(monkeypatch, tmp_path, capsys, saved):
    def play(terminal, played, caller):
        played.call = Call.load(saved)

    monkeypatch.setattr(demo_module, "load", lambda: None)
    monkeypatch.setattr(demo_module, "_play_virtual", play)
    assert main(["demo", "--out", str(tmp_path / "out")]) == 1
    out = capsys.readouterr().out
    assert "It does not work" in out
    assert "FAIL  it understood: nothing was booked" in out
    assert (tmp_path / "out" / "events.jsonl").exists()


# --- what can't be run --------------------------------------------------------------------------


def test_a_missing_offline_extra_gives_the_install_line_and_exits_with_2(
    monkeypatch, tmp_path, capsys
):
    def load():
        raise MissingExtraError("Offline speech", "offline")

    monkeypatch.setattr(demo_module, "load", load)
    assert main(["demo", "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert 'pip install "piopiy-lab[offline]"' in captured.err
    assert "Traceback" not in captured.err
    assert not (tmp_path / "out").exists()


def test_somebody_elses_folder_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("ten years of work")
    assert main(["demo", "--out", str(tmp_path)]) == 2
    assert "--out" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_saved_call_that_the_demo_did_not_make_is_not_overwritten(saved, capsys):
    before = (saved / "events.jsonl").read_bytes()
    assert main(["demo", "--out", str(saved)]) == 2
    assert "did not make" in capsys.readouterr().err
    assert (saved / "events.jsonl").read_bytes() == before


def test_a_file_as_the_folder_is_refused(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["demo", "--out", str(tmp_path / "file")]) == 2
    assert "is a file" in capsys.readouterr().err


def test_a_folder_that_cant_be_made_is_refused(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["demo", "--out", str(tmp_path / "file" / "below")]) == 2
    assert "can't write" in capsys.readouterr().err


def test_its_own_earlier_call_is_ours_to_overwrite(demo_run):
    demo_module.check_out(demo_run.folder)


# --- ended from outside -------------------------------------------------------------------------


@posix
@pytest.mark.usefixtures("offline")
def test_ctrl_c_in_real_time_hangs_up_saves_and_exits_with_130(start: Start, tmp_path: Path):
    folder = tmp_path / "call"
    process = start("demo", "--realtime", "--out", str(folder))
    _read_until(process, "agent")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=15)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "Broken off" in out
    call = Call.load(folder)
    assert call.end_reason == "hung_up"
    assert call.events.of(ev.AgentSpeechStarted)
    assert abs(len(call.recording) / call.recording.sample_rate - call.duration) < 0.5


@posix
@pytest.mark.usefixtures("offline")
def test_ctrl_c_on_virtual_time_saves_and_exits_with_130(start: Start, tmp_path: Path):
    folder = tmp_path / "call"
    process = start("demo", "--out", str(folder))
    _read_until(process, "agent")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=15)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert Call.load(folder).end_reason == "cancelled"


@posix
@pytest.mark.usefixtures("offline")
def test_a_reader_that_goes_away_ends_it_quietly(start: Start, tmp_path: Path):
    process = start("demo", "--out", str(tmp_path / "call"))
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=15) == 141
    assert process.stderr.read() == ""


def _read_until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    read = ""
    while word not in read:
        char = process.stdout.read(1)
        assert char, f"the demo ended before it printed {word!r}: {read!r}"
        read += char


def _conversation(out: str) -> list[str]:
    return re.findall(r"^\d\d:\d\d\.\d  (?:agent|caller|tool) .*$", out, re.M)
