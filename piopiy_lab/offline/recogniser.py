"""PocketSphinx over a phrase book: one utterance in, words and a verdict out. No pipecat here.

A grammar accepts anything: whatever is said is forced onto its nearest sentence. So the same audio
is decoded twice: by the phrases' grammar, and by a loop over 60 everyday words (the *background*)
that covers the sounds of English but no domain. Where the background explains the sound clearly
better than the grammar for 0.8 s, or hears words where the grammar hears silence, something else
was said.

Measured with the booking desk's grammar at the default threshold, on 102 of its sentences by two
espeak-ng voices and 40 other sentences by these and a flite voice: clean, none of the right ones
was rejected and 16 % of the others passed; with white noise at -50 dBFS, 4 % and 28 %. Of the right
sentences 20 % were heard as another of the grammar's, most of them close in meaning ("the name is"
for "my name is"); "seven" for "two" happens. The decoder's own score (``-ln(score) / frames``) did
far worse: to reject no more than 5 % of the right ones, it let a quarter of the others pass.

Each utterance gets a new front end (0.05 ms) with a fixed mean (CMN), and a little fixed noise is
added, so a result depends on the utterance's own samples and on nothing decoded before.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from piopiy_lab.errors import ArgumentError, MissingExtraError, PhraseError
from piopiy_lab.offline.phrases import PhraseBook

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
#: Frames over which the background must explain the sound better: 0.8 s, about two words.
WINDOW = 80
#: What a frame of speech counts for that the grammar takes for silence.
UNCOVERED_WEIGHT = 0.006
#: The score above which an utterance is rejected.
REJECTION_THRESHOLD = 0.0020

#: pocketsphinx starts its running mean as if it had seen this many frames of the one it is set to
#: (``CMN_WIN`` in its ``cmn.h``).
_MEAN_WEIGHT = 500

#: Beams of the grammar's decoder (wide: the grammar is small) and of the background's (narrow).
_GRAMMAR_BEAMS = {"beam": 1e-60, "wbeam": 1e-40, "pbeam": 1e-60}
_BACKGROUND_BEAMS = {"beam": 1e-35, "wbeam": 1e-25, "pbeam": 1e-35}

#: The background's words, chosen greedily from the commonest English words so that the pairs of
#: sounds in them are as many and as different as can be.
BACKGROUND_WORDS = (
    "sentence animal between picture about find only think help also large north was there "
    "time give draw most every even change you if country with long play read such should "
    "after follow just school great eye world people the how boy earth on our make year came "
    "through does have this big life other write need very move these him"
).split()


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

    def __init__(self, grammar: Any, background: Any, front_end: Any) -> None:
        """Take three decoders, all idle; the last one only measures."""
        self._grammar = grammar
        self._background = background
        self._front_end = front_end
        self._pending = np.zeros(0, np.int16)  # samples short of a block
        self._fed = 0  # samples given to the decoders in this utterance
        self._open = False
        self._gain = 1.0

    def begin(self, so_far: np.ndarray[Any, Any]) -> None:
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
        mean = self._mean(so_far) if noisy else CEPSTRAL_MEAN
        for decoder in (self._grammar, self._background):
            decoder.reinit_feat()  # a new front end: start_utt() keeps the old one's noise and tail
            decoder.set_cmn(mean)
            decoder.start_utt()
        self._pending, self._fed, self._open = np.zeros(0, np.int16), 0, True

    def feed(self, samples: np.ndarray[Any, Any]) -> None:
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
        if len(self._pending):
            self._decode(self._pending)
            self._pending = np.zeros(0, np.int16)
        begun = self.partial()
        self._open = False
        for decoder in (self._grammar, self._background):
            decoder.end_utt()
        hypothesis = self._grammar.hyp()
        if hypothesis is None or not hypothesis.hypstr:
            return Recognised("", (), 0.0, False, begun)
        ours, theirs = list(self._grammar.seg() or ()), list(self._background.seg() or ())
        words = tuple(
            (s.word.split("(")[0], s.start_frame / FRAME_RATE, (s.end_frame + 1) / FRAME_RATE)
            for s in ours
            if _is_word(s.word)
        )
        score = _how_much_worse(ours, theirs)
        return Recognised(hypothesis.hypstr, words, score, score <= threshold)

    def drop(self) -> None:
        """Forget an open utterance."""
        if self._open:
            self._open = False
            for decoder in (self._grammar, self._background):
                decoder.end_utt()

    def _decode(self, block: np.ndarray[Any, Any]) -> None:
        data = self._prepared(block, self._fed)
        self._grammar.process_raw(data)
        self._background.process_raw(data)
        self._fed += len(block)

    def _prepared(self, samples: np.ndarray[Any, Any], at: int) -> bytes:
        """Bring samples to the level and add the noise that belongs ``at`` this sample."""
        noise = _noise()
        at %= len(noise) - BLOCK
        noisy = np.clip(self._gain * samples + noise[at : at + len(samples)], -32768, 32767)
        return np.rint(noisy).astype("<i2").tobytes()

    def _mean(self, so_far: np.ndarray[Any, Any]) -> str:
        """Return the mean of the front end's coefficients over an utterance's beginning (4 ms)."""
        decoder = self._front_end
        decoder.reinit_feat()
        decoder.set_cmn(CEPSTRAL_MEAN)
        decoder.start_utt()
        for at in range(0, len(so_far) - BLOCK + 1, BLOCK):
            decoder.process_raw(self._prepared(so_far[at : at + BLOCK], at), True)
        decoder.end_utt()
        frames = decoder.n_frames()
        if not frames:
            return CEPSTRAL_MEAN
        start, after = _vector(CEPSTRAL_MEAN), _vector(decoder.get_cmn(True))
        own = (after * (_MEAN_WEIGHT + frames) - start * _MEAN_WEIGHT) / frames
        return ",".join(f"{value:.4f}" for value in own)


def _vector(mean: str) -> np.ndarray[Any, Any]:
    return np.array([float(value) for value in mean.split(",")])


def _floor(so_far: np.ndarray[Any, Any]) -> float:
    """Return the RMS of the quietest 20 ms (the first decile), in int16 steps."""
    blocks = so_far[: len(so_far) // BLOCK * BLOCK].astype(np.float64).reshape(-1, BLOCK)
    return float(np.quantile(np.sqrt((blocks**2).mean(axis=1)), 0.1)) if len(blocks) else 0.0


def onset(so_far: np.ndarray[Any, Any]) -> int:
    """Return the sample from which on an utterance should be decoded.

    Decoded silence before a sentence costs time and makes the score worse and less steady.

    Args:
        so_far: int16, shape (n,), at 16 kHz, up to the moment when the detector was sure.
    """
    blocks = so_far[: len(so_far) // BLOCK * BLOCK].astype(np.float64).reshape(-1, BLOCK)
    level = np.sqrt((blocks**2).mean(axis=1)) if len(blocks) else np.zeros(1)
    loud = np.flatnonzero(level > ONSET_PART * level.max()) if level.max() > 0 else [0]
    return max(0, int(loud[0]) * BLOCK - round(LEAD_SECS * SAMPLE_RATE))


def _gain_for(so_far: np.ndarray[Any, Any]) -> float:
    """Return what brings the loud parts of an utterance's beginning to LEVEL."""
    speech = so_far[-round(LEVEL_SECS * SAMPLE_RATE) :].astype(np.float64)
    speech = speech[: len(speech) // BLOCK * BLOCK].reshape(-1, BLOCK)
    if not len(speech):
        return 1.0
    loud = float(np.quantile(np.sqrt((speech**2).mean(axis=1)), 0.9))
    return float(np.clip(LEVEL / max(loud, 1.0), *GAINS))


_noise_samples: list[np.ndarray[Any, Any]] = []


def _noise() -> np.ndarray[Any, Any]:
    """Return twenty seconds of the same noise."""
    if not _noise_samples:
        normal = np.random.default_rng(42).standard_normal(SAMPLE_RATE * 20)
        _noise_samples.append((NOISE * normal).astype(np.float32))
    return _noise_samples[0]


def _is_word(word: str) -> bool:
    return not word.startswith(("<", "[", "+", "("))


def _how_much_worse(ours: Sequence[Any], theirs: Sequence[Any]) -> float:
    """Return how much better the background explains the sound, at its worst for the grammar."""
    frames = 1 + max((s.end_frame for s in (*ours, *theirs)), default=0)
    (cost, speech), (other_cost, other_speech) = (
        _per_frame(ours, frames),
        _per_frame(theirs, frames),
    )
    better = (cost - other_cost) * (speech | other_speech)
    kernel = np.ones(WINDOW) / WINDOW
    if frames < WINDOW:
        better = np.pad(better, (0, WINDOW - frames))
    uncovered = (other_speech & ~speech).sum() / max(1, other_speech.sum())
    return float(np.convolve(better, kernel, "valid").max() + UNCOVERED_WEIGHT * uncovered)


def _per_frame(segments: Sequence[Any], frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Spread each segment's acoustic cost over its frames; and say which frames are speech."""
    cost, speech = np.zeros(frames), np.zeros(frames, bool)
    for segment in segments:
        if segment.start_frame < 0 or segment.word == "(NULL)":
            continue
        first, last = segment.start_frame, min(segment.end_frame, frames - 1)
        loss = -math.log(segment.ascore) if segment.ascore > 0 else 9.0
        cost[first : last + 1] = loss / max(1, last - first + 1)
        if _is_word(segment.word):
            speech[first : last + 1] = True
    return cost, speech


# --- decoders: 150 ms to load, so they are kept --------------------------------------------------

_idle: dict[tuple[str, tuple[tuple[str, str], ...]], list[Any]] = {}
_lock = threading.Lock()
_BACKGROUND = (
    "#JSGF V1.0;\ngrammar background;\npublic <s> = (" + " | ".join(BACKGROUND_WORDS) + ")+;\n"
)
#: A decoder searches whatever it is given, so the one that only measures has next to nothing to do.
_ONE_WORD = "#JSGF V1.0;\ngrammar one;\npublic <s> = a;\n"


class Borrowed:
    """A recogniser for a phrase book, lent until :meth:`give_back`; no two calls share one."""

    def __init__(self, book: PhraseBook, pronunciations: Mapping[str, str]) -> None:
        """Borrow one, loading what isn't there.

        Raises:
            MissingExtraError: PocketSphinx isn't installed.
        """
        extra = tuple(sorted(pronunciations.items()))
        self._keys = ((book.jsgf(), extra), (_BACKGROUND, ()), (_ONE_WORD, ()))
        beams = (_GRAMMAR_BEAMS, _BACKGROUND_BEAMS, _BACKGROUND_BEAMS)
        self._decoders = [_take(key, each) for key, each in zip(self._keys, beams, strict=True)]
        self.recogniser = Recogniser(*self._decoders)

    def give_back(self) -> None:
        """Return it, for the next call."""
        self.recogniser.drop()
        with _lock:
            for key, decoder in zip(self._keys, self._decoders, strict=True):
                _idle.setdefault(key, []).append(decoder)


def _take(key: tuple[str, tuple[tuple[str, str], ...]], beams: Mapping[str, float]) -> Any:
    with _lock:
        if idle := _idle.get(key):
            return idle.pop()
    grammar, pronunciations = key
    decoder = _new_decoder(**beams)
    for word, phones in pronunciations:
        decoder.add_word(word, phones, False)
    decoder.add_jsgf_string("g", grammar)
    decoder.activate_search("g")
    return decoder


def _new_decoder(**options: Any) -> Any:
    try:
        from pocketsphinx import Decoder
    except (ImportError, OSError) as error:
        raise MissingExtraError(
            "Offline speech recognition", "offline", detail=str(error)
        ) from error
    return Decoder(lm=None, bestpath=False, dither=False, loglevel="FATAL", **options)


_dictionary: list[Any] = []  # a decoder to look words up in; under _lock


def check_words(book: PhraseBook, pronunciations: Mapping[str, str]) -> None:
    """Check that every word of a book can be listened for.

    Args:
        book: The phrases.
        pronunciations: Words that the dictionary lacks, in ARPAbet: ``{"piopiy": "P Y OW P IY"}``.

    Raises:
        PhraseError: Words that are in neither; all are named.
        ArgumentError: A pronunciation with a sound that the model doesn't know.
        MissingExtraError: PocketSphinx isn't installed.
    """
    with _lock:
        if not _dictionary:
            _dictionary.append(_new_decoder())
        known = _dictionary[0]
        unknown = sorted(
            w for w in book.words if w not in pronunciations and known.lookup_word(w) is None
        )
    if unknown:
        named = ", ".join(repr(word) for word in unknown)
        raise PhraseError(
            f"the recogniser's dictionary has no {named}: write it in other words, or say how it "
            f"sounds: pronunciations={{{unknown[0]!r}: 'P Y OW P IY'}} (ARPAbet)"
        )
    for word, phones in pronunciations.items():
        wrong = [phone for phone in phones.split() if phone not in PHONES]
        if wrong or not phones.split():
            raise ArgumentError(
                f"pronunciations[{word!r}]={phones!r}: {wrong[:1] or 'nothing'} is no sound of the "
                f"model's; the sounds are {' '.join(sorted(PHONES))}"
            )


#: The sounds of the en-us model: ARPAbet without stress.
PHONES = frozenset(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W "
    "Y Z ZH".split()
)
