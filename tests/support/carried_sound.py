"""Speech that needs no voice, and what a phone line makes of it."""

from __future__ import annotations

import os
from importlib.util import find_spec

import numpy as np
import pytest

from piopiy_lab.line.way import Way
from piopiy_lab.sound.babble import babble

HAS_OPUS = pytest.mark.skipif(
    find_spec("av") is None and os.environ.get("PIOPIY_LAB_REQUIRE") != "all",
    reason="PyAV, the 'line' extra, is not installed",
)


def speech(rate, secs=6.0):
    """Return syllables with pauses: int16, (n,)."""
    voice = babble(round(1.5 * rate), rate)
    pieces = [np.zeros(rate // 2, np.int16), voice]
    return np.resize(np.concatenate(pieces), round(secs * rate))


def carried(line, samples, rate=16000, side="caller", sizes=(320,)):
    """Return what comes out, fed in pieces of these sizes over and over."""
    way, out, at, turn = Way(line, rate, side), [], 0, 0
    while at < len(samples):
        piece = samples[at : at + sizes[turn % len(sizes)]]
        out.append(way.process(piece))
        at, turn = at + len(piece), turn + 1
    return np.concatenate(out)
