"""What goes on by itself under a caller's words begins anew with each utterance. Pure.

A background, a line's noise and losses, a noise floor: going by the call's clock alone they would
put another piece under the same words as soon as an agent has taken longer. So a little before an
utterance each goes on from a place that is drawn for the utterance's number; between utterances it
runs on.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from piopiy_lab.sound.pcm import Float32

#: Seconds before an utterance's first sample at which it begins: a packet of a phone line.
LEAD_SECS = 0.02
#: Seconds in which what went on before is faded into it: within the lead.
FADE_SECS = 0.01


@dataclass(frozen=True)
class Anew:
    """When what goes on by itself begins anew for an utterance.

    Attributes:
        number: The utterance's, from 1.
        early: Samples before the utterance's first one.
    """

    number: int
    early: int


def place_for(seed: str, number: int, length: int) -> int:
    """Return where a loop stands at an utterance's first sample, drawn by seed and number.

    Args:
        seed: The same text in every process.
        number: The utterance's, from 1.
        length: The loop's, in samples.
    """
    return random.Random(f"anew {seed} {number}").randrange(length)


def rising(first: int, count: int, length: int) -> Float32:
    """Return how much of the new is heard in each of ``count`` samples, from 0 to 1: float32.

    Args:
        first: How many samples of the fade were before them; below 0 it begins later.
        count: Samples.
        length: The fade's samples.
    """
    return np.clip(np.arange(first + 1, first + count + 1) / length, 0, 1).astype(np.float32)
