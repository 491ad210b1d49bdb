"""Tuning voice activity detection on recordings: settings in, errors and delays out."""

from __future__ import annotations

from piopiy_lab.turn_lab.score import VADScore
from piopiy_lab.turn_lab.sweep import VADSweep, vad_sweep

__all__ = ["VADScore", "VADSweep", "vad_sweep"]
