"""Word errors, and what a call cost: exactly, or not at all."""

from __future__ import annotations

import itertools

import pytest

from piopiy_lab.experiments.figures.usage import cost_of, without_price
from piopiy_lab.experiments.figures.word_errors import count_errors, word_errors

LLM = {"prompt_tokens": 100.0, "completion_tokens": 20.0}


def fewest_edits(said, heard):
    """The plain recursion."""
    if not said or not heard:
        return len(said) + len(heard)
    return min(
        fewest_edits(said[1:], heard) + 1,
        fewest_edits(said, heard[1:]) + 1,
        fewest_edits(said[1:], heard[1:]) + (said[0] != heard[0]),
    )


def test_word_errors_are_the_fewest_edits():
    words = "ab"
    texts = [t for size in range(4) for t in itertools.product(words, repeat=size)]
    for said, heard in itertools.product(texts, texts):
        assert count_errors(said, heard).errors == fewest_edits(said, heard)


def test_texts_are_compared_as_one_says_them():
    assert word_errors("A table for 2, at 7:30!", "a table for two at seven thirty").errors == 0
    one = word_errors("a table for two", "a cable two")
    assert str(one) == "50 % (2 of 4)"


@pytest.mark.parametrize(
    ("usage", "prices", "cost"),
    [
        ({"L": LLM}, {"L": {"tokens": 0.01}}, 1.2),
        ({"L": LLM}, {"L": {"prompt_tokens": 0.01, "completion_tokens": 0.1}}, 3.0),
        ({"L": LLM}, {"L": {"prompt_tokens": 0.01}}, None),
        ({"L": LLM, "T": {"characters": 50.0}}, {"L": {"tokens": 0.01}}, None),
        ({"L": LLM, "T": {"characters": 50.0}}, {"L": {"tokens": 0.01}, "T": {}}, 1.2),
        ({"S": {}}, {"S": {"audio_minutes": 0.5}}, 1.0),
        ({"S": {}}, {"S": {"characters": 0.5}}, None),
        ({}, {"S": {"audio_minutes": 0.5}}, None),
    ],
)
def test_a_cost_is_known_or_none_and_never_less(usage, prices, cost):
    found = cost_of(usage, 120.0, prices)
    assert found == (None if cost is None else pytest.approx(cost))


def test_the_services_without_a_price_are_named_once():
    usages = [{"L": LLM, "S": {}}, {"S": {}, "L": LLM}]
    assert without_price(usages, {"L": {"tokens": 1.0}}) == ["S"]
    assert without_price(usages, {"L": {}, "S": {}}) == []
