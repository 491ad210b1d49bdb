"""Workers whose packages are others: real processes, in whose Python a package is not as here."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest
from live_calls import desk

from piopiy_lab import Caller, simulate_many
from piopiy_lab.errors import IncompatibleVersionError

SHORT = Caller().hears_greeting()
#: What each Python that begins runs first.
OTHER = """
from importlib import metadata

_version = metadata.version
metadata.version = lambda name: "0.0.1" if name == "{package}" else _version(name)
"""
OURS = """
import piopiy_lab._version

piopiy_lab._version.__version__ = "0.0.1"
"""
NONE = """
import sys


class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "piopiy_lab":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Nothing())
"""


@pytest.mark.parametrize(
    ("site", "said"),
    [
        (OTHER.format(package="pipecat-ai"), r"has pipecat-ai 0\.0\.1 \(there is .*install the s"),
        (OTHER.format(package="onnxruntime"), r"has onnxruntime 0\.0\.1 \(there is "),
        (OURS, r"has piopiy_lab 0\.0\.1 \(there is "),
        (NONE, r"has no piopiy_lab, or another version .*: install piopiy-lab "),
    ],
)
def test_a_worker_of_other_versions_is_refused_before_the_first_call(
    site, said, tmp_path, monkeypatch
):
    (tmp_path / "sitecustomize.py").write_text(site)
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    monkeypatch.setenv("PYTHONPATH", path)
    seen = []
    spawned = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=spawned) as executor,
        pytest.raises(IncompatibleVersionError, match=said),
    ):
        asyncio.run(simulate_many(desk, SHORT, executor=executor, on_call=seen.append))
    assert not seen
