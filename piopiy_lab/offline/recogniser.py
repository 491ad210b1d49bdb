"""PocketSphinx over a phrase book: one utterance in, words and a verdict out. No pipecat here.

Each utterance gets a new front end (0.05 ms) with a fixed mean (CMN), and a little fixed noise is
added, so a result depends on the utterance's own samples and on nothing decoded before.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from piopiy_lab.offline import decoders, rejection
from piopiy_lab.offline.decoders import Decoder
from piopiy_lab.offline.phrases import PhraseBook
from piopiy_lab.offline.rejection import REJECTION_THRESHOLD as REJECTION_THRESHOLD
from piopiy_lab.sound.pcm import Float32, Int16

P = ParamSpec("P")
T = TypeVar("T")

#: Hz of everything in this module: what the acoustic model was trained on.
SAMPLE_RATE = 16000
#: Samples that a decoder is given at a time (20 ms), whatever pieces the audio comes in.
BLOCK = 320
#: Frames of a decoder per second.
FRAME_RATE = 100
#: Mean of the front end's coefficients over the sentences and voices named above.
CEPSTRAL_MEAN = "36.99,-3.90,2.95,14.91,-5.30,-0.71,-2.35,-1.25,-3.17,-2.02,5.32,-1.41,2.41"
#: Standard deviation of the added noise in int16 steps: digital silence wrecks the recognition of
#: synthetic speech (slot errors of 40 % without, 5 % with noise).
NOISE = 4.0
#: The level that an utterance is brought to, as the RMS of its loud 20 ms in int16 steps. At this
#: level, with this noise, right and wrong sentences differ most (measured from -40 to 0 dBFS peak).
LEVEL = 820.0
#: Seconds of an utterance's beginning by whose end its level is measured: what is there when the
#: detector is sure, less the silence before.
LEVEL_SECS = 0.45
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
#: The longest utterance that is looked at a second time, in seconds; a longer one gives the first
#: look enough to go by.
SECOND_LOOK_SECS = 4.0
#: Blocks of a second look between two pauses for the caller's other work: about 10 ms of CPU.
STEP = 4

#: pocketsphinx starts its running mean as if it had seen this many frames of the one it is set to
#: (``CMN_WIN`` in its ``cmn.h``).
_MEAN_WEIGHT = 500


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

    def __init__(
        self, grammar: Decoder, background: Decoder, front_end: Decoder, careful: decoders.Key
    ) -> None:
        """Take three decoders, all idle.

        Args:
            grammar: Listens for the phrases.
            background: Listens for everyday words.
            front_end: Only measures.
            careful: What the decoder for a second look is made of. It takes 10 MB and is seldom
                needed, so it is everybody's, and taken for the look alone.
        """
        self._grammar = grammar
        self._background = background
        self._front_end = front_end
        self._careful = careful
        #: Seconds up to which an utterance may get a second look; set before it begins.
        self.second_look_secs: float = SECOND_LOOK_SECS
        self._pending = np.zeros(0, np.int16)  # samples short of a block
        self._fed = 0  # samples given to the decoders in this utterance
        self._blocks: list[bytes] = []  # what was given, for the second look
        self._open = False
        self._number = 0  # of drops, by which a second look knows that it was one
        self._gain = 1.0
        self._mean = CEPSTRAL_MEAN

    def begin(self, so_far: Int16) -> None:
        """Start an utterance; an open one is dropped.

        Args:
            so_far: int16, shape (n,): what was heard of it up to the moment when the detector was
                sure of speech. Its last part sets the level for the whole utterance, and all of
                it the front end's mean when it is noisy; it is not decoded here, but must be fed
                like the rest.
        """
        self.drop()
        self._gain = _gain_for(so_far)
        noisy = self._gain * _floor(so_far) > NOISE_FLOOR
        self._mean = self._own_mean(so_far) if noisy else CEPSTRAL_MEAN
        for decoder in (self._grammar, self._background):
            _start(decoder, self._mean)
        self._pending, self._fed, self._blocks = np.zeros(0, np.int16), 0, []
        self._open = True

    def feed(self, samples: Int16) -> None:
        """Give the next int16 samples, shape (n,)."""
        self._pending = np.concatenate([self._pending, samples])
        while len(self._pending) >= BLOCK:
            block, self._pending = self._pending[:BLOCK], self._pending[BLOCK:]
            self._decode(block)

    def partial(self) -> str:
        """Return the sentence so far, "" when there is none."""
        hypothesis = self._grammar.hyp()
        return "" if hypothesis is None else hypothesis.hypstr

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
        0.12 s of CPU per second of speech, of which a pause comes each 10 ms.

        Args:
            threshold: The score above which it is rejected.

        Returns:
            What was made of it; None if it was dropped in one of the pauses.
        """
        if len(self._pending):
            self._decode(self._pending)
            self._pending = np.zeros(0, np.int16)
        begun = self.partial()
        cut_short = list(self._background.seg() or ())
        self._open = False
        for decoder in (self._grammar, self._background):
            decoder.end_utt()
        hypothesis = self._grammar.hyp()
        if hypothesis is None or not hypothesis.hypstr:
            return Recognised("", (), 0.0, False, begun)
        text, ours = hypothesis.hypstr, list(self._grammar.seg() or ())
        # A background that was cut off within a word has no end; what it heard before it has.
        theirs = list(self._background.seg() or ()) or cut_short
        words = tuple(
            (s.word.split("(")[0], s.start_frame / FRAME_RATE, (s.end_frame + 1) / FRAME_RATE)
            for s in ours
            if rejection.is_word(s.word)
        )
        score, doubt = rejection.first_look(ours, theirs)
        if doubt and score <= threshold and self._fed <= self.second_look_secs * SAMPLE_RATE:
            closer = yield from self._look_again()
            if closer is None:
                return None
            score = max(score, closer)
        return Recognised(text, words, score, score <= threshold)

    def drop(self) -> None:
        """Forget an utterance that is open or looked at again."""
        self._number += 1
        if self._open:
            self._open = False
            for decoder in (self._grammar, self._background):
                decoder.end_utt()

    def _look_again(self) -> Generator[None, None, float | None]:
        """Decode the utterance again, all sounds scored; return the score, None if dropped."""
        number, looks = self._number, []
        decoder = decoders.take(self._careful)
        try:
            for search in ("phrases", "background"):
                decoder.activate_search(search)
                _start(decoder, self._mean)
                try:
                    for at, block in enumerate(self._blocks, 1):
                        decoder.process_raw(block)
                        if at % STEP == 0:
                            yield
                            if number != self._number:
                                return None
                    cut_short = list(decoder.seg() or ())
                finally:
                    decoder.end_utt()
                looks.append(list(decoder.seg() or ()) or cut_short)
        finally:
            decoders.give_back(self._careful, decoder)
        return rejection.second_look(*looks)

    def _decode(self, block: Int16) -> None:
        data = self._prepared(block, self._fed)
        self._grammar.process_raw(data)
        self._background.process_raw(data)
        if self._fed <= self.second_look_secs * SAMPLE_RATE:  # else there is no second look
            self._blocks.append(data)
        self._fed += len(block)

    def _prepared(self, samples: Int16, at: int) -> bytes:
        """Bring samples to the level and add the noise that belongs ``at`` this sample."""
        noise = _noise()
        at %= len(noise) - BLOCK
        noisy = np.clip(self._gain * samples + noise[at : at + len(samples)], -32768, 32767)
        return np.rint(noisy).astype("<i2").tobytes()

    def _own_mean(self, so_far: Int16) -> str:
        """Return the mean of the front end's coefficients over an utterance's beginning (4 ms)."""
        decoder = self._front_end
        _start(decoder, CEPSTRAL_MEAN)
        for at in range(0, len(so_far) - BLOCK + 1, BLOCK):
            decoder.process_raw(self._prepared(so_far[at : at + BLOCK], at), True)
        decoder.end_utt()
        frames = decoder.n_frames()
        if not frames:
            return CEPSTRAL_MEAN
        start, after = _vector(CEPSTRAL_MEAN), _vector(decoder.get_cmn(True))
        own = (after * (_MEAN_WEIGHT + frames) - start * _MEAN_WEIGHT) / frames
        return ",".join(f"{value:.4f}" for value in own)


