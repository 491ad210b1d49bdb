"""What a killed process left in the temporary folder goes when the next one makes its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from piopiy_lab.experiments.running.folders import _machine, temporary_folder


def test_folders_of_processes_that_are_gone_are_cleared(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = tmp_path / f"piopiy-lab-work-{gone.pid}@{_machine()}-x"
    left.mkdir()
    (left / "work").write_bytes(b"a secret of a closure")
    alive = tmp_path / f"piopiy-lab-calls-{os.getppid()}@{_machine()}-x"
    alive.mkdir()
    other = tmp_path / f"piopiy-lab-work-{gone.pid}@elsewhere-x"
    other.mkdir()
    with temporary_folder("work") as made:
        assert not left.exists()
        assert alive.exists()
        assert other.exists()
        assert os.stat(made).st_mode & 0o077 == 0
