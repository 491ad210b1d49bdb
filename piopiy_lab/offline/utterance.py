"""One utterance of the recogniser's: what the decoders make of it, and what is known already.

The decoders are given 20 ms at a time. In a live call they get them as they come; where answers are
remembered (`pure_memory`, in simulations) they get them when a question comes whose answer isn't
known. What an utterance is known by is all that the answers follow from: what the decoders were
made of, the level, the mean and the samples.

Used by one call at a time, on one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from piopiy_lab.offline import decoders, rejection
from piopiy_lab.offline.decoders import Decoder
from piopiy_lab.services.pure_memory import PureMemory, remembers
from piopiy_lab.sound.pcm import Float32, Int16

T = TypeVar("T")

#: Hz of everything in this module: what the acoustic model was trained on.
SAMPLE_RATE = 16000
#: Samples that a decoder is given at a time (20 ms), whatever pieces the audio comes in.
BLOCK = 320
#: Samples from one frame of the front end to the next (10 ms).
FRAME_SAMPLES = 160
#: Frames of a decoder per second.
FRAME_RATE = 100
#: Standard deviation of the added noise in int16 steps: digital silence wrecks the recognition of
#: synthetic speech (slot errors of 40 % without, 5 % with noise).
NOISE = 4.0
#: Blocks of a second look between two pauses for the caller's other work: about 10 ms of CPU.
STEP = 4

#: pocketsphinx starts its running mean as if it had seen this many frames of the one it is set to
#: (``CMN_WIN`` in its ``cmn.h``).
_MEAN_WEIGHT = 500

#: What was made of utterances, by the question and what they are known by. Less than 1 kB each.
_answers: PureMemory[object] = PureMemory(8192)


@dataclass(frozen=True)
class Ear:
    """The decoders for one kind of sound, all idle.

    Attributes:
        grammar: Listens for the phrases.
        background: Listens for everyday words.
        front_end: Only measures.
        careful: What the decoder for a second look is made of. It takes 10 MB and is seldom
            needed, so it is everybody's, and taken for the look alone.
        mean: Of the front end's coefficients, with commas.
        weight: What its scores count for on the wide model's scale.
    """

    grammar: Decoder
    background: Decoder
    front_end: Decoder
    careful: decoders.Key
    mean: str
    weight: float


@dataclass(frozen=True)
class FirstLook:
    """What both decoders made of a whole utterance.

    Attributes:
        begun: The sentence before its end was known, "" when there was none.
        text: The grammar's sentence, "" when there is none.
        words: ``(word, start, end)`` in seconds from the utterance's first sample.
        score: How much better the background explains it; smaller is surer.
        doubt: Whether a second look can settle it.
    """

    begun: str
    text: str = ""
    words: tuple[tuple[str, float, float], ...] = ()
    score: float = 0.0
    doubt: bool = False


class Utterance:
    """An utterance from its beginning to its end."""

    def __init__(self, ear: Ear, gain: float, *, noisy: Int16 | None, keep_secs: float) -> None:
        """Begin one.

        Args:
            ear: The decoders, idle.
            gain: What its samples are amplified by.
            noisy: int16, shape (n,): its beginning, when that is noisy and gives the front end's
                mean.
            keep_secs: Seconds up to which it may get a second look.
        """
        self._ear, self._gain, self._keep = ear, gain, keep_secs * SAMPLE_RATE
        self._number = 0  # of drops, by which a second look knows that it was one
        self._listening = False  # the decoders are within the utterance
        self._waiting: list[Int16] = []  # blocks that they have not been given
        self._given = 0  # samples that they were given
        self._blocks: list[bytes] = []  # what that was
        self._known_by: blake2b | None = None  # None where nothing is remembered
        if remembers():
            self._known_by = blake2b(_made_of(ear.careful), digest_size=16)
            self._known_by.update(f"{gain!r};".encode())
        self._mean = ear.mean if noisy is None else self._mean_of(noisy)
        if self._known_by is not None:
            self._known_by.update(f"{self._mean};".encode())

    def take(self, block: Int16) -> None:
        """Take the next block, int16, shape (n,): BLOCK samples, fewer at the utterance's end."""
        self._waiting.append(block)
        if self._known_by is None:
            self._catch_up()
        else:
            self._known_by.update(block.tobytes())

    def partial(self) -> str:
        """Return the sentence so far, "" when there is none."""
        return self._answer("so far", self._sentence)

    def look(self) -> FirstLook:
        """Return what was made of it; it has ended."""
        found = self._answer("whole", self._look)
        self.close()
        return found

    def look_again(self, text: str) -> Generator[None, None, float | None]:
        """Decode it again, all sounds scored; a known answer comes after as many pauses.

        Args:
            text: What the first look took it for.

        Returns:
            The score; None if it was closed in one of the pauses.
        """
        number, key = self._number, self._key("again")
        known = None if key is None else cast("tuple[float, int] | None", _answers.get(key))
        if known is not None:
            score, pauses = known
            for _ in range(pauses):
                yield
                if number != self._number:
                    return None
            return score
        pauses, steps = 0, self._look_again(text)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                score = done.value
                break
            pauses += 1
            yield
            if number != self._number:
                steps.close()  # it gives its decoder back
                return None
        if key is not None:
            _answers.put(key, (score, pauses))
        return score

    def close(self) -> None:
        """Let go of the decoders."""
        self._number += 1
        if self._listening:
            self._listening = False
            for decoder in (self._ear.grammar, self._ear.background):
                decoder.end_utt()

    # --- what is known ------------------------------------------------------------------------

    def _key(self, question: str) -> tuple[str, bytes] | None:
        """Return what an answer is remembered by, None where it isn't."""
        return None if self._known_by is None else (question, self._known_by.digest())

    def _answer(self, question: str, find: Callable[[], T]) -> T:
        """Return the answer to a question about what was taken so far."""
        key = self._key(question)
        if key is None:
            return find()
        known = cast("T | None", _answers.get(key))
        if known is None:
            known = find()
            _answers.put(key, known)
        return known

    # --- the decoders -------------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Give the decoders what they were not given yet."""
        both = (self._ear.grammar, self._ear.background)
        if not self._listening:
            self._listening = True
            for decoder in both:
                _start(decoder, self._mean)
        new = self._prepare()
        for decoder in both:
            for data in new:
                decoder.process_raw(data)

    def _prepare(self) -> list[bytes]:
        """Prepare what the decoders were not given yet, and keep it for a second look."""
        new: list[bytes] = []
        for block in self._waiting:
            new.append(prepared(block, self._given, self._gain))
            if self._given <= self._keep:  # else there is no second look
                self._blocks.append(new[-1])
            self._given += len(block)
        self._waiting.clear()
        return new

    def _sentence(self) -> str:
        self._catch_up()
        hypothesis = self._ear.grammar.hyp()
        return "" if hypothesis is None else hypothesis.hypstr

    def _look(self) -> FirstLook:
        begun = self._sentence()
        cut_short = list(self._ear.background.seg() or ())
        self.close()
        hypothesis = self._ear.grammar.hyp()
        if hypothesis is None or not hypothesis.hypstr:
            return FirstLook(begun)
        ours = list(self._ear.grammar.seg() or ())
        # A background that was cut off within a word has no end; what it heard before it has.
        theirs = list(self._ear.background.seg() or ()) or cut_short
        words = tuple(
            (s.word.split("(")[0], s.start_frame / FRAME_RATE, (s.end_frame + 1) / FRAME_RATE)
            for s in ours
            if rejection.is_word(s.word)
        )
        score, doubt = rejection.first_look(ours, theirs)
        return FirstLook(begun, hypothesis.hypstr, words, score * self._ear.weight, doubt)

    def _look_again(self, text: str) -> Generator[None, None, float]:
        careful, looks = self._ear.careful, []
        self._prepare()
        decoder = decoders.take(careful)
        try:
            for search in ("phrases", "background"):
                decoder.activate_search(search)
                _start(decoder, self._mean)
                try:
                    for at, block in enumerate(self._blocks, 1):
                        decoder.process_raw(block)
                        if at % STEP == 0:
                            yield
                    cut_short = list(decoder.seg() or ())
                finally:
                    decoder.end_utt()
                looks.append(list(decoder.seg() or ()) or cut_short)
                hypothesis = decoder.hyp()
                if search == "phrases" and (hypothesis is None or hypothesis.hypstr != text):
                    return rejection.ANOTHER_SENTENCE
        finally:
            decoders.give_back(careful, decoder)
        return self._ear.weight * rejection.second_look(*looks)

    def _mean_of(self, so_far: Int16) -> str:
        """Return the mean of the front end's coefficients over its beginning (4 ms)."""
        if self._known_by is None:
            return self._measured_mean(so_far)
        known_by = self._known_by.copy()
        known_by.update(so_far.tobytes())
        key = "mean", known_by.digest()
        known = cast("str | None", _answers.get(key))
        if known is None:
            known = self._measured_mean(so_far)
            _answers.put(key, known)
        return known

    def _measured_mean(self, so_far: Int16) -> str:
        decoder = self._ear.front_end
        _start(decoder, self._ear.mean)
        for at in range(0, len(so_far) - BLOCK + 1, BLOCK):
            decoder.process_raw(prepared(so_far[at : at + BLOCK], at, self._gain), True)
        decoder.end_utt()
        frames = decoder.n_frames()
        if not frames:
            return self._ear.mean
        start, after = _vector(self._ear.mean), _vector(decoder.get_cmn(True))
        own = (after * (_MEAN_WEIGHT + frames) - start * _MEAN_WEIGHT) / frames
        return ",".join(f"{value:.4f}" for value in own)


