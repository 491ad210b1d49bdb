"""The marimo lesson runs from above to below without a page, and says what is so."""

from __future__ import annotations

import html
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from piopiy_lab.display.user_traceback import user_line

LESSON = Path(__file__).parents[2] / "notebooks" / "marimo" / "how_long_to_wait.py"


def run_lesson(**values):
    """Run the lesson as a script, its controls set so; return what its cells made."""
    spec = importlib.util.spec_from_file_location("how_long_to_wait", LESSON)
    lesson = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lesson)
    controls = {name: SimpleNamespace(value=value) for name, value in values.items()}
    _, made = lesson.app.run(defs=controls)
    return made


@pytest.mark.parametrize(
    ("stop_secs", "smart_turn", "verdict", "cut"),
    [
        (0.2, False, "answered into the pause", 0),
        (0.6, False, "talked at the same time", 1),
        (0.8, False, "heard the whole wish", 0),
        (0.2, True, "heard the whole wish", 0),
    ],
)
def test_the_lesson_says_what_is_so(stop_secs, smart_turn, verdict, cut):
    made = run_lesson(stop_secs=stop_secs, smart_turn=smart_turn)
    call = made["call"].raise_for_error()
    assert verdict in made["verdict"]
    assert sum(entry.interrupted for entry in call.transcript) == cut
    assert "live" not in made  # nobody has pressed the button


def test_the_lesson_is_exported_with_a_call_that_plays_without_a_kernel(tmp_path):
    page = tmp_path / "lesson.html"
    command = [sys.executable, "-m", "marimo", "-q", "export", "html", str(LESSON), "-o", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    text = html.unescape(page.read_text(encoding="utf-8"))
    assert "answered into the pause" in text
    assert "data:audio/mpeg" in text
    assert "Traceback" not in text


def test_a_cell_of_marimos_is_called_a_cell():
    with pytest.raises(ZeroDivisionError) as raised:
        exec(compile("\n1 / 0", "/tmp/marimo_4711/__marimo__cell_Xref_.py", "exec"))
    assert user_line(raised.value).startswith("cell, line 2, in <module>")
