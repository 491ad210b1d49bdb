"""Whether an utterance was one of the phrases: how well they explain its sound, as a number.

A grammar accepts anything: whatever is said is forced onto its nearest sentence. So the same audio
is decoded twice: by the phrases' grammar, and by a loop over 120 everyday words (the *background*)
that covers the sounds of English but none of the booking desk's words. What counts is how much
better the background explains it:

- `first_look`: over the worst 0.8 s and where the background hears words and the grammar silence,
  or over the worst word;
- `second_look`: over all that the grammar took for speech. A short clip is like some sentence or
  other by chance and the worst 0.8 s hardly tells, so when the first look leaves a doubt both
  decode the utterance again with all the model's sounds scored in every frame. Only then are their
  costs counted from one zero, and only then is the difference fine enough for one or two words.
  A sound that was forced onto a sentence may be forced onto another one then, and is none
  (`ANOTHER_SENTENCE`).

Costs are ``-ln`` likelihoods per frame, as PocketSphinx gives them (from the best sound scored in
that frame, and in its own small units). This module is pure; the decoders are in `decoders`.

Measured with the booking desk's grammar, each clip begun anywhere within 80 ms; in brackets the
same clips before an utterance's frames began with its sound:

=======================================================  ======  ==========================
said                                                     clips   accepted
=======================================================  ======  ==========================
the desk's, by nine synthetic voices                     126     95 % (96 %)
others of four words and more, by the same               270     7 % (8 %)
others of one to three words, by the same                135     21 % (21 %)
alsa-utils' eight, as a call hears them                  8       0 (0)
=======================================================  ======  ==========================

Measured earlier, and not again: of the desk's by a person (digits, days, "seven thirty") 82 of 82
were accepted, of others by that person one in four. With noise, and through a telephone, see
`recogniser.LEAST_SNR_DB`, `narrow_band` and benchmarks/README.md. "anna" alone is rejected in both
synthetic voices, "maria" in the caller's.

The constants were chosen by trying them on two thirds of the others and on all of the desk's: none
of alsa-utils' eight may pass (tests/offline/test_real_voices.py) and two in 82 may be rejected; of
what met that, one with few errors. The threshold was chosen on the clips of the table, so its share
of others flatters a little. The person's clips are Debian's asterisk-core-sounds-en, cut at
their pauses; the voices are this package's and flite's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

#: Frames over which the background must explain the sound better: 0.8 s, about two words.
WINDOW = 80
#: What a frame of speech counts for that the grammar takes for silence.
UNCOVERED_WEIGHT = 0.006
#: What the mean cost of the grammar's worst word over the background's counts for. A word that was
#: not said stands out: of 487 right sentences none had one above 0.006, of 360 others one in four.
WORD_WEIGHT = 1 / 3
#: Mean cost over the background's, per frame of speech, above which there is a doubt ...
DOUBT = 0.0002
#: ... and what is added to it for a voice that is strange to the model: the part of the
#: background's own cost above this one. Synthetic voices would be looked at again needlessly.
DOUBT_PART, DOUBT_COST = 0.5, 0.004
#: At the second look too: the part of the background's own cost above this one that is taken off.
#: Of a strange voice every word of the model is a bad likeness (0.0063 in the median of synthetic
#: voices, 0.0049 of human ones), so there the difference proves less.
STRANGE_PART, STRANGE_COST = 0.3, 0.0047
#: Brings the second look to the first one's scale, so that one threshold does for both.
SECOND_WEIGHT = 2.75
#: The score of an utterance that is another sentence at the second look.
ANOTHER_SENTENCE = 0.01
#: The score above which an utterance is rejected: of 369 right sentences of nine voices one lies
#: between 0.0018 and 0.0022, of 270 others six.
REJECTION_THRESHOLD = 0.0020

#: The background's words: common ones, chosen greedily so that the pairs and triples of sounds in
#: them are as many and as different as can be; none is a word of the booking desk's.
BACKGROUND_WORDS = (
    "sentence animal between picture about find only think also large north was give draw most "
    "every even if country with long play read such should after follow school great eye world "
    "how boy earth our year came through does big life other write move these him too but their "
    "forty wonder extra religious well had gets cannot united making company deep decide problem "
    "contact thousands awesome personal hundred yeah test station members speed likely from than "
    "because knows having seems fat job ways police changed apart hold going millions look last "
    "around honestly levels more your fish sometimes stop they woman record area feel able often "
    "learning spend visit here first basic meet heard while got many broke myself news"
).split()


class Segment(Protocol):
    """A word of a decoder's, and where it was heard."""

    @property
    def word(self) -> str:
        """The word, or a mark such as ``<sil>``."""
        ...

    @property
    def start_frame(self) -> int:
        """Its first frame; negative for what takes no time."""
        ...

    @property
    def end_frame(self) -> int:
        """Its last frame."""
        ...

    @property
    def ascore(self) -> float:
        """Its acoustic likelihood."""
        ...


