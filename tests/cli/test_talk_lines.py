"""``talk``: what is typed on its way into a call, what fails, and what is offered instead."""

from __future__ import annotations

import io
import os

import pytest

from piopiy_lab import events as ev
from piopiy_lab.cli import keyboard, main
from piopiy_lab.cli import talk as talking
from piopiy_lab.cli.report import print_failure
from piopiy_lab.cli.screen import Screen
from piopiy_lab.cli.talk import QUIET_SECS, Lines
from piopiy_lab.cli.terminal import Terminal
from piopiy_lab.events.log import EventLog


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


# --- typed lines --------------------------------------------------------------------------------


class Desk:
    """A call as far as the lines on their way into it go; they arrive at once."""

    def __init__(self, state="listening"):
        self.state, self.activity, self.events = state, "idle", EventLog()
        self.said, self.muted, self.over = [], [], False

    def user_says(self, text):
        self.said.append(text)
        self.events.append(ev.UserTextTyped(at=1.0, text=text))

    def mute(self, muted):
        self.muted.append(muted)

    def hang_up(self):
        self.over = True


class Typed(keyboard.Typed):
    def __init__(self, *, by_hand, over=False):
        self.by_hand, self.over, self.keys = by_hand, over, ""

    def take(self):
        keys, self.keys = self.keys, ""
        return keys


@pytest.fixture
def passes(monkeypatch):
    """Let so many seconds pass."""
    now = [0.0]
    monkeypatch.setattr(talking.time, "monotonic", lambda: now[0])

    def let(secs):
        now[0] += secs

    return let


def test_a_persons_line_goes_at_once_but_not_before_the_call_listens():
    desk, typed = Desk("starting"), Typed(by_hand=True)
    screen, lines = Screen(Terminal(io.StringIO())), Lines(desk, typed, ends=True)
    typed.keys = "are you\nopen\n"
    lines.move(screen)
    assert desk.said == []
    desk.state, desk.activity = "listening", "speaking"
    lines.move(screen)
    lines.move(screen)
    assert desk.said == ["are you", "open"]
    typed.keys = "\t"
    lines.move(screen)
    assert desk.muted == [True]
    assert not desk.over
    typed.over = True  # Ctrl-D
    lines.move(screen)
    assert desk.over


def test_a_files_lines_wait_until_the_agent_has_answered_and_its_end_hangs_up(passes):
    desk, typed = Desk(), Typed(by_hand=False, over=True)
    screen, lines = Screen(Terminal(io.StringIO())), Lines(desk, typed, ends=True)
    typed.keys = "one\ntwo\n"
    for activity, secs, said in (
        ("speaking", 9.0, []),  # the greeting
        ("idle", QUIET_SECS / 2, []),
        ("idle", 1.5 * QUIET_SECS, ["one"]),
        ("thinking", 9.0, ["one"]),
        ("speaking", 9.0, ["one"]),
        ("idle", 0.0, ["one"]),
        ("idle", 1.5 * QUIET_SECS, ["one", "two"]),
        ("speaking", 9.0, ["one", "two"]),
        ("idle", 0.0, ["one", "two"]),
    ):
        desk.activity = activity
        lines.move(screen)
        passes(secs)
        lines.move(screen)
        assert desk.said == said
        assert not desk.over
    passes(1.5 * QUIET_SECS)
    lines.move(screen)
    assert desk.over


def test_the_end_of_what_is_typed_leaves_a_call_by_voice_alone(passes):
    desk = Desk()
    lines = Lines(desk, Typed(by_hand=False, over=True), ends=False)
    for _ in range(3):
        lines.move(Screen(Terminal(io.StringIO())))
        passes(QUIET_SECS)
    assert not desk.over


def test_the_lines_of_a_pipe_are_whole_and_its_end_is_known(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo"))
    with keyboard.typing(keys=False) as typed:
        text = ""
        while not typed.over:
            text += typed.take()
            typed.wait(0.01)
    assert text == "one\ntwo\n"
    assert not typed.by_hand


# --- what fails ---------------------------------------------------------------------------------

BROKEN = {
    "import": ("x = 1\ny = {}['nope']\n", "my.py, line 2, in <module>: y = {}['nope']", "KeyError"),
    "syntax": ("def create_session(:\n", "my.py, line 1: def create_session(:", "SyntaxError"),
    "missing": ("import not_there\n", "my.py, line 1, in <module>: import not_there", "ModuleNot"),
    "ours": (
        "from piopiy_lab import offline_stack\noffline_stack(phrases=3)\n",
        "my.py, line 2, in <module>: offline_stack(phrases=3)",
        "Argument",
    ),
}


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("kind", BROKEN)
def test_the_users_line_comes_first_when_their_file_cant_be_imported(kind, debug, tmp_path, capsys):
    code, place, what = BROKEN[kind]
    (tmp_path / "my.py").write_text(code)
    options = ["--text", "--no-voice", *(["--debug"] if debug else [])]
    assert main(["talk", str(tmp_path / "my.py"), *options]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == place
    assert told[1].startswith(what)
    assert ("Traceback" in "".join(told)) == debug


def test_on_a_terminal_it_is_red_and_a_key_in_it_is_not_shown(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    tty = Tty()
    try:
        raise ValueError("no: api_key=sk-abcdefghijklmnopqrstuvwxyz123456")
    except ValueError as error:
        print_failure(Terminal(tty), error, debug=True)
    first, second, *_ = tty.getvalue().splitlines()
    assert first.startswith("\x1b[31mtest_talk_lines.py, line ")
    assert second.startswith("\x1b[31mValueError: no: ")
    assert "abcdefghijklmnop" not in tty.getvalue()


def test_a_file_without_a_session_is_told_which_name_is_sought(tmp_path, capsys):
    (tmp_path / "my.py").write_text("x = 1\n")
    assert main(["talk", str(tmp_path / "my.py"), "--text"]) == 2
    assert "has no 'create_session'" in capsys.readouterr().err


def test_without_a_microphone_it_offers_to_type(tmp_path, monkeypatch, capsys):
    from piopiy_lab.transports import devices

    monkeypatch.setattr(devices, "look_again", lambda: None)
    monkeypatch.setattr(devices, "devices", list)
    file = tmp_path / "my.py"
    file.write_text("async def create_session():\n    pass\n")
    assert main(["talk", str(file)]) == 2
    told = capsys.readouterr().err
    assert "this computer has no microphone" in told
    assert f"piopiy-lab talk {file} --text" in told
    assert main(["talk", str(file), "--text", "--output", "USB"]) == 2
    assert "this computer has no speaker" in capsys.readouterr().err


def test_reload_needs_a_session_of_ones_own(capsys):
    assert main(["talk", "--text", "--reload"]) == 2
    assert "piopiy-lab talk my_agent.py" in capsys.readouterr().err


def test_a_saved_file_and_what_it_imports_from_its_folder_are_seen(tmp_path, monkeypatch):
    from piopiy_lab.cli.reload import Watched

    monkeypatch.syspath_prepend(str(tmp_path))
    file, words = tmp_path / "my_watched_agent.py", tmp_path / "my_watched_words.py"
    file.write_text("x = 1\n")
    words.write_text("y = 1\n")
    watched = Watched(file)
    __import__("my_watched_words")
    assert watched.changed() is None
    for path in (file, words):
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
        assert watched.changed() == path
        assert watched.changed() is None
    file.unlink()  # as some editors do on their way
    assert watched.changed() is None
