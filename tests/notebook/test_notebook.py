"""The notebook glue, in a real kernel: calls show themselves and are replaced when they end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from nbformat.notebooknode import NotebookNode

from piopiy_lab import display
from piopiy_lab.notebook import extension

SETUP = """
import threading
from hand_made_call import booking_call, running_call
from piopiy_lab import display, events as ev
from piopiy_lab.notebook import extension
extension.install()

def end(call):
    "What a runner does on its loop's thread: the call's last event."
    event = ev.CallEnded(at=call.events.now(), reason="hung_up")
    thread = threading.Thread(target=call.events.append, args=(event,))
    thread.start()
    thread.join()
"""


def run(*cells: str, startup: str = SETUP) -> list[NotebookNode]:
    """Run cells in a kernel of their own and return them."""
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (startup, *cells)]
    )
    here = str(Path(__file__).parents[1] / "support")  # hand_made_call
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = here if before is None else f"{here}{os.pathsep}{before}"
    try:
        nbclient.NotebookClient(book, timeout=60, kernel_name="python3").execute()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return book.cells[1:]


@pytest.fixture(scope="module")
def cells() -> list[NotebookNode]:
    """One kernel for all: the cells of a notebook that somebody works in."""
    return run(
        "call = running_call()\ndisplay.show(call)",  # 0: as start_call does
        "print(call.state)",  # 1
        "end(call)",  # 2
        "booking_call()",  # 3
        "booking_call().plot()",  # 4
        "first = display.cell_key()\nimport sys\n'matplotlib.pyplot' in sys.modules",  # 5
        "call = running_call()\ndisplay.show(call)\nend(call)",  # 6: over before its cell is
        "[t.name for t in threading.enumerate() if t.name == 'piopiy-call-view']",  # 7
        "%load_ext piopiy_lab.notebook.extension\n"
        "extension.install(), extension.in_notebook()",  # 8
        "from IPython import get_ipython\n"
        "get_ipython().kernel.get_parent = lambda *_: {'metadata': {'cellId': 'abc'}}\n"
        "first, display.cell_key()",  # 9
    )


def one(cell: NotebookNode) -> dict[str, Any]:
    assert [out["output_type"] for out in cell.outputs] in (["display_data"], ["execute_result"])
    return cell.outputs[0]["data"]


def test_a_call_is_replaced_where_it_was_started(cells: list[NotebookNode]) -> None:
    shown = one(cells[0])
    assert shown["text/plain"].startswith("<Call sim-1: ended (hung_up)")
    assert 'src="data:image/png;base64,' in shown["text/html"]
    assert 'src="data:audio/mpeg;base64,' in shown["text/html"]
    assert cells[1].outputs[0]["text"] == "listening\n"
    assert cells[2].outputs == []


def test_a_call_that_ends_in_its_own_cell(cells: list[NotebookNode]) -> None:
    assert one(cells[6])["text/plain"].startswith("<Call sim-1: ended (hung_up)")
    assert one(cells[7])["text/plain"] == "[]"


def test_a_call_is_its_own_picture(cells: list[NotebookNode]) -> None:
    shown = one(cells[3])
    assert sorted(shown) == ["text/html", "text/plain"]
    assert shown["text/plain"].startswith("<Call sim-1: ended (caller_hung_up), 23.6 s, 3 turns>")
    assert " 0x" not in shown["text/plain"]


def test_a_figure_shows_itself_without_pyplot(cells: list[NotebookNode]) -> None:
    shown = one(cells[4])
    assert shown["text/plain"].startswith("<CallFigure size ")
    assert shown["image/png"]
    assert one(cells[5])["text/plain"] == "False"


def test_load_ext_and_a_second_install_change_nothing(cells: list[NotebookNode]) -> None:
    assert one(cells[8])["text/plain"] == "(True, True)"


def test_the_cell_is_known_by_its_id(cells: list[NotebookNode]) -> None:
    assert one(cells[9])["text/plain"].endswith("'abc')")


def test_outside_of_a_notebook_nothing_is_installed() -> None:
    assert not extension.in_notebook()
    assert not extension.install()
    before = display.set_hook(None)
    assert before is None


def test_the_glue_imports_no_ipython() -> None:
    script = (
        "import sys; from piopiy_lab.notebook import extension; assert not extension.install()\n"
        "assert not {'IPython', 'ipykernel', 'traitlets', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_error_in_the_session_shows_its_own_line_in_the_cell_that_started_the_call() -> None:
    started, _ = run(
        "from piopiy_lab import Caller, start_call\n"
        "async def create_session():\n"
        "    answer = 6 * 7\n"
        "    raise LookupError('no desk')\n"
        "call = start_call(create_session, Caller().waits(1))",
        "call.join()",
        startup="import piopiy_lab",
    )
    shown = one(started)["text/html"]
    assert "cell, line 4, in create_session" in shown
    assert "raise LookupError(&#x27;no desk&#x27;)" in shown
    assert "LookupError: no desk" in shown


def test_a_progress_line_is_for_front_ends_that_name_their_cells() -> None:
    """A headless run names none; and the line leaves nothing behind."""
    shown = "line = display.progress()\nline.update(0.5, 'half')\n"
    headless, _, open_, closed, printed, before, displayed = run(
        "line = display.progress()\nline is None",
        "from IPython import get_ipython\n"
        "get_parent = get_ipython().kernel.get_parent\n"
        "get_ipython().kernel.get_parent = lambda *a: {\n"
        "    **get_parent(*a), 'metadata': {'cellId': 'c'}}",
        shown,
        shown + "line.update(0.7, 'more')\nline.close()",
        shown + "line.close()\nprint('the result')",
        "print('step 1')\n" + shown + "line.close()\nprint('step 2')",
        shown + "print('step 1')\nline.close()",
    )
    assert one(headless)["text/plain"] == "True"
    assert one(open_)["text/plain"] == " 50% half"
    assert closed.outputs == []
    assert [out["text"] for out in printed.outputs] == ["the result\n"]
    assert "".join(out["text"] for out in before.outputs) == "step 1\nstep 2\n"
    assert [out.get("text", "") for out in displayed.outputs] == ["", "step 1\n"]


def test_colabs_line_is_printed_once_where_a_widget_is_shown_and_only_there() -> None:
    """Google's module is what tells Colab's kernels from others."""
    colab = "import sys, types\nsys.modules['google.colab'] = types.ModuleType('google.colab')"
    views = "from piopiy_lab.widgets import Transcript, VADPlot\ncall = running_call()"
    line = "output.enable_custom_widget_manager()"

    def printed(cell: NotebookNode) -> str:
        return "".join(out["text"] for out in cell.outputs if out["output_type"] == "stream")

    _, _, ended, first, again, started = run(
        colab,
        views,
        "booking_call()",  # needs no widget
        "VADPlot(call)",
        "Transcript(call)",
        "display.show(running_call())",
    )
    assert line not in printed(ended)
    assert printed(first).count(line) == 1
    assert printed(again) == printed(started) == ""
    elsewhere, shown = run(views, "display.show(call)")
    assert printed(elsewhere) == printed(shown) == ""
    _, _, started = run(colab, views, "display.show(call)")
    assert printed(started).count(line) == 1


#: A machine so slow that a run would show how far it is, at once.
SLOW = """
import dataclasses
from piopiy_lab import Caller, VoiceAgent, display, offline_stack, simulate, vad_sweep
display.set_hook(dataclasses.replace(display.set_hook(None), progress_after_secs=0.01))

async def create_session():
    agent = VoiceAgent(instructions="x", greeting="Hello.")
    stt, llm, tts = offline_stack()
    await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
    await agent.start()

caller = Caller().hears_greeting().says("a table for two").hears_reply().hangs_up()
"""


def test_nbval_finds_nothing_of_a_slow_cells_progress(tmp_path: Path) -> None:
    cells = {
        SLOW: "",
        "call = await simulate(create_session, caller)": "",
        "print('before')\nagain = await simulate(create_session, caller)\nprint('after')": (
            "before\nafter\n"
        ),
        "sweep = vad_sweep(call, stop_secs=[0.2, 0.4])\nprint(sweep.usual.utterances)": "1\n",
    }
    book = nbformat.v4.new_notebook()
    for source, printed in cells.items():
        cell = nbformat.v4.new_code_cell(source, execution_count=1)
        cell.metadata["tags"] = ["nbval-check-output"]
        if printed:
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed)]
        book.cells.append(cell)
    nbformat.write(book, tmp_path / "slow.ipynb")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull,
         "--rootdir", tmp_path, "--nbval", "--nbval-current-env", tmp_path / "slow.ipynb"],
        capture_output=True, text=True, cwd=tmp_path, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
