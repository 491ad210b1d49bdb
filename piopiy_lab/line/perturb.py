"""``Perturb``: small changes of what a scripted caller says, which nobody hears. Pure.

A detector and a recogniser hear them: no live call begins on a simulation's grid of frames, and no
two callers are equally loud. One simulated call is one draw; a few of them show what was luck.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from piopiy_lab.checks.arguments import check_count, is_whole
from piopiy_lab.errors import ArgumentTypeError
from piopiy_lab.sound.pcm import FULL_SCALE, Int16

#: The most by which an utterance is later: five windows of the detector, in seconds.
MOST_LATER_SECS = 0.16
#: The most by which it is louder or quieter, in dB.
MOST_GAIN_DB = 3.0
#: The level of the noise floor, in dB of full scale (RMS): that of a good microphone.
FLOOR_DBFS = -65.0
#: Seconds of the floor between utterances, which are played over and over.
FLOOR_SECS = 5


class _Source(Protocol):
    def read(self, n: int) -> Int16: ...


@dataclass(frozen=True)
class Change:
    """What becomes of one utterance.

    Attributes:
        later_secs: Seconds by which it begins later, 0 to 0.16.
        gain_db: What is added to its level, -3 to 3 dB.
    """

    later_secs: float
    gain_db: float


@dataclass(frozen=True)
class Perturb:
    """Small changes that nobody hears: the same ones for the same seed.

    Each utterance of a scripted caller begins 0 to 160 ms later and is up to 3 dB louder or
    quieter, and there is a noise floor at -65 dBFS. Drawn by seed and the utterance's number, so a
    call that takes another course has the same changes as far as it is the same.

    Example::

        call = await simulate(create_session, caller, perturb=7)

    Attributes:
        seed: Which changes those are.
    """

    seed: int = 1

    def __post_init__(self) -> None:
        """Check the seed.

        Raises:
            ArgumentTypeError: It is no whole number.
            ArgumentError: It is negative.
        """
        check_count("seed", self.seed, least=0, of="Perturb")

    def change(self, number: int) -> Change:
        """Return what becomes of the ``number``-th utterance, counted from 1."""
        draws = random.Random(f"perturb {self.seed} {number}")
        later = draws.random() * MOST_LATER_SECS
        return Change(later, draws.uniform(-MOST_GAIN_DB, MOST_GAIN_DB))

    def floor(self, rate: int, number: int = 0) -> Int16:
        """Return some seconds of the noise floor at a rate in Hz: int16, (n,)."""
        draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, number])))
        noise = draws.standard_normal(FLOOR_SECS * rate) * FULL_SCALE * 10 ** (FLOOR_DBFS / 20)
        return np.rint(noise).astype(np.int16)

    def source(self, source: _Source, number: int, rate: int) -> _Source:
        """Return a sound with its change of level, and the floor under it."""
        return _Changed(source, self.change(number).gain_db, self.floor(rate, number))


class _Changed:
    def __init__(self, source: _Source, gain_db: float, floor: Int16) -> None:
        self._source = source
        self._gain = np.float32(10 ** (gain_db / 20))
        self._floor = floor.astype(np.float32)
        self._at = 0

    def read(self, n: int) -> Int16:
        piece = self._source.read(n)
        places = (self._at + np.arange(len(piece))) % len(self._floor)
        self._at += len(piece)
        sound = np.rint(piece.astype(np.float32) * self._gain + self._floor[places])
        return np.clip(sound, -32768, 32767).astype(np.int16)


def check_perturb(perturb: object) -> Perturb | None:
    """Return what a user gave as ``perturb=``: a seed or a ``Perturb``; None and False are none.

    Raises:
        ArgumentTypeError: It is something else.
        ArgumentError: The seed is negative.
    """
    if perturb is None or perturb is False:
        return None
    if isinstance(perturb, Perturb):
        return perturb
    if is_whole(perturb):
        return Perturb(perturb)
    raise ArgumentTypeError(f"perturb={perturb!r}: give a seed, such as 7, or Perturb(7)")
