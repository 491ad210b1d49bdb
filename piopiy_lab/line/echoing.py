"""The agent's voice as it comes back from the caller's phone. Pure."""

from __future__ import annotations

import bisect

import numpy as np

from piopiy_lab.line.resampling import Resampler
from piopiy_lab.sound.pcm import Float32, Int16

#: Seconds of the echo path's response at the phone: a small room's first reflections.
RESPONSE_SECS = 0.03
#: Seconds for which what was played is remembered.
KEPT_SECS = 4.0


class Played:
    """What was played to the caller, and when: where an echo comes from."""

    def __init__(self) -> None:
        """Begin with silence."""
        self.sample_rate = 0  # Hz; written by add()
        self._pieces: list[tuple[float, Int16]] = []  # in order, none over another

    def add(self, start: float, samples: Int16, sample_rate: int) -> None:
        """Remember a piece that is heard from the call's second ``start`` on."""
        self.sample_rate = sample_rate
        self._pieces.append((start, samples))
        while self._pieces and self._pieces[0][0] < start - KEPT_SECS:
            self._pieces.pop(0)

    def cut(self, at: float) -> None:
        """Forget what would have been heard from the call's second ``at`` on."""
        rate = self.sample_rate
        while self._pieces and self._pieces[-1][0] >= at:
            self._pieces.pop()
        if self._pieces:
            start, samples = self._pieces[-1]
            self._pieces[-1] = (start, samples[: max(0, round((at - start) * rate))])

    def heard(self, start: float, count: int) -> Int16:
        """Return what was heard from a second on: int16, (count,), silence where nothing was."""
        out = np.zeros(count, np.int16)
        rate = self.sample_rate
        first = max(0, bisect.bisect_right(self._pieces, start, key=lambda piece: piece[0]) - 1)
        for at, samples in self._pieces[first:]:
            place = round((at - start) * rate)
            if place >= count:
                break
            begin, end = max(0, place), min(count, place + len(samples))
            if end > begin:
                out[begin:end] = samples[begin - place : end - place]
        return out


class EchoPath:
    """From the phone's loudspeaker to its microphone: reflections that die away."""

    def __init__(
        self, rate: int, band: tuple[float, float] | None, attenuation_db: float, seed: int
    ) -> None:
        """Make the room.

        Args:
            rate: Hz.
            band: Hz that the line lets through; None for all.
            attenuation_db: By how much the echo is weaker, in power.
            seed: Which room it is.
        """
        self._rate, self._band = rate, band
        self._into: Resampler | None = None  # made with the first sound: then its rate is known
        taps = round(RESPONSE_SECS * rate)
        draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, taps])))
        response = draws.standard_normal(taps) * np.exp(-6.9 * np.arange(taps) / taps) * 0.3
        response[0] = 1.0
        response *= 10 ** (-attenuation_db / 20) / np.sqrt(np.sum(response**2))
        self._response = response.astype(np.float32)
        self._before: Float32 = np.zeros(taps - 1, np.float32)

    def of(self, played: Played, start: float, count: int) -> Float32:
        """Return the echo of what was played.

        Args:
            played: What was.
            start: The call's seconds at which that was heard.
            count: Samples that are wanted, at the line's rate: 20 ms, always.
        """
        if not played.sample_rate:
            return np.zeros(count, np.float32)
        if self._into is None:
            block = played.sample_rate * count // self._rate
            self._into = Resampler(played.sample_rate, self._rate, block, self._band)
        samples = self._into.process(played.heard(start, self._into.block).astype(np.float32))
        joined = np.concatenate([self._before, samples])
        self._before = joined[len(joined) - len(self._before) :]
        return np.convolve(joined, self._response, "valid").astype(np.float32, copy=False)
