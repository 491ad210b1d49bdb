"""The recogniser remembers exactly: what is known is what the decoders would have said, as late."""

from __future__ import annotations

import numpy as np
import pytest

from piopiy_lab.offline import utterance
from piopiy_lab.offline.booking import booking_desk
from piopiy_lab.offline.lending import Borrowed
from piopiy_lab.offline.phrases import PhraseBook
from piopiy_lab.offline.recogniser import REJECTION_THRESHOLD, SAMPLE_RATE
from piopiy_lab.services.pure_memory import PureMemory, remembered
from piopiy_lab.sound.speech import AGENT_VOICE, CALLER_VOICE, synthesize

BOOK = PhraseBook(booking_desk().phrases, booking_desk().slots)
DOUBTFUL = "london"  # is looked at again, and rejected
SAID = ("a table for two tomorrow at seven", "yes please", "my name is anna", DOUBTFUL, "where is")


@pytest.fixture(scope="module")
def desk():
    borrowed = Borrowed(BOOK, {})
    yield borrowed.recogniser
    borrowed.give_back()


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """A memory that nothing was put into."""
    monkeypatch.setattr(utterance, "_answers", PureMemory(1000))


def clip(text, voice=CALLER_VOICE, *, hiss=0.0):
    quiet = np.zeros(4800, np.int16)
    spoken = synthesize(text, voice, sample_rate=SAMPLE_RATE).samples
    whole = np.concatenate([quiet, spoken, quiet])
    noise = np.random.default_rng(1).normal(0, hiss, len(whole)) if hiss else 0
    return np.rint(whole + noise).astype(np.int16)


def heard(listener, samples, *, piece=3200, drop_at=None, threshold=REJECTION_THRESHOLD):
    """Return all that a listener says of an utterance, pauses as they come."""
    said = []
    listener.begin(samples[:10000])
    for at in range(0, len(samples), piece):
        listener.feed(samples[at : at + piece])
        said.append(listener.partial())
    steps, pauses = listener.end_in_steps(threshold), 0
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return said, pauses, done.value, listener.snr_db
        pauses += 1
        if pauses == drop_at:
            listener.drop()


@pytest.mark.parametrize("voice", [CALLER_VOICE, AGENT_VOICE], ids=["caller", "agent"])
@pytest.mark.parametrize("hiss", [0.0, 80.0], ids=["clean", "noisy"])
def test_what_is_known_is_what_the_decoders_say(desk, monkeypatch, voice, hiss):
    clips = [clip(text, voice, hiss=hiss) for text in SAID]
    without = [heard(desk, samples) for samples in clips]
    if hiss:
        assert all(snr < 60 for *_, snr in without), "the mean is not the utterance's own"
    else:
        assert any(pauses for _, pauses, _, _ in without), "none was looked at again"
    with remembered():
        assert [heard(desk, samples) for samples in clips] == without  # all new
        monkeypatch.setattr(utterance, "_start", None)  # from here on no decoder is asked
        assert [heard(desk, samples) for samples in clips] == without


def test_the_beginning_may_be_known_and_the_rest_not(desk):
    one, other = clip("yes please"), clip("yes please")
    other[-8000:] = clip("tomorrow at eight")[-8000:]
    without = heard(desk, other)
    with remembered():
        heard(desk, one)
        known = utterance._answers.hits
        assert heard(desk, other) == without
        assert utterance._answers.hits > known


def test_a_decoder_that_has_begun_is_let_go_of_when_the_end_is_known(desk):
    samples = clip("yes please")
    without = heard(desk, samples)
    with remembered():
        heard(desk, samples, piece=len(samples))  # the whole is known, its parts are not
        assert heard(desk, samples) == without
    assert heard(desk, samples) == without


@pytest.mark.parametrize("known", [False, True])
def test_it_may_be_dropped_in_a_pause_of_its_second_look(desk, known):
    samples = clip(DOUBTFUL)
    with remembered():
        if known:
            heard(desk, samples)
        *_, result, _ = heard(desk, samples, drop_at=3)
        assert result is None
        whole = heard(desk, samples)  # what was broken off is not taken for an answer
    assert whole == heard(desk, samples)
    assert whole[1] > 3


def test_another_level_book_or_sample_is_another_question(desk):
    samples = clip(DOUBTFUL)
    with remembered():
        heard(desk, samples)
        for changed in (
            lambda: heard(desk, np.rint(samples * 0.5).astype(np.int16)),
            lambda: heard(desk, np.concatenate([samples, np.ones(1, np.int16)])),
        ):
            before = utterance._answers.misses
            changed()
            assert utterance._answers.misses > before
        for book, sounds in (
            (PhraseBook([*BOOK.phrases, "london bridge"], BOOK.slots), {}),
            (BOOK, {"anna": "AE N AH"}),
        ):
            other = Borrowed(book, sounds)
            before = utterance._answers.hits
            heard(other.recogniser, samples)
            assert utterance._answers.hits == before
            other.give_back()


def test_the_memory_is_bounded(desk, monkeypatch):
    monkeypatch.setattr(utterance, "_answers", PureMemory(5))
    with remembered():
        for text in SAID:
            heard(desk, clip(text))
    assert len(utterance._answers) == 5


def test_outside_of_simulations_nothing_is_remembered(desk):
    heard(desk, clip("yes please"))
    assert len(utterance._answers) == 0
