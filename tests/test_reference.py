"""docs/reference.md: what the docstrings say now."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import piopiy_lab

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
if find_spec("griffe") is None and os.environ.get("PIOPIY_LAB_REQUIRE") != "all":
    pytest.skip("no griffe: pip install 'piopiy-lab[test]'", allow_module_level=True)


def made(source: Path) -> str:
    """Return the page as it is made from a copy of the project."""
    done = subprocess.run(
        [sys.executable, str(source / ".ci" / "reference")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return (source / "docs" / "reference.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_docstrings_say():
    checked = [sys.executable, str(ROOT / ".ci" / "reference"), "--check"]
    done = subprocess.run(checked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_another_docstring_is_another_page(tmp_path):
    for folder in (".ci", "docs"):
        (tmp_path / folder).mkdir()
    (tmp_path / ".ci" / "reference").write_bytes((ROOT / ".ci" / "reference").read_bytes())
    for path in (ROOT / "piopiy_lab").rglob("*.py"):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    assert made(tmp_path) == PAGE
    changed = tmp_path / "piopiy_lab" / "call" / "acting.py"
    text = changed.read_text(encoding="utf-8")
    changed.write_text(text.replace("Let the agent speak", "Let the agent sing"), encoding="utf-8")
    assert made(tmp_path) == PAGE.replace("Let the agent speak", "Let the agent sing") != PAGE


@pytest.mark.parametrize("name", ["Call", "Caller", "Keyboard"])
def test_every_public_name_of_a_class_is_on_it(name):
    (part,) = re.findall(rf"^### {name}\n(.*?)(?=^###? )", PAGE, re.M | re.S)
    kind = getattr(piopiy_lab, name)
    public = {n for base in kind.__mro__[:-1] for n in vars(base) if not n.startswith("_")}
    shown = {
        *re.findall(rf"^#### {name}\.(\w+)$", part, re.M),
        *re.findall(r"^- \*\*`(\w+)`", part, re.M),
    }
    assert public <= shown


def test_the_page_is_markdown_and_nothing_else():
    text = re.sub(r"```.*?```|`[^`\n]*`", "", PAGE, flags=re.S)
    assert not re.findall(r":\w+:|::|<code>|``", text)
