"""ITU-T P.56, method B, sample by sample: what a speech level is measured against in tests."""

from __future__ import annotations

import math

import numpy as np


def active_level_dbov(samples, rate):
    """Return the active speech level of int16 samples in dB of overload."""
    keeps = math.exp(-1 / (rate * 0.03))
    hangover = round(0.2 * rate)
    thresholds = 2.0 ** np.arange(15)
    active = np.zeros(15, np.int64)
    since = np.full(15, hangover + 1)
    first = second = squares = 0.0
    for value in np.abs(samples.astype(np.float64)):
        squares += value * value
        first = keeps * first + (1 - keeps) * value
        second = keeps * second + (1 - keeps) * first
        above = second >= thresholds
        since = np.where(above, 0, since + 1)
        active += since <= hangover
    levels = 10 * np.log10(squares / np.maximum(active, 1) + 1e-12)
    limits = 20 * np.log10(thresholds)
    away = levels - limits - 15.9
    under = int(np.argmax(away <= 0))
    part = away[under - 1] / (away[under - 1] - away[under])
    level = levels[under - 1] + part * (levels[under] - levels[under - 1])
    return level - 20 * math.log10(32768)
