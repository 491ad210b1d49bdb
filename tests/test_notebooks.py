"""The shipped notebooks are lessons, and tests: nbval runs every cell, and they can fail."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("*.ipynb"))
#: What nbval compares, what nbstripout keeps, and what a reader sees folded.
COMPARED, KEPT, HIDDEN = "nbval-check-output", "keep_output", "hide-input"


def cells_of(lesson, kind=None):
    cells = json.loads(lesson.read_text())["cells"]
    return [cell for cell in cells if kind in (None, cell["cell_type"])]


def text_of(cell):
    return "".join(cell["source"])


def title_of(lesson):
    return text_of(cells_of(lesson)[0]).splitlines()[0].removeprefix("# ")


def tags_of(cell):
    return set(cell["metadata"].get("tags", []))


# --- they are tests --------------------------------------------------------------------------


def nbval(path):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull,
         "--rootdir", path.parent, "--nbval-lax", "--nbval-current-env", path],
        capture_output=True, text=True, cwd=path.parent, timeout=110,
    )  # fmt: skip


def test_a_notebook_that_is_broken_on_purpose_fails(tmp_path):
    first = json.loads(LESSONS[0].read_text())
    (n,) = (n for n, cell in enumerate(first["cells"]) if COMPARED in tags_of(cell))
    del first["cells"][n + 1 :]
    output = first["cells"][n]["outputs"][0]
    output["text"] = "".join(output["text"]).replace("Oliver", "Olivia").splitlines(keepends=True)
    broken = tmp_path / "broken.ipynb"
    broken.write_text(json.dumps(first))
    done = nbval(broken)
    assert done.returncode == 1, done.stdout
    assert "Olivia" in done.stdout
    assert "1 failed" in done.stdout


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_only_what_is_compared_is_stored(lesson):
    for cell in cells_of(lesson, "code"):
        assert bool(cell["outputs"]) == (COMPARED in tags_of(cell)), cell["id"]
        assert (COMPARED in tags_of(cell)) == (KEPT in tags_of(cell)), cell["id"]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_run_all_runs_every_cell(lesson):
    """nbval leaves none out and forgives none: without microphone, page, key or PortAudio."""
    for cell in cells_of(lesson, "code"):
        assert tags_of(cell) <= {COMPARED, KEPT, HIDDEN}, cell["id"]
        assert "NBVAL" not in text_of(cell), cell["id"]


def test_a_lessons_kernel_has_neither_portaudio_nor_a_key(request, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
    conftest = request.config.pluginmanager.get_plugin(str(ROOT / "conftest.py"))
    setting_up = conftest.pytest_runtest_setup(SimpleNamespace(path=LESSONS[0]))
    next(setting_up)  # nbval's own set-up, which starts the kernel, comes here
    look = "import sounddevice"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True)
    assert "PortAudio library not found" in done.stderr
    assert "OPENAI_API_KEY" not in os.environ
    with pytest.raises(StopIteration):
        setting_up.send(None)
    assert os.environ["OPENAI_API_KEY"] == "not-a-key"


# --- they are lessons ------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_says_at_its_top_how_long_it_takes(lesson):
    top = text_of(cells_of(lesson)[0])
    assert re.match(r"# \D+\n\n", top), "a title has no number: lessons may move"
    assert re.search(r"^\*Takes \d+ minutes to read, .+ to run\b.*\.\*$", top, re.M)


@pytest.mark.parametrize("n", range(len(LESSONS)), ids=lambda n: LESSONS[n].stem)
def test_a_lesson_links_to_the_next_by_its_title(n):
    following = LESSONS[(n + 1) % len(LESSONS)]
    assert f"[{title_of(following)}]({following.name})" in text_of(cells_of(LESSONS[n])[-1])


def test_lessons_are_named_by_title_so_that_numbers_may_move():
    ordinals = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh"
    by_number = re.compile(
        rf"\b(?:notebook|lesson) \d+\b|\bthe (?:{ordinals}) (?:notebook|lesson)\b|\d\d_\w+\.ipynb"
    )
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / ".ci/run"]
    files += ROOT.glob("docs/*.md")
    files += [*ROOT.glob("piopiy_lab/**/*.py"), *ROOT.glob("tests/**/*.py")]
    told = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}
    link = re.compile(r"\]\(\d\d_\w+\.ipynb\)")  # its text is the title
    told |= {path.name: link.sub("", "".join(map(text_of, cells_of(path)))) for path in LESSONS}
    assert not {name: found for name, text in told.items() if (found := by_number.findall(text))}


def test_a_lesson_that_is_named_is_one():
    papers = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")]
    texts = [path.read_text(encoding="utf-8") for path in papers]
    texts += ["\n\n".join(map(text_of, cells_of(path, "markdown"))) for path in LESSONS]
    named = re.findall(r"\blesson\s\*([^*]+)\*", "\n\n".join(texts))
    titles = [title_of(path) for path in LESSONS]
    assert {" ".join(name.split()) for name in named} <= set(titles)
    assert len(named) > 5


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_what_a_lesson_makes_is_left_to_look_at(lesson):
    code = "\n".join(map(text_of, cells_of(lesson, "code")))
    assert not re.search(r"rmtree|unlink|os\.remove|tempfile", code)
    made = re.findall(r'^%%writefile (\S+)|\.save(?:_html)?\("([^"]+)"', code, re.M)
    for name in ("".join(groups) for groups in made):
        if (ROOT / ".git").exists():
            command = ["git", "check-ignore", "--quiet", f"notebooks/{name}"]
            assert subprocess.run(command, cwd=ROOT).returncode == 0, f"git sees {name}"


def test_what_lessons_make_gets_into_no_wheel():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    wheel = wheel["targets"]["wheel"]
    assert "force-include" not in wheel, "it takes what .gitignore names too: somebody's recordings"
    assert wheel["sources"] == {"notebooks": "piopiy_lab/_notebooks"}


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_says_caller_and_agent(lesson):
    for cell in cells_of(lesson, "code"):
        assert not re.search(r"\.role\b", text_of(cell)), "print(call) has the words"
