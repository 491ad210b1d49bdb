"""``piopiy-lab new``: what it makes runs, passes and reads well as it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from piopiy_lab.cli import main


def run(*command, at):
    """Run a program in a folder as a user would; returns what it printed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *command], cwd=at, env=env, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new") / "corner-shop"
    assert main(["new", str(folder)]) == 0
    return folder


def test_it_makes_an_agent_tests_a_notebook_and_a_readme(shop):
    assert sorted(path.name for path in shop.iterdir()) == [
        "README.md", "agent.ipynb", "agent.py", "test_agent.py",
    ]  # fmt: skip
    for path in shop.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "NAME" not in text
        assert "corner-shop" in text or path.name == "test_agent.py"


def test_the_agent_answers_its_caller(shop):
    told = run("agent.py", at=shop)
    assert "Thank you, Anna. We will call you back." in told
    assert "ended (agent_ended)" in told


def test_its_tests_and_its_notebook_pass(shop):
    told = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", ".", at=shop)
    assert "7 passed" in told


def test_it_reads_well(shop):
    ruff = shutil.which("ruff")
    if ruff is None and os.environ.get("PIOPIY_LAB_REQUIRE") != "all":
        pytest.skip("ruff is missing: pip install ruff")
    for check in (
        ["check", "--isolated", "--select", "E,F,I,B"],
        ["format", "--isolated", "--check"],
    ):
        done = subprocess.run(
            [str(ruff), *check, "--line-length", "100", str(shop)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout
    cells = json.loads((shop / "agent.ipynb").read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") for cell in cells)


def test_a_failed_call_is_the_scripts_exit_code(shop, tmp_path):
    broken = (shop / "agent.py").read_text(encoding="utf-8").replace('nine to five")', 'noon")')
    (tmp_path / "agent.py").write_text(broken, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "agent.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "it was not heard" in done.stderr


def test_what_is_there_already_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["new", str(tmp_path)]) == 2
    assert "choose another name" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["", ".", '"""', "a\\N", "two\nlines", "-", "..."])
def test_a_name_that_is_none_is_refused_and_nothing_is_made(name, tmp_path, monkeypatch, capsys):
    inside = tmp_path / "!"
    inside.mkdir()
    monkeypatch.chdir(inside)
    assert main(["new", "--", name]) == 2
    told = capsys.readouterr().err
    assert "can't be an agent's name: give one of letters" in told
    assert "my-shop" in told
    assert [path.name for path in tmp_path.rglob("*")] == ["!"]


def test_the_folder_may_be_there_and_what_is_no_folder_is_left_alone(tmp_path, monkeypatch, capsys):
    (tmp_path / "my shop").mkdir()
    monkeypatch.chdir(tmp_path / "my shop")
    assert main(["new", "."]) == 0
    assert (tmp_path / "my shop" / "README.md").read_text(encoding="utf-8").startswith("# my shop")
    (tmp_path / "file").write_text("mine")
    for name in ("file", "file/shop"):
        assert main(["new", str(tmp_path / name)]) == 2
        assert "file" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"
    assert main(["new", str(tmp_path / "a shop")]) == 0
    assert f"cd '{tmp_path / 'a shop'}'" in capsys.readouterr().out
