"""What local models draw is seeded in a simulation, though their library be loaded late."""

from __future__ import annotations

import contextlib
import importlib
import sys
from unittest.mock import MagicMock

import numpy as np
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
    seeds.clear()
    with seeded_models():
        assert seeds == [SEED]


def test_after_the_last_block_a_library_draws_anew(seeds, monkeypatch):
    monkeypatch.delitem(sys.modules, "ctranslate2", raising=False)
    with seeded_models():
        with seeded_models():
            pass
        assert seeds == [SEED, SEED]  # the outer one goes on
    assert len(seeds) == 3
    with contextlib.suppress(KeyError), seeded_models():
        raise KeyError
    first, second = seeds[2], seeds[4]
    assert first != second
    assert all(0 <= seed < 2**31 for seed in (first, second))


def test_noise_made_after_a_simulation_differs_from_its_own():
    with seeded_models():
        inside = onnx_noise()
        assert onnx_noise() == inside
    assert onnx_noise() != inside


def onnx_noise():
    """Return what a new session draws first: of a model that is one node, RandomNormal."""
    shape = message(1, b"shape") + number(8, 8) + number(20, 7)
    node = message(2, b"out") + message(4, b"RandomNormal") + message(5, shape)
    floats = number(1, 1) + message(2, message(1, number(1, 8)))
    output = message(1, b"out") + message(2, message(1, floats))
    graph = message(1, node) + message(2, b"noise") + message(12, output)
    model = number(1, 8) + message(7, graph) + message(8, number(2, 17))
    return np.asarray(onnxruntime.InferenceSession(model).run(None, {})[0]).tolist()


def message(field, content):
    """Return a field of onnx.proto, as protobuf writes it."""
    return number_bytes(field << 3 | 2) + number_bytes(len(content)) + content


def number(field, value):
    return number_bytes(field << 3) + number_bytes(value)


def number_bytes(value):
    low = [value >> 7 * i & 127 for i in range(max(1, -(-value.bit_length() // 7)))]
    return bytes([*(one | 128 for one in low[:-1]), low[-1]])


def test_what_only_stands_in_for_a_library_is_left_alone(monkeypatch):
    stand_in = MagicMock()
    monkeypatch.setitem(sys.modules, "ctranslate2", stand_in)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with seeded_models():
        pass
    stand_in.set_random_seed.assert_not_called()


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
