"""``piopiy-lab bench``: the table printed, the files written, what is refused."""

from __future__ import annotations

import json

import pytest

from piopiy_lab.bench import running
from piopiy_lab.bench.stimuli import load_stimuli
from piopiy_lab.cli import main

FEW = tuple(one for one in load_stimuli() if one.id in ("interruption-05", "end-01"))


def test_a_plain_agent_s_table_is_printed_and_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(running, "load_stimuli", lambda **_: FEW)
    page, figures = tmp_path / "bench.html", tmp_path / "bench.json"
    assert main(["bench", "--jobs", "0", "--html", str(page), "--json", str(figures)]) == 0
    out = capsys.readouterr().out
    assert "a plain agent" in out
    assert "R_Y" in out
    assert "What a plain agent missed" in page.read_text("utf-8")
    assert json.loads(figures.read_text("utf-8"))["figures"]["tau.r_y"]["n"] == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["--kind", "hum"], "kinds has 'hum'"),
        (["--human", "nowhere"], "has no labels.csv"),
        (["--html", "."], "is a folder"),
        (["--json", f"{__file__}/bench.json"], "test_cli_bench.py is no folder to write in"),
        (["nowhere.py"], "there is no file nowhere.py"),
    ],
)
def test_what_can_not_be_used_is_said(given, why, capsys):
    assert main(["bench", "--jobs", "0", *given]) == 2
    assert why in capsys.readouterr().err
