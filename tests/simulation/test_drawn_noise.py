"""What local models draw is seeded in a simulation, though their library be loaded late."""

from __future__ import annotations

import importlib
import sys

import onnxruntime
import pytest

from piopiy_lab.simulation.drawn_noise import SEED, seeded_models


@pytest.fixture
def seeds(monkeypatch):
    given = []
    monkeypatch.setattr(onnxruntime, "set_seed", given.append)
    return given


def test_a_library_that_is_loaded_is_seeded_once_for_each_simulation(seeds, monkeypatch):
    monkeypatch.delitem(sys.modules, "ctranslate2", raising=False)
    with seeded_models():
        assert seeds == [SEED]
    with seeded_models():
        assert seeds == [SEED, SEED]


def test_one_that_is_imported_inside_is_seeded_then(seeds, monkeypatch, tmp_path):
    (tmp_path / "ctranslate2.py").write_text("GIVEN = []\nset_random_seed = GIVEN.append\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ctranslate2", raising=False)
    finders = list(sys.meta_path)
    with seeded_models():
        late = importlib.import_module("ctranslate2")
        assert late.GIVEN == [SEED]
    assert sys.meta_path == finders
    del sys.modules["ctranslate2"]  # the real one, if it was there, comes back


def test_a_library_without_a_seed_is_left_alone(monkeypatch):
    monkeypatch.delattr(onnxruntime, "set_seed")
    with seeded_models():
        pass
