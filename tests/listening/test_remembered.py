"""The detector and the end-of-turn model remember exactly: a hit is what a miss would have been."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from piopiy_lab.listening import seams
from piopiy_lab.listening.seams import SharedSileroVADAnalyzer
from piopiy_lab.listening.turn_taking import make_strategies
from piopiy_lab.services.pure_memory import PureMemory, remembered
from piopiy_lab.sound.speech import CALLER_VOICE, synthesize

RATES = pytest.mark.parametrize("rate", [16000, 8000])


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Memories that nothing was put into."""
    monkeypatch.setattr(seams, "_windows", PureMemory(20000))
    monkeypatch.setattr(seams, "_silences", PureMemory(20000))
    monkeypatch.setattr(seams, "_verdicts", PureMemory(100))


def smart_turn() -> Any:
    strategies: Any = make_strategies(vad=True, allow_interruptions=True)
    return strategies.stop[0]._turn_analyzer.looking


def sound(rate: int, seed: int = 0, *, secs: float = 14.0) -> np.ndarray:
    """Speech, noise and digital silence in turn: int16, with resets of the model in between."""
    draw = np.random.default_rng(seed)
    spoken = synthesize("my name is anna", CALLER_VOICE, sample_rate=rate).samples
    pieces: list[np.ndarray] = []
    while sum(map(len, pieces)) < secs * rate:
        length = int(draw.integers(rate // 3, 3 * rate))
        quiet = np.zeros(length, np.int16)
        hiss = draw.normal(0, 30, length).astype(np.int16)
        pieces.append([spoken, quiet, hiss][int(draw.integers(3))])
    return np.concatenate(pieces)


def judged(samples: np.ndarray, rate: int) -> tuple[list[bytes], list[int], Any]:
    """Return each window's confidence, the windows at which the model was reset, and its state."""
    analyzer = SharedSileroVADAnalyzer(sample_rate=rate)
    analyzer.set_sample_rate(rate)
    size = analyzer.num_frames_required()
    confidences, resets = [], []
    for at in range(0, len(samples) - size + 1, size):
        confidence = analyzer.voice_confidence(samples[at : at + size].tobytes())
        confidences.append(np.asarray(confidence).tobytes())
        if analyzer._windows_since_reset == 0:
            resets.append(at)
    model = analyzer._model
    state = model._state.tobytes(), model._context.tobytes(), model._last_sr
    return confidences, resets, (*state, model._last_batch_size, analyzer._low_confidence_windows)


@RATES
def test_a_detector_that_remembers_judges_as_one_that_does_not(rate):
    samples = sound(rate)
    without = judged(samples, rate)
    assert len(without[1]) > 2, "the model was never reset"
    with remembered():
        assert judged(samples, rate) == without  # all of it new
        asked = seams._windows.misses + seams._silences.misses
        assert judged(samples, rate) == without  # and all of it known
        assert seams._windows.misses + seams._silences.misses == asked
        # The same sounds in another order, in other states, and with resets elsewhere.
        for seed in (1, 2):
            other = np.concatenate([sound(rate, seed)[777:], samples])
            with_memory = judged(other, rate)
            seams._windows.forget()
            seams._silences.forget()
            assert judged(other, rate) == with_memory


def test_another_state_is_another_question():
    window = np.random.default_rng(1).integers(-900, 900, 512).astype(np.int16).tobytes()
    with remembered():
        for state in (0.0, 0.25):
            for context in (0.0, 0.5):
                analyzer = SharedSileroVADAnalyzer(sample_rate=16000)
                analyzer.set_sample_rate(16000)
                model = analyzer._model
                model(np.zeros(512, np.float32), 16000)
                model._state = np.full((2, 1, 128), state, np.float32)
                model._context = np.full((1, 64), context, np.float32)
                analyzer.voice_confidence(window)
    assert (seams._windows.hits, seams._windows.misses) == (0, 4)


def test_outside_of_simulations_only_digital_silence_is_remembered():
    judged(sound(16000), 16000)
    assert len(seams._windows) == 0
    assert len(seams._silences) > 0


def test_what_pipecat_could_not_judge_is_not_remembered():
    with remembered():
        analyzer = SharedSileroVADAnalyzer(sample_rate=16000)
        analyzer.set_sample_rate(16000)
        assert analyzer.voice_confidence(b"\x01\x00" * 100) == 0  # no whole window
    assert len(seams._windows) == 0


def test_the_memory_of_windows_is_bounded(monkeypatch):
    monkeypatch.setattr(seams, "_windows", PureMemory(10))
    with remembered():
        judged(sound(16000), 16000)
    assert len(seams._windows) == 10


@RATES
def test_a_verdict_is_the_same_bits_remembered_or_not(rate):
    analyzer = smart_turn()
    analyzer.set_sample_rate(rate)
    heard = sound(rate, secs=2).astype(np.float32) / 32768
    without = analyzer._predict_endpoint(heard)
    with remembered():
        assert analyzer._predict_endpoint(heard) == without
        first = analyzer._predict_endpoint(heard)
        first["probability"] = None  # its own copy
        assert analyzer._predict_endpoint(heard) == without
        assert (seams._verdicts.hits, len(seams._verdicts)) == (2, 1)
        changed = heard.copy()
        changed[-1] += 1 / 32768
        analyzer._predict_endpoint(changed)
        analyzer._predict_endpoint(heard[1:])
        other_rate = smart_turn()
        other_rate.set_sample_rate(24000 - rate)
        other_rate._predict_endpoint(heard)
        assert (seams._verdicts.hits, len(seams._verdicts)) == (2, 4)


def test_another_model_is_always_asked():
    with remembered():
        analyzer = seams.SharedSmartTurn(cpu_count=2)
        analyzer.set_sample_rate(16000)
        analyzer._predict_endpoint(np.zeros(16000, np.float32))
    assert len(seams._verdicts) == 0
