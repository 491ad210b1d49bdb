from __future__ import annotations

import os
from pathlib import Path

from piopiy_lab.cli import main
from piopiy_lab.cli import notebooks as command

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SHIPPED = [
    *sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")),
    *sorted(f"marimo/{path.name}" for path in NOTEBOOKS.glob("marimo/*.py")),
]


def test_the_notebooks_are_copied_and_kept_the_second_time(tmp_path, capsys):
    folder = tmp_path / "mine"
    assert main(["notebooks", str(folder), "--no-start"]) == 0
    made = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert made == set(SHIPPED)
    (folder / SHIPPED[0]).write_text("changed by the user")
    assert main(["notebooks", str(folder), "--no-start"]) == 0
    assert (folder / SHIPPED[0]).read_text() == "changed by the user"
    out = capsys.readouterr().out
    assert f"{len(SHIPPED)} notebooks copied" in out
    assert f"{len(SHIPPED)} were there already" in out


def test_a_folder_that_cant_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["notebooks", str(tmp_path / "file" / "x"), "--no-start"]) == 2
    assert "can't be written" in capsys.readouterr().err


def test_jupyterlab_is_started_on_the_first_one(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(os, "execv", lambda *args: started.append((os.getcwd(), args)))
    before = Path.cwd()
    try:
        main(["notebooks", str(tmp_path / "nb")])
    finally:
        os.chdir(before)
    ((folder, (_, arguments)),) = started
    assert Path(folder) == tmp_path / "nb"
    assert arguments[1:] == ["-m", "jupyterlab", SHIPPED[0]]


def test_without_jupyterlab_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    assert main(["notebooks", str(tmp_path)]) == 2
    assert 'pip install "piopiy-lab[jupyter]"' in capsys.readouterr().err
