"""A caller who speaks with Piper, on the offline desk: before the call, and the same each time."""

from __future__ import annotations

import asyncio

import numpy as np
from real_weights import VOICE

from piopiy_lab import Caller, simulate
from piopiy_lab.voicing import cache, preparing


def test_piper_speaks_for_the_caller_and_the_same_on_an_empty_cache(
    models, booking, tmp_path, monkeypatch
):
    monkeypatch.setenv("PIOPIY_LAB_MODELS", str(models))
    caller = (
        Caller(voice=f"piper/{VOICE}")
        .hears_greeting()
        .says("a table for two tomorrow at seven")
        .backchannels("mm hmm", after=0.6)
        .hears_reply()
        .hangs_up()
    )
    calls = []
    for number in range(2):
        monkeypatch.setenv("PIOPIY_LAB_VOICES", str(tmp_path / f"voices{number}"))
        preparing.forget()
        calls.append(asyncio.run(simulate(booking(), caller)))
        calls[-1].raise_for_error()
        assert len(list(cache.folder().glob("*/*.flac"))) == 2
    first, again = calls
    np.testing.assert_array_equal(first.recording, again.recording)
    assert "a table for two tomorrow at seven" in str(first.transcript)
    preparing.forget()
