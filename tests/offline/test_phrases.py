"""`PhraseBook`: what can be said, what was said, what is near, and what is refused."""

from __future__ import annotations

import itertools
import random

import pytest

from piopiy_lab.errors import ArgumentTypeError, PhraseError
from piopiy_lab.offline.booking import booking_desk
from piopiy_lab.offline.phrases import Match, PhraseBook, parse_unclear, unclear_text

SLOTS = {
    "party": ["one", "two", "three"],
    "day": ["Friday", "Saturday", "next Friday"],
    "time": ["two", "two thirty", "half past two"],
}


def book(*phrases: str, **slots: list[str]) -> PhraseBook:
    return PhraseBook(phrases, {**SLOTS, **slots})


def sentences(*phrases: str, **slots: list[str]) -> set[str]:
    """Every sentence of a small book, found by trying all texts of its words."""
    small = book(*phrases, **slots)
    words = sorted(small.words)
    return {
        " ".join(text)
        for n in range(1, 5)
        for text in itertools.product(words, repeat=n)
        if small.match(" ".join(text))
    }


# --- match ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phrase", "said"),
    [
        ("a b", {"a b"}),
        ("a [b]", {"a", "a b"}),
        ("a [b c]", {"a", "a b c"}),
        ("[a] b [c]", {"b", "a b", "b c", "a b c"}),
        ("a (b | c)", {"a b", "a c"}),
        ("a [b | c]", {"a", "a b", "a c"}),
        ("a | b c", {"a", "b c"}),
        ("a [b [c]]", {"a", "a b", "a b c"}),
        ("([a] b | c) d", {"b d", "a b d", "c d"}),
        ("(a)", {"a"}),
        ("a [b] [c]", {"a", "a b", "a c", "a b c"}),
    ],
)
def test_a_phrase_allows_these_sentences_and_no_others(phrase, said):
    assert sentences(phrase) == said


@pytest.mark.parametrize(
    "text",
    [
        "yes please it's anna at pm",
        "  Yes,   PLEASE! It\u2019s anna\u2014at p.m.  ",
        "\u00bfyes \u201cplease\u201d: it's 'anna' at P.M.?",
        "yes-please it's \u00c4nn\u00e0 at pm\n",
    ],
)
def test_case_punctuation_and_accents_do_not_matter(text):
    assert book("Yes, please. It's Anna at p.m.").match(text) == Match(
        "Yes, please. It's Anna at p.m."
    )


def test_a_slots_value_is_given_as_it_is_listed():
    found = book("a table [for {party}] on {day}").match("A table for TWO on next friday.")
    assert found == Match("a table [for {party}] on {day}", {"party": "two", "day": "next Friday"})


def test_a_slot_that_was_not_said_is_absent():
    found = book("a table [for {party}] on {day}").match("a table on friday")
    assert found is not None
    assert found.slots == {"day": "Friday"}


def test_of_two_spellings_of_a_value_the_first_counts():
    found = book("on {day}", day=["Fri-day", "fri day"]).match("on fri day")
    assert found is not None
    assert found.slots == {"day": "Fri-day"}


def test_values_that_run_into_each_other_are_told_apart():
    found = book("{party} {time}").match("two two thirty")
    assert found is not None
    assert found.slots == {"party": "two", "time": "two thirty"}


def test_the_phrase_given_first_wins():
    both = book("{party} please", "two please")
    assert both.match("two please") == Match("{party} please", {"party": "two"})


@pytest.mark.parametrize(
    "text", ["", "a", "table for two", "a table for two two", "x a table", "?"]
)
def test_anything_else_matches_nothing(text):
    assert book("a table for {party}").match(text) is None


def test_words_are_every_word_of_a_sentence():
    assert book("It's [a (table | desk)] {day}").words == set(
        "it's a table desk friday saturday next".split()
    )
    assert repr(book("yes [please]")) == "PhraseBook(1 phrases, 3 slots, 2 words)"


