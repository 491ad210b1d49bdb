"""PocketSphinx over a phrase book: one utterance in, words and a verdict out. No pipecat here.

Each utterance gets a new front end (0.05 ms) with a fixed mean (CMN), and a little fixed noise is
added, so a result depends on the utterance's own samples and on nothing decoded before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np

from piopiy_lab.offline import narrow_band
from piopiy_lab.offline.rejection import REJECTION_THRESHOLD as REJECTION_THRESHOLD
from piopiy_lab.offline.utterance import BLOCK, FRAME_SAMPLES, SAMPLE_RATE, Ear, Utterance
from piopiy_lab.sound.pcm import Int16

#: Mean of the front end's coefficients over the booking desk's sentences in both voices.
CEPSTRAL_MEAN = "36.99,-3.90,2.95,14.91,-5.30,-0.71,-2.35,-1.25,-3.17,-2.02,5.32,-1.41,2.41"
#: The level that an utterance is brought to, as the RMS of its loud 20 ms in int16 steps. At this
#: level, with this noise, right and wrong sentences differ most (measured from -40 to 0 dBFS peak).
LEVEL = 820.0
#: Seconds of an utterance's beginning by whose end its level is measured: what is there when the
#: detector is sure, less the silence before.
LEVEL_SECS = 0.34
#: The part of its loudest 20 ms from which on an utterance's beginning counts as sound, and the
#: seconds that are decoded from before it.
ONSET_PART = 0.05
LEAD_SECS = 0.2
#: The least and the most that an utterance is amplified by.
GAINS = (0.02, 8.0)
#: RMS of the quietest 20 ms, once amplified, above which there is noise behind the voice. There the
#: fixed CEPSTRAL_MEAN is wrong and the utterance's beginning gives its own: with white noise of
#: 100 int16 steps (-50 dBFS) 3.5 % of the words are wrong instead of 9 %, with 200, 6 % instead of
#: 75 %, and 0 to 5 % of right sentences are rejected instead of 50 %. In quiet, the fixed mean is
#: better (2.9 % to 6.4 %): half of a clean clip's beginning is silence.
NOISE_FLOOR = 8.0
#: dB of voice above what is behind it, below which half of the sentences are lost and more: of 30
#: with white noise 29 are understood at 20 dB, 25 at 15 and 15 at 10; with four voices behind them
#: 17 at 30 dB, and 4 at 25.
LEAST_SNR_DB = 18.0
#: The longest utterance that is looked at a second time, in seconds; a longer one gives the first
#: look enough to go by.
SECOND_LOOK_SECS = 4.0


@dataclass(frozen=True)
class Recognised:
    """What was made of an utterance.

    Attributes:
        text: The grammar's sentence, "" when there is none.
        words: ``(word, start, end)`` in seconds from the utterance's first sample.
        score: How much better the background explains it; smaller is surer. 0.0 without a
            sentence.
        accepted: Whether the sentence is what was said.
        begun: Without a sentence, the words of one that the sound began to be like, if any.
    """

    text: str
    words: tuple[tuple[str, float, float], ...]
    score: float
    accepted: bool
    begun: str = ""


class Recogniser:
    """Decodes one utterance at a time; used by one call at a time, on one thread."""

    def __init__(self, ear: Callable[[bool], Ear]) -> None:
        """Take what gives the decoders.

        Args:
            ear: Called when an utterance begins, with whether its sound is a telephone's (see
                `narrow_band`).
        """
        self._ears = ear
        self._ear = ear(False)  # the utterance's
        #: dB by which the utterance's voice was louder than what is behind it, where that is more
        #: than the model's own noise; inf else. Set when it begins.
        self.snr_db: float = math.inf
        #: Seconds up to which an utterance may get a second look; set before it begins.
        self.second_look_secs: float = SECOND_LOOK_SECS
        self._pending = np.zeros(0, np.int16)  # samples short of a block
        self._fed = 0  # samples of the utterance in whole blocks, and at its end in all
        self._utterance: Utterance | None = None  # from begin() to its end or drop()
        self._judged: Utterance | None = None  # looked at again now

    def begin(self, so_far: Int16) -> None:
        """Start an utterance; an open one is dropped.

        Args:
            so_far: int16, shape (n,): what was heard of it up to the moment when the detector was
                sure of speech. Its last part sets the level for the whole utterance, and all of
                it the front end's mean when it is noisy; it is not decoded here, but must be fed
                like the rest.
        """
        self.drop()
        self._ear = self._ears(narrow_band.is_narrow(so_far))
        gain = _gain_for(so_far)
        quietest, loudest = _levels(so_far)
        noisy = gain * quietest > NOISE_FLOOR
        self.snr_db = 20 * math.log10(loudest / quietest) if noisy else math.inf
        self._pending, self._fed = np.zeros(0, np.int16), 0
        self._utterance = Utterance(
            self._ear, gain, noisy=so_far if noisy else None, keep_secs=self.second_look_secs
        )

    def feed(self, samples: Int16) -> None:
        """Give the next int16 samples, shape (n,)."""
        self._pending = np.concatenate([self._pending, samples])
        while len(self._pending) >= BLOCK:
            block, self._pending = self._pending[:BLOCK], self._pending[BLOCK:]
            self._take(block)

    def _take(self, block: Int16) -> None:
        self._open.take(block)
        self._fed += len(block)

    @property
    def _open(self) -> Utterance:
        assert self._utterance is not None, "begin() comes first"
        return self._utterance

    def partial(self) -> str:
        """Return the sentence so far, "" when there is none."""
        return self._open.partial()

    def end(self, threshold: float) -> Recognised:
        """End the utterance and judge it."""
        steps, heard = self.end_in_steps(threshold), None
        while True:
            try:
                next(steps)
            except StopIteration as done:
                heard = done.value
                break
        assert heard is not None, "nobody can drop it here"
        return heard

    def end_in_steps(self, threshold: float) -> Generator[None, None, Recognised | None]:
        """End the utterance and judge it, with pauses for the caller's other work.

        It is over at once, but for an utterance that is looked at a second time: that takes about
        0.14 s of CPU per second of speech, of which a pause comes each 10 ms.

        Args:
            threshold: The score above which it is rejected.

        Returns:
            What was made of it; None if it was dropped in one of the pauses.
        """
        if len(self._pending):
            self._take(self._pending)
            self._pending = np.zeros(0, np.int16)
        self._judged, self._utterance = self._open, None
        look = self._judged.look()
        if not look.text:
            return Recognised("", (), 0.0, False, look.begun)
        score = look.score
        if look.doubt and score <= threshold and self._fed <= self.second_look_secs * SAMPLE_RATE:
            closer = yield from self._judged.look_again(look.text)
            if closer is None:
                return None
            score = max(score, closer)
        return Recognised(look.text, look.words, score, score <= threshold)

    def drop(self) -> None:
        """Forget an utterance that is open or looked at again."""
        for utterance in (self._utterance, self._judged):
            if utterance is not None:
                utterance.close()
        self._utterance = self._judged = None


def _levels(so_far: Int16) -> tuple[float, float]:
    """Return the RMS of the quietest and the loudest 20 ms (deciles), in int16 steps."""
    blocks = so_far[: len(so_far) // BLOCK * BLOCK].astype(np.float64).reshape(-1, BLOCK)
    if not len(blocks):
        return 0.0, 0.0
    quietest, loudest = np.quantile(np.sqrt((blocks**2).mean(axis=1)), (0.1, 0.9))
    return float(quietest), float(loudest)


def onset(so_far: Int16) -> int:
    """Return the sample from which on an utterance should be decoded.

    Decoded silence before a sentence costs time and makes the score worse and less steady. The
    front end's frames begin there, so the same sentence has the same frames whenever it is said.

    Args:
        so_far: int16, shape (n,), at 16 kHz, up to the moment when the detector was sure.
    """
    start = _first_sound(so_far) - round(LEAD_SECS * SAMPLE_RATE)
    return start if start >= 0 else start % FRAME_SAMPLES


def _first_sound(so_far: Int16) -> int:
    """Return the sample with which an utterance's sound begins."""
    energy = np.cumsum(so_far.astype(np.int64) ** 2)
    energy[BLOCK:] = energy[BLOCK:] - energy[:-BLOCK]  # of the 20 ms up to each sample
    loudest = int(energy.max(initial=0))
    return int(np.argmax(energy >= ONSET_PART**2 * loudest)) if loudest else 0


def _gain_for(so_far: Int16) -> float:
    """Return what brings the loud parts of an utterance's beginning to LEVEL."""
    first = _first_sound(so_far)
    speech = so_far[first : first + round(LEVEL_SECS * SAMPLE_RATE)].astype(np.float64)
    speech = speech[: len(speech) // BLOCK * BLOCK].reshape(-1, BLOCK)
    if not len(speech):
        return 1.0
    loud = float(np.quantile(np.sqrt((speech**2).mean(axis=1)), 0.9))
    return float(np.clip(LEVEL / max(loud, 1.0), *GAINS))
