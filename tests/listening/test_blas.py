"""numpy's BLAS takes one thread for the end-of-turn model, and what it had before after it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from piopiy_lab.listening import blas
from piopiy_lab.listening.turn_taking import make_strategies


def threads() -> list[int]:
    """How many threads numpy's takes, as threadpoolctl finds it."""
    loaded = ThreadpoolController().select(user_api="blas").lib_controllers
    return [one.num_threads for one in loaded if "numpy" in one.filepath]


pytestmark = pytest.mark.skipif(
    not threads() and os.environ.get("PIOPIY_LAB_REQUIRE") != "all",
    reason="numpy's BLAS can't be told how many threads to take (Accelerate)",
)


def smart_turn():
    strategies: Any = make_strategies(vad=True, allow_interruptions=True)
    analyzer = strategies.stop[0]._turn_analyzer.looking
    analyzer.set_sample_rate(16000)
    return analyzer


def test_a_verdict_is_made_on_one_thread_and_leaves_the_number_as_it_was(monkeypatch):
    analyzer, during = smart_turn(), []
    own = analyzer._session

    class Watched:
        def run(self, *args):
            during.append(threads())
            return own.run(*args)

    monkeypatch.setattr(analyzer, "_session", Watched())
    assert len(blas.libraries()) == len(threads())
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        tone = np.sin(np.arange(16000) / 20).astype(np.float32) / 4
        verdict = analyzer._predict_endpoint(tone)
        assert threads() == before == [2] * len(before)
    assert during == [[1] * len(before)]
    with threadpool_limits(1, user_api="blas"):
        assert analyzer._predict_endpoint(tone) == verdict  # the same bits with any number


def test_overlapping_blocks_of_two_threads_restore_what_was_there_before_the_first():
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def first():
        with blas.one_thread():
            first_is_in.set()
            second_is_in.wait(10)
        first_is_out.set()

    with threadpool_limits(2, user_api="blas"):
        thread = threading.Thread(target=first)
        thread.start()
        assert first_is_in.wait(10)
        with blas.one_thread():
            second_is_in.set()
            assert first_is_out.wait(10)
            assert set(threads()) == {1}  # the first one's end is not the second one's
        thread.join()
        assert set(threads()) == {2}


def test_what_somebody_sets_meanwhile_stays():
    with threadpool_limits(2, user_api="blas"):
        with blas.one_thread():
            for library in blas.libraries():
                library.threads = 3
        assert set(threads()) == {3}


def test_an_exception_restores_it_too():
    async def fails():
        with blas.one_thread():
            raise RuntimeError("no verdict")

    with threadpool_limits(2, user_api="blas"):
        with pytest.raises(RuntimeError):
            asyncio.run(fails())
        assert set(threads()) == {2}


def test_a_worker_keeps_to_one_thread_for_good():
    code = """
import os
from piopiy_lab.listening import blas
blas.one_blas_thread()
with blas.one_thread():
    blas.one_blas_thread()
print({l.threads for l in blas.libraries()}, os.environ["OMP_NUM_THREADS"])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n")[-2] == "{1} 1"
