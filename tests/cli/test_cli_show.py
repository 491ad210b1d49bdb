from __future__ import annotations

import io
import shutil

import pytest
from small_calls import small_call, write_log

from piopiy_lab.call.call import Call
from piopiy_lab.call.command_port import CommandPort
from piopiy_lab.call.packed import pack
from piopiy_lab.cli import main
from piopiy_lab.cli.live import Follower, items_of
from piopiy_lab.cli.terminal import Terminal
from piopiy_lab.events.log import EventLog
from piopiy_lab.experiments.calls import Calls
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.kept import Kept
from piopiy_lab.sound.recorder import Recorder


def test_show_prints_transcript_tools_latency_and_the_end(saved, capsys):
    assert main(["show", str(saved)]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == "Call small: 5.0 s"
    assert "00:00.5  agent   Hello, who is there?" in lines
    assert "00:02.0  caller  it is Zoe  (said: 'it is Zoë')" in lines
    assert "00:03.2  tool    look_up(name='Zoe')" in lines
    assert "00:03.4  tool    -> {'known': True}" in lines
    assert (
        "00:03.5  agent   Welcome back --  (cut off; not heard: 'Zoe, how have you been?')" in lines
    )
    assert "Latency in ms" in out
    assert lines[-1] == "Ended: hung up"


def test_what_was_said_and_heard_alike_is_printed_once(saved, capsys):
    events = [e for e in small_call() if type(e).__name__ != "CallerSpoke"]
    write_log(saved, events)
    main(["show", str(saved)])
    assert "said:" not in capsys.readouterr().out


def test_speech_that_was_not_understood_is_shown(saved, capsys):
    kinds = ("Transcribed", "UserTurnAdded")
    write_log(saved, [e for e in small_call() if type(e).__name__ not in kinds])
    main(["show", str(saved)])
    assert "caller  [nothing understood]  (said: 'it is Zoë')" in capsys.readouterr().out


@pytest.mark.parametrize("torn", ["", '{"type": "WordSp'])
def test_a_call_whose_process_was_killed_is_shown_up_to_there(saved, capsys, torn):
    log = saved / "events.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines()[:13]
    log.write_text("\n".join(lines) + "\n" + torn, encoding="utf-8")
    assert main(["show", str(saved)]) == 0
    out = capsys.readouterr().out
    assert "caller  it is Zoe" in out
    assert "Ended: broken off" in out


def test_an_error_that_ended_the_call_is_shown(saved, capsys):
    log = saved / "events.jsonl"
    text = log.read_text(encoding="utf-8")
    log.write_text(
        text.replace('"reason": "hung_up", "error": null', '"reason": "error", "error": "Boom: x"'),
        encoding="utf-8",
    )
    assert main(["show", str(saved)]) == 0
    assert "Ended: error: Boom: x" in capsys.readouterr().out


def test_a_call_in_which_nothing_was_said_is_shown(saved, capsys):
    write_log(saved, small_call()[:2])
    assert main(["show", str(saved)]) == 0
    assert "(nothing was said)" in capsys.readouterr().out


def test_control_characters_in_a_log_do_not_reach_the_terminal(saved, capsys):
    log = saved / "events.jsonl"
    text = log.read_text(encoding="utf-8").replace("who is there?", "\\u001b[2Jwho?")
    log.write_text(text, encoding="utf-8")
    assert main(["show", str(saved)]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("what", ["nothing", "file", "empty"])
def test_what_is_no_saved_call_is_refused_with_2(tmp_path, capsys, what):
    target = tmp_path / what
    if what == "file":
        target.touch()
    elif what == "empty":
        target.mkdir()
    assert main(["show", str(target)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("piopiy-lab show: ")
    assert "is no saved call" in err
    assert "Traceback" not in err


def test_plot_draws_the_call(demo_run, tmp_path, capsys):
    picture = tmp_path / "call.svg"
    assert main(["show", str(demo_run.folder), "--plot", str(picture)]) == 0
    assert "<svg" in picture.read_text(encoding="utf-8")
    assert f"Drawn: {picture}" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["call.docx", "no/such/folder.png"])
def test_a_picture_that_cant_be_written_is_refused_with_2(saved, tmp_path, capsys, name):
    assert main(["show", str(saved), "--plot", str(tmp_path / name)]) == 2
    assert "can't write the picture" in capsys.readouterr().err


def test_show_works_where_pipecat_cannot_be_imported(start, saved):
    code = (
        "import sys\n"
        "for name in ('pipecat', 'onnxruntime', 'sounddevice', 'IPython'):\n"
        "    sys.modules[name] = None\n"
        "from piopiy_lab.cli import main\n"
        "sys.exit(main(['show', *sys.argv[1:]]))\n"
    )
    process = start(str(saved), code=code)
    out, err = process.communicate(timeout=15)
    assert (process.returncode, err) == (0, "")
    assert "Hello, who is there?" in out


# --- following a call that runs -----------------------------------------------------------------


class Running(Call):
    """A call that grows event by event."""

    def __init__(self) -> None:
        self.log = EventLog(lambda: 0.0)
        port: CommandPort = object()  # type: ignore[assignment]  # only says that it runs
        super().__init__(self.log, Recorder(24000), port, {"call_id": "x"})


def followed(every: int) -> str:
    call, stream = Running(), io.StringIO()
    follower = Follower(Terminal(stream, color=False))
    for number, event in enumerate(small_call()):
        call.log.append(event)
        if number % every == 0:
            follower.update(call)
    follower.update(call, over=True)
    return stream.getvalue()


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_however_often_one_looks_the_lines_are_the_same(every):
    assert followed(every).splitlines() == followed(1000).splitlines()


def test_an_agents_line_grows_while_it_talks():
    call, stream = Running(), io.StringIO()
    follower = Follower(Terminal(stream, color=False))
    seen = []
    for event in small_call()[:6]:
        call.log.append(event)
        follower.update(call)
        seen.append(stream.getvalue())
    assert seen[3].endswith("Hello,")
    assert seen[4].endswith("Hello, who is there?")


def test_a_call_that_runs_leaves_out_what_may_still_change(saved):
    call = Running()
    for event in small_call()[:11]:  # transcribed, and the turn is not over
        call.log.append(event)
    assert [item.who for item in items_of(call, over=False)] == ["agent"]
    assert [item.who for item in items_of(call, over=True)] == ["agent", "caller"]


def test_a_reply_that_goes_on_after_a_tool_call_is_continued_on_a_line_of_its_own():
    call, stream = Running(), io.StringIO()
    follower = Follower(Terminal(stream, color=False))
    events = small_call()
    for event in (*events[:6], *events[13:15], *events[18:21]):
        call.log.append(event)
        follower.update(call)
    follower.update(call, over=True)
    assert stream.getvalue().splitlines()[-1].endswith("agent   ... Welcome back")


def test_a_saved_call_can_be_moved(saved, tmp_path, capsys):
    moved = tmp_path / "moved"
    shutil.move(saved, moved)
    assert main(["show", str(moved)]) == 0
    assert "Call moved" in capsys.readouterr().out


def test_show_writes_a_page(saved, tmp_path, capsys):
    assert main(["show", str(saved), "--html", str(tmp_path / "call.html")]) == 0
    assert f"Written: {tmp_path / 'call.html'}" in capsys.readouterr().out
    assert "how have you been?" in (tmp_path / "call.html").read_text("utf-8")


def test_many_calls_are_shown_as_a_table_and_written_as_a_page(saved, tmp_path, capsys):
    kept = Kept()
    kept.put(0, pack(Call.load(saved)))
    rows = [CallRow(0, "zoe", 1, kept=True), CallRow(1, "zoe", 2, kind="hung", error="it hangs")]
    folder = Calls(rows, kept).save(tmp_path / "batch")
    assert main(["show", str(folder), "--html", str(tmp_path / "all.html")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 of 2 passed, 1 hung, pass rate 0.50")
    assert lines[3].split() == ["zoe,", "2", "hung", "it", "hangs"]
    assert lines[-1] == f"Written: {tmp_path / 'all.html'}"
    assert "Welcome back" in (tmp_path / "all.html").read_text("utf-8")
    assert main(["show", str(folder / "calls" / "00000-zoe-1.zip")]) == 0
    assert "it is Zoe" in capsys.readouterr().out
    assert main(["show", str(folder), "--plot", "x.png"]) == 2
    assert "a picture is of one" in capsys.readouterr().err