def _start(decoder: Decoder, mean: str) -> None:
    decoder.reinit_feat()  # a new front end: start_utt() keeps the old one's noise and tail
    decoder.set_cmn(mean)
    decoder.start_utt()


def _vector(mean: str) -> npt.NDArray[np.float64]:
    return np.array([float(value) for value in mean.split(",")])


def _floor(so_far: Int16) -> float:
    """Return the RMS of the quietest 20 ms (the first decile), in int16 steps."""
    blocks = so_far[: len(so_far) // BLOCK * BLOCK].astype(np.float64).reshape(-1, BLOCK)
    return float(np.quantile(np.sqrt((blocks**2).mean(axis=1)), 0.1)) if len(blocks) else 0.0


def onset(so_far: Int16) -> int:
    """Return the sample from which on an utterance should be decoded.

    Decoded silence before a sentence costs time and makes the score worse and less steady.

    Args:
        so_far: int16, shape (n,), at 16 kHz, up to the moment when the detector was sure.
    """
    blocks = so_far[: len(so_far) // BLOCK * BLOCK].astype(np.float64).reshape(-1, BLOCK)
    level = np.sqrt((blocks**2).mean(axis=1)) if len(blocks) else np.zeros(1)
    loud = np.flatnonzero(level > ONSET_PART * level.max()) if level.max() > 0 else [0]
    return max(0, int(loud[0]) * BLOCK - round(LEAD_SECS * SAMPLE_RATE))


def _gain_for(so_far: Int16) -> float:
    """Return what brings the loud parts of an utterance's beginning to LEVEL."""
    speech = so_far[-round(LEVEL_SECS * SAMPLE_RATE) :].astype(np.float64)
    speech = speech[: len(speech) // BLOCK * BLOCK].reshape(-1, BLOCK)
    if not len(speech):
        return 1.0
    loud = float(np.quantile(np.sqrt((speech**2).mean(axis=1)), 0.9))
    return float(np.clip(LEVEL / max(loud, 1.0), *GAINS))


_noise_samples: list[Float32] = []


def _noise() -> Float32:
    """Return twenty seconds of the same noise."""
    if not _noise_samples:
        normal = np.random.default_rng(42).standard_normal(SAMPLE_RATE * 20)
        _noise_samples.append((NOISE * normal).astype(np.float32))
    return _noise_samples[0]


class Borrowed:
    """A recogniser for a phrase book, lent until :meth:`give_back`; no two calls share one."""

    def __init__(self, book: PhraseBook, pronunciations: Mapping[str, str]) -> None:
        """Borrow one, loading what isn't there.

        Raises:
            MissingExtraError: PocketSphinx isn't installed.
        """
        *self._keys, careful = decoders.keys(book, pronunciations)
        self._decoders = [decoders.take(key) for key in self._keys]
        decoders.give_back(careful, decoders.take(careful))  # there when a second look needs it
        grammar, background, front_end = self._decoders
        self.recogniser: Recogniser = Recogniser(grammar, background, front_end, careful)

    def give_back(self) -> None:
        """Return it, for the next call."""
        self.recogniser.drop()
        for key, decoder in zip(self._keys, self._decoders, strict=True):
            decoders.give_back(key, decoder)


async def borrow(book: PhraseBook, pronunciations: Mapping[str, str]) -> Borrowed:
    """Borrow a recogniser; what has to be loaded for it is not loaded on the running loop.

    Raises:
        MissingExtraError: PocketSphinx isn't installed.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_loader, load_recogniser, book, pronunciations)


def load_recogniser(book: PhraseBook, pronunciations: Mapping[str, str]) -> Borrowed:
    """Borrow a recogniser, on any thread; the job that simulations run in place (``jobs.py``)."""
    return Borrowed(book, pronunciations)


class _OneAtATime(Executor):
    """Runs each job on a thread that ends with it, one after the other.

    PocketSphinx holds the interpreter's lock while it loads. Several at once would leave next to
    nothing of it to the calls that run; so would the default executor, and its threads are few.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def run() -> None:
            with self._turn:
                if not future.set_running_or_notify_cancel():
                    return  # the call that wanted it has ended
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as error:
                    future.set_exception(error)

        threading.Thread(target=run, name="piopiy-lab-loader", daemon=True).start()
        return future


_loader = _OneAtATime()