@lru_cache(maxsize=64)
def _made_of(careful: decoders.Key) -> bytes:
    """Return what tells an ear's decoders from others': all follow from the careful one's key."""
    searches = [(grammar.name, grammar.jsgf) for grammar in careful.grammars]
    told = repr((searches, careful.pronunciations, careful.narrow))
    return blake2b(told.encode(), digest_size=16).digest()


def _start(decoder: Decoder, mean: str) -> None:
    decoder.reinit_feat()  # a new front end: start_utt() keeps the old one's noise and tail
    decoder.set_cmn(mean)
    decoder.start_utt()


def _vector(mean: str) -> npt.NDArray[np.float64]:
    return np.array([float(value) for value in mean.split(",")])


def prepared(samples: Int16, at: int, gain: float) -> bytes:
    """Bring samples to the level and add the noise that belongs ``at`` this sample."""
    added = noise()
    at %= len(added) - BLOCK
    noisy = np.clip(gain * samples + added[at : at + len(samples)], -32768, 32767)
    return np.rint(noisy).astype("<i2").tobytes()


_noise_samples: list[Float32] = []


def noise() -> Float32:
    """Return twenty seconds of the same noise."""
    if not _noise_samples:
        normal = np.random.default_rng(42).standard_normal(SAMPLE_RATE * 20)
        _noise_samples.append((NOISE * normal).astype(np.float32))
    return _noise_samples[0]