def is_word(word: str) -> bool:
    """Whether a segment is a word, no silence, noise or mark of the decoder's."""
    return not word.startswith(("<", "[", "+", "("))


def first_look(ours: Sequence[Segment], theirs: Sequence[Segment]) -> tuple[float, bool]:
    """Compare the grammar's segments with the background's.

    Returns:
        How much better the background explains the sound where the grammar is at its worst, and
        whether there is a doubt that a second look can settle.
    """
    frames = _frames(ours, theirs)
    cost, speech = _per_frame(ours, frames)
    other_cost, other_speech = _per_frame(theirs, frames)
    better = cost - other_cost
    heard = np.pad(better * (speech | other_speech), (0, max(0, WINDOW - frames)))
    worst = np.convolve(heard, np.ones(WINDOW) / WINDOW, "valid").max()
    uncovered = (other_speech & ~speech).sum() / max(1, other_speech.sum())
    doubt = False
    if speech.any():
        strange = DOUBT_PART * max(0.0, float(other_cost[speech].mean()) - DOUBT_COST)
        doubt = float(better[speech].mean()) > DOUBT + strange
    score = max(worst + UNCOVERED_WEIGHT * uncovered, WORD_WEIGHT * _worst_word(ours, better))
    return float(score), doubt


def second_look(ours: Sequence[Segment], theirs: Sequence[Segment]) -> float:
    """Compare the segments of two decoders that scored all sounds; on `first_look`'s scale."""
    frames = _frames(ours, theirs)
    cost, speech = _per_frame(ours, frames)
    if not speech.any():
        return 0.0  # nothing to compare
    ours_mean = float(cost[speech].mean())
    theirs_mean = float(_per_frame(theirs, frames)[0][speech].mean())
    strange = STRANGE_PART * max(0.0, theirs_mean - STRANGE_COST)
    return SECOND_WEIGHT * (ours_mean - theirs_mean - strange)


def _worst_word(segments: Sequence[Segment], better: npt.NDArray[np.float64]) -> float:
    words = (s for s in segments if s.start_frame >= 0 and is_word(s.word))
    means = [float(better[s.start_frame : s.end_frame + 1].mean()) for s in words]
    return max(means, default=0.0)


def _frames(*segmentations: Sequence[Segment]) -> int:
    return 1 + max((s.end_frame for segments in segmentations for s in segments), default=0)


def _per_frame(
    segments: Sequence[Segment], frames: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Spread each segment's acoustic cost over its frames; and say which frames are speech."""
    cost, speech = np.zeros(frames), np.zeros(frames, bool)
    for segment in segments:
        if segment.start_frame < 0 or segment.word == "(NULL)":
            continue
        first, last = segment.start_frame, min(segment.end_frame, frames - 1)
        loss = -math.log(segment.ascore) if segment.ascore > 0 else 9.0
        cost[first : last + 1] = loss / max(1, last - first + 1)
        if is_word(segment.word):
            speech[first : last + 1] = True
    return cost, speech