# --- the grammar ---------------------------------------------------------------------------------


def test_the_grammar_says_what_the_phrases_say():
    assert book("A table [for {party}]", "(yes | no) please [thank you | thanks]").jsgf() == (
        "#JSGF V1.0;\n"
        "grammar phrases;\n"
        "<slot_party> = one | two | three;\n"
        "public <sentence> = a table [for <slot_party>]\n"
        "  | (yes | no) please [thank you | thanks];\n"
    )


def test_equal_phrases_are_one_and_unused_slots_are_none():
    assert book("Yes!", "yes").jsgf() == (
        "#JSGF V1.0;\ngrammar phrases;\npublic <sentence> = yes;\n"
    )


def test_equal_books_give_equal_grammars_and_examples():
    desk = booking_desk()
    one, other = (PhraseBook(desk.phrases, desk.slots) for _ in range(2))
    assert one.jsgf() == other.jsgf()
    assert list(one.examples(100)) == list(other.examples(100))


# --- examples ------------------------------------------------------------------------------------


def test_examples_go_round_phrases_values_and_options():
    small = book("for {party} [please]", "(yes | no)")
    assert list(small.examples()) == ["for one please", "yes"]
    assert list(small.examples(6)) == [
        "for one please",
        "yes",
        "for two",
        "no",
        "for three please",
        "yes",
    ]
    assert list(small.examples(0)) == []


def test_every_example_can_be_said():
    desk = booking_desk()
    whole = PhraseBook(desk.phrases, desk.slots)
    said = list(whole.examples(200))
    assert len(said) == 200
    assert len(set(said)) > 100
    assert all(whole.match(sentence) for sentence in said)
    assert {word for sentence in said for word in sentence.split()} <= whole.words


# --- nearest -------------------------------------------------------------------------------------


def test_the_nearest_sentences_come_closest_first():
    small = book("a table for {party}", "thank you", "what times do you have")
    assert small.nearest("uh a table for three please", 1) == ["a table for three"]
    assert small.nearest("what time do you have") == [
        "what times do you have",
        "a table for three",
        "thank you",
    ]
    assert small.nearest("thank me", 2)[0] == "thank you"


def test_a_similar_spelling_is_nearer_than_another_word():
    assert book("open the kitchen", "open the garden").nearest("open the kitten", 1) == [
        "open the kitchen"
    ]


def test_what_can_be_said_is_nearest_to_itself():
    desk = booking_desk()
    whole = PhraseBook(desk.phrases, desk.slots)
    for sentence in whole.examples(60):
        assert whole.nearest(sentence, 1) == [sentence]


def test_nearest_gives_sentences_that_can_be_said_for_anything():
    small = book("[no] for {party} (people | of us)", "{day} [at {time}]")
    pick = random.Random(1)
    words = [*sorted(small.words), "banana", "2"]
    for _ in range(50):
        text = " ".join(pick.choices(words, k=pick.randrange(8)))
        near = small.nearest(text)
        assert len(near) == 2
        assert all(small.match(sentence) for sentence in near)


@pytest.mark.parametrize(("n", "count"), [(0, 0), (-1, 0), (1, 1), (2, 2), (99, 2)])
def test_nearest_gives_as_many_as_asked_for_and_there_are(n, count):
    assert len(book("yes", "no", "YES").nearest("hm", n)) == count


def test_nearest_to_nothing_is_the_shortest_thing_there_is():
    assert book("[well] hello there", "a b c").nearest("", 1) == ["hello there"]


# --- unclear -------------------------------------------------------------------------------------


def test_unclear_text_can_be_undone():
    assert unclear_text() == unclear_text("") == "[unclear]"
    assert unclear_text("four people please") == "[unclear: four people please]"
    assert parse_unclear("[unclear]") == ""
    assert parse_unclear(" [unclear: four people please] ") == "four people please"


