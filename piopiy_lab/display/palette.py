"""Colours that stand for the same thing in figures and in HTML.

Chosen so that people with the common colour vision deficiencies can tell them apart: Okabe and
Ito's blue and vermilion for the speakers, Paul Tol's "muted" set for the parts of the latency.
"""

from __future__ import annotations

#: The two sides of a call.
SIDES = {"user": "#0072b2", "assistant": "#c75000"}
#: The parts of a turn's latency, in the order in which they happen.
PARTS = {
    "vad": "#88ccee",
    "turn": "#332288",
    "transcript": "#aa4499",
    "llm": "#117733",
    "tts": "#ddcc77",
    "output": "#cc6677",
}
#: What went wrong, was cut, or took too long.
ALARM = "#b2182b"
