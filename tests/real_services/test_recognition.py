"""What recognisers make of a neural voice, of espeak's and of people's, in the real pipeline."""

from __future__ import annotations

import os

import pytest
import real_weights
from real_desk import WHISPER
from recognised import SENTENCES, as_audio, book, recognise
from word_errors import WordErrors, word_errors

from piopiy_lab import Line

FEW = SENTENCES[:6]
#: Models on a busy machine take their time.
pytestmark = pytest.mark.timeout(400)


def test_a_neural_voice_is_understood_by_both(models, joe):
    said = [(text, joe.says(text)) for text in FEW]
    assert recognise(models, WHISPER, said).rate <= 0.08
    assert recognise(models, "offline", said).rate <= 0.08


def test_espeaks_voice_is_harder_for_whisper_than_for_a_phrase_list(models):
    said = [(text, text) for text in FEW]
    whisper = recognise(models, WHISPER, said).rate
    assert recognise(models, "offline", said).rate <= min(0.08, whisper)
    assert whisper <= 0.4


def test_people_are_understood_by_whisper_alone(models):
    people = [(one.text, as_audio(one.samples(), 16000)) for one in real_weights.human_speech()]
    if os.environ.get("PIOPIY_LAB_REQUIRE") == "all":
        assert len(people) == 10, "alsa-utils' eight and moonshine-voice's two"
    assert recognise(models, WHISPER, people).rate <= 0.15
    assert recognise(models, "offline", people).rate >= 0.5


def test_whisper_books_over_a_phone_line(models, joe):
    booked = book(models, WHISPER, joe.says, line=Line.phone(seed=1), seed=1)
    assert booked.booked
    assert booked.errors.rate <= 0.16
    assert (booked.answered, booked.cut) == (3, 0)


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("a table for two", "A table for 2.", 0),
        ("a table for two", "a table for three", 1),
        ("a table for two", "table two", 2),
        ("yes", "yes yes please", 2),
        ("", "hello", 1),
        ("my name is anna", "", 4),
    ],
)
def test_word_errors_are_the_fewest(said, heard, errors):
    assert word_errors(said, heard) == WordErrors(errors, len(said.split()))


def test_word_errors_add_up():
    both = WordErrors(1, 4) + WordErrors(0, 4)
    assert (both.rate, str(both)) == (0.125, "12 % (1 of 8)")