@pytest.mark.parametrize("text", ["", "yes", "unclear", "[unclear] yes", "it is [unclear: x]"])
def test_an_ordinary_transcript_is_not_unclear(text):
    assert parse_unclear(text) is None


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phrase", "message"),
    [
        ("", "'' is empty"),
        (" - ", "is empty"),
        ("a [] b", "empty bracket"),
        ("a ()", "empty bracket"),
        ("a | ", "empty bracket or alternative"),
        ("a (b | | c)", "empty bracket or alternative"),
        ("[a] [b]", r"'\[a\] \[b\]' can be said by saying nothing"),
        ("([a] | b)", "can be said by saying nothing"),
        ("a [b", r"'a \[b' lacks a closing '\]'"),
        ("a (b", r"lacks a closing '\)'"),
        ("a b]", r"has an unbalanced '\]'"),
        ("a (b] c", r"has an unbalanced '\]'"),
        ("a b)", r"has an unbalanced '\)'"),
        ("for {party", r"has an unbalanced '\{'"),
        ("for party}", r"has an unbalanced '\}'"),
        ("for {people}", r"'for \{people\}' uses the slot 'people'.*listed: party, day, time"),
        ("for {}", "uses the slot ''"),
        ("{day} or {day}", "uses the slot 'day' twice.*'day_two'"),
        ("({day} | on {day})", "uses the slot 'day' twice"),
        ("at 7", "holds '7', which the recogniser can't pronounce: write the number in words"),
        ("the 2nd", "holds '2nd'"),
        ("a & b", "holds '&'"),
        ("100% sure", "holds '100%'"),
        ("five \u20ac", "holds '\u20ac'"),
        ("\u043f\u0440\u0438\u0432\u0435\u0442", "can't be pronounced"),
        ("a*b", r"and '\*' can't be pronounced"),
    ],
)
def test_a_bad_phrase_is_refused_and_named(phrase, message):
    with pytest.raises(PhraseError, match=message):
        book("yes", phrase)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("room", [], "the slot 'room' has no values"),
        ("room", ["kitchen", ""], "the value '' of the slot 'room' holds no words"),
        ("room", ["..."], "'...' of the slot 'room' holds no words"),
        ("room", ["room 7"], "the value 'room 7' of the slot 'room' holds"),
        ("room", ["a (b)"], "can't be pronounced"),
        ("my room", ["kitchen"], "the slot name 'my room' can't be used"),
        ("2", ["kitchen"], "the slot name '2'"),
        (2, ["kitchen"], "the slot name 2"),
        ("r\u00f6om", ["kitchen"], "the slot name"),
    ],
)
def test_a_bad_slot_is_refused_and_named(name, values, message):
    with pytest.raises(PhraseError, match=message):
        PhraseBook(["yes"], {name: values})


def test_no_slots_listed_says_so():
    with pytest.raises(PhraseError, match="listed: none"):
        PhraseBook(["for {party}"])


def test_no_phrases_are_refused():
    with pytest.raises(PhraseError, match="at least one phrase"):
        PhraseBook([])


@pytest.mark.parametrize(
    ("phrases", "slots", "message"),
    [
        ("yes", None, r"phrases is the string 'yes': give a list, \['yes'\]"),
        (["yes", 7], None, "phrases holds 7"),
        (None, None, "phrases is None: give a list"),
        (7, None, "phrases is 7: give a list"),
        (["yes"], {"day": "friday"}, r"slots\['day'\] is the string 'friday'"),
        (["yes"], {"day": [None]}, r"slots\['day'\] holds None"),
        (["yes"], {"day": None}, r"slots\['day'\] is None"),
        (["yes"], ["day"], r"slots is \['day'\]: give a dict"),
    ],
)
def test_a_wrong_type_is_refused_with_the_remedy(phrases, slots, message):
    with pytest.raises(ArgumentTypeError, match=message):
        PhraseBook(phrases, slots)
