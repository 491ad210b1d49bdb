from __future__ import annotations

import io
import subprocess
import sys

import pytest

import piopiy_lab
from piopiy_lab import cli
from piopiy_lab.cli import main
from piopiy_lab.cli.terminal import OutputClosedError, Terminal, printable
from piopiy_lab.errors import SavedCallError


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"piopiy-lab {piopiy_lab.__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_help_has_an_example_for_each_command(capsys, arguments):
    assert main(arguments) == 0
    out = capsys.readouterr().out
    for command in ("demo", "show", "notebooks", "doctor"):
        assert f"\n  piopiy-lab {command}" in out


@pytest.mark.parametrize("command", ["demo", "show", "notebooks", "doctor"])
def test_a_commands_help_has_its_own_example(capsys, command):
    assert main([command, "--help"]) == 0
    assert f"example:\n  piopiy-lab {command}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["dance"], ["show"], ["demo", "--loud"]])
def test_wrong_arguments_exit_with_2(capsys, arguments):
    assert main(arguments) == 2
    assert "usage: piopiy-lab" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--debug", "show"], ["show", "--debug"]])
def test_debug_shows_the_traceback(tmp_path, arguments):
    with pytest.raises(SavedCallError):
        main([*arguments, str(tmp_path)])


def test_ctrl_c_anywhere_exits_with_130(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_help_is_quick_and_loads_nothing_heavy():
    code = (
        "import sys; from piopiy_lab.cli import main; main(['--help']);"
        "heavy = {'pipecat', 'numpy', 'onnxruntime', 'matplotlib', 'sounddevice'} & {*sys.modules};"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15)
    assert (done.returncode, done.stderr) == (0, "")


# --- the terminal -------------------------------------------------------------------------------


def test_colors_only_on_a_tty_and_when_wanted(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Terminal(Tty()).styled("x", "bold") == "\x1b[1mx\x1b[0m"
    assert Terminal(Tty(), color=False).styled("x", "bold") == "x"
    assert Terminal(io.StringIO()).styled("x", "bold") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Terminal(Tty()).styled("x", "bold") == "x"
    assert Terminal(Tty()).redraws, "what is typed can be shown without colors"
    monkeypatch.setenv("TERM", "dumb")
    assert not Terminal(Tty()).redraws


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_no_text_crashes_a_stream_of_few_characters(encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Terminal(stream).line("Zoë → 東京 \ud800")
    assert stream.buffer.getvalue()  # type: ignore[attr-defined]  # BytesIO


def test_a_closed_pipe_is_told_apart_from_other_errors():
    class Stream(io.StringIO):
        error: OSError = BrokenPipeError(32, "Broken pipe")

        def write(self, text: str) -> int:
            raise self.error

    with pytest.raises(OutputClosedError):
        Terminal(Stream()).line("x")
    full = Stream()
    full.error = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="No space"):
        Terminal(full).line("x")


def test_printable_keeps_letters_and_drops_control_characters():
    assert printable("a\tb\x1b[0m\nZoë") == "a b [0m Zoë"
