"""Lessons in a real JupyterLab, with "Run All" and nobody who presses or says anything."""

from __future__ import annotations

import shutil

import pytest
from local_server import ROOT

RUN_ALL = "jupyterapp.commands.execute('notebook:run-all-cells')"
CODE = "jupyterapp.shell.currentWidget.content.widgets.filter(w => w.model.type === 'code')"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("the_live_panel", ["ended (hung_up)", "ServiceSwitched: low -> high"]),
        ("a_pipecat_bot", ["ended (hung_up)", "We are closed today."]),
        ("browser_microphone", ["The call is running", "Nobody has pressed the button yet."]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_run_all_runs_to_the_end(open_notebook, lab, name, says):
    (lesson,) = (ROOT / "notebooks").glob(f"*_{name}.ipynb")
    shutil.copy(lesson, lab.notebooks)
    notebook = open_notebook(name=lesson.name)
    assert notebook.page.evaluate(RUN_ALL) is True
    counts = notebook.page.evaluate(f"{CODE}.map(w => w.model.executionCount)")
    assert counts == list(range(1, len(counts) + 1))
    told = notebook.page.evaluate(f"JSON.stringify({CODE}.map(w => w.model.outputs.toJSON()))")
    for text in says:
        assert text in told
    assert '"output_type":"error"' not in told
