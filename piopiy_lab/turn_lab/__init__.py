"""Detector and turn rule on recordings: settings in, cut-offs and delays out, and how sure.

``sweep`` tries a detector's settings, ``turn_sweep`` those of the whole rule that ends turns; both
hear the callers as a call's agent does. ``robust`` asks how sure the verdicts of one call are.
"""

from __future__ import annotations

from piopiy_lab.turn_lab.score import VADScore
from piopiy_lab.turn_lab.sweep import VADSweep, vad_sweep
from piopiy_lab.turn_lab.turn_score import TurnScore
from piopiy_lab.turn_lab.turn_sweeping import TurnSweep, turn_sweep, what_if

__all__ = ["TurnScore", "TurnSweep", "VADScore", "VADSweep", "turn_sweep", "vad_sweep", "what_if"]
