"""How well the phrases explain a sound, against everyday words: the numbers, without a decoder."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest

from piopiy_lab.offline import booking_desk, rejection
from piopiy_lab.offline.phrases import PhraseBook
from piopiy_lab.offline.rejection import BACKGROUND_WORDS, first_look, second_look


class Segment(NamedTuple):
    """What PocketSphinx says of a word: both frames are part of it."""

    word: str
    start_frame: int
    end_frame: int
    ascore: float


def segments(*words):
    """Segments one after the other, from ``(word, frames, cost per frame)``."""
    made, at = [], 0
    for word, frames, cost in words:
        made.append(Segment(word, at, at + frames - 1, math.exp(-cost * frames)))
        at += frames
    return made


def sil(frames):
    return ("<sil>", frames, 0.001)


def test_what_the_grammar_explains_better_scores_below_zero_and_leaves_no_doubt():
    score, doubt = first_look(
        segments(sil(20), ("yes", 100, 0.002), sil(20)),
        segments(sil(20), ("if", 100, 0.004), sil(20)),
    )
    assert score < 0
    assert not doubt


def test_the_score_is_that_of_the_worst_0_8_seconds():
    ours = segments(("at", 100, 0.002), ("eight", 100, 0.006))
    theirs = segments(("if", 100, 0.004), ("great", 100, 0.004))
    score, doubt = first_look(ours, theirs)
    assert score == pytest.approx(0.002)
    assert not doubt, "on the whole they are even"


def test_a_short_utterance_is_diluted_at_the_first_look_and_leaves_a_doubt():
    score, doubt = first_look(segments(("eight", 40, 0.005)), segments(("great", 40, 0.004)))
    assert score == pytest.approx(0.0005)
    assert doubt


def test_speech_that_the_grammar_takes_for_silence_counts():
    ours = segments(("yes", 100, 0.002), sil(100))
    half = first_look(ours, segments(("if", 200, 0.002)))[0]
    none = first_look(ours, segments(("if", 100, 0.002), sil(100)))[0]
    assert half - none == pytest.approx(0.5 * rejection.UNCOVERED_WEIGHT)


def test_one_word_that_was_not_said_is_enough():
    ours = [("for", 60, 0.002), ("on", 3, 0.012), ("friday", 60, 0.002)]
    theirs = segments(*((word, frames, 0.002) for word, frames, _ in ours))
    score, _ = first_look(segments(*ours), theirs)
    assert score == pytest.approx(rejection.WORD_WEIGHT * 0.010)
    assert score > rejection.REJECTION_THRESHOLD


def test_the_second_look_is_over_the_words_and_not_the_silence_around_them():
    for around in (0, 10, 200):
        ours = segments(("<sil>", around, 0.9), ("friday", 40, 0.005), ("[NOISE]", around, 0.9))
        theirs = segments(("<sil>", around, 0.001), ("find", 40, 0.004), ("<sil>", around, 0.001))
        score = second_look([s for s in ours if s.end_frame >= s.start_frame], theirs)
        assert score == pytest.approx(rejection.SECOND_WEIGHT * 0.001)


def test_a_voice_that_is_strange_to_the_model_gets_the_benefit_of_the_doubt():
    def look(their_cost):
        ours = segments(("friday", 40, their_cost + 0.001))
        return second_look(ours, segments(("find", 40, their_cost)))

    limit = rejection.STRANGE_COST
    assert look(limit) == pytest.approx(look(limit - 0.003))
    assert look(limit + 0.002) < look(limit + 0.001) < look(limit)


def test_without_words_there_is_nothing_to_compare():
    assert first_look(segments(sil(30)), segments(sil(30))) == (0.0, False)
    assert second_look(segments(sil(30)), segments(("if", 30, 0.004))) == 0.0
    assert second_look([], []) == 0.0


def test_a_segment_without_a_likelihood_and_one_without_a_word_do_no_harm():
    null = Segment("(NULL)", -1, -1, 1.0)
    hopeless = Segment("yes", 0, 99, 0.0)
    score, doubt = first_look([null, hopeless], segments(("if", 100, 0.004)))
    assert math.isfinite(score)
    assert doubt


def test_the_background_has_none_of_the_booking_desks_words():
    desk = booking_desk()
    assert len(set(BACKGROUND_WORDS)) == len(BACKGROUND_WORDS) == 120
    assert not PhraseBook(desk.phrases, desk.slots).words & set(BACKGROUND_WORDS)
