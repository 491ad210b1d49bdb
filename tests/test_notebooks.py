"""The shipped notebooks are tests (nbval runs them), and ones that can fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def nbval(path):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull,
         "--rootdir", path.parent, "--nbval-lax", "--nbval-current-env", path],
        capture_output=True, text=True, cwd=path.parent, timeout=110,
    )  # fmt: skip


def test_a_notebook_that_is_broken_on_purpose_fails(tmp_path):
    first = json.loads((NOTEBOOKS / "01_first_call.ipynb").read_text())
    kept = [cell for cell in first["cells"] if cell["cell_type"] == "code" and cell["outputs"]]
    (compared,) = kept
    text = "".join(compared["outputs"][0]["text"])
    compared["outputs"][0]["text"] = text.replace("Oliver", "Olivia").splitlines(keepends=True)
    broken = tmp_path / "broken.ipynb"
    broken.write_text(json.dumps(first))
    done = nbval(broken)
    assert done.returncode == 1, done.stdout
    assert "Olivia" in done.stdout
    assert "1 failed" in done.stdout


def test_only_what_is_compared_is_stored():
    for path in NOTEBOOKS.glob("*.ipynb"):
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] == "code" and cell["outputs"]:
                assert "NBVAL_CHECK_OUTPUT" in "".join(cell["source"]), f"{path}: {cell['id']}"
