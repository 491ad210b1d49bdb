"""What words are while the agent speaks, in five languages."""

from __future__ import annotations

import pytest

from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.listening.lexicon import LEXICONS, MIXED, Lexicon, find_lexicon, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mm-hmm.", ("mm", "hmm")),
        ("That’s right!", ("that's", "right")),
        ("[unclear: two]", ()),
        ("[unclear]", ()),
        ("yes [unclear: two people] please", ("yes", "please")),
        ("जी हाँ, ठीक है।", ("जी", "हाँ", "ठीक", "है")),
        ("சரிங்க", ("சரிங்க",)),
        ("  ", ()),
    ],
)
def test_words_are_words_in_any_script_and_unclear_has_none(text, words):
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("language", "text", "kind"),
    [
        ("en", "mm hmm", "backchannel"),
        ("en", "Mmmm", "backchannel"),
        ("en", "Hmmm, I see.", "backchannel"),
        ("en", "okay", "answer"),
        ("en", "oh okay", "answer"),
        ("en", "yes please", "answer"),
        ("en", "no", "stop"),
        ("en", "okay but make it seven", "stop"),
        ("en", "Stop!", "stop"),
        ("en", "hold on", "stop"),
        ("en", "no way", "backchannel"),
        ("en", "oh no no", "stop"),
        ("en", "okay thank you", "answer"),
        ("en", "that's right", "answer"),
        ("en", "that's wrong", "words"),
        ("en", "I see a table", "words"),
        ("en", "book it", "words"),
        ("en", "that sounds delicious", "backchannel"),
        ("en", "oh how lovely", "answer"),
        ("en", "how much is it", "stop"),
        ("en", "what a shame", "backchannel"),
        ("en", "Hmmmm goooood", "answer"),
        ("en", "[unclear: two]", None),
        ("hi", "हाँ जी", "answer"),
        ("hi", "अच्छा", "backchannel"),
        ("hi", "accha accha", "backchannel"),
        ("hi", "रुकिए", "stop"),
        ("hi", "मुझे टेबल चाहिए", "words"),
        ("ta", "சரி", "answer"),
        ("ta", "ம்ம்", "backchannel"),
        ("ta", "konjam irunga", "stop"),
        ("es", "Ajá", "backchannel"),
        ("es", "claro que sí", "answer"),
        ("es", "un momento", "stop"),
        ("es", "una mesa", "words"),
        ("de", "ach so", "backchannel"),
        ("de", "Ja, genau", "answer"),
        ("de", "Moment mal", "stop"),
        ("de", "einen Tisch", "words"),
    ],
)
def test_a_lexicon_tells_a_listener_from_somebody_who_takes_the_floor(language, text, kind):
    assert LEXICONS[language].judge(text) == kind


def test_the_beginning_of_a_phrase_may_become_a_backchannel():
    assert LEXICONS["en"].may_become("got")
    assert LEXICONS["en"].may_become("oh I")
    assert not LEXICONS["en"].may_become("table")
    assert not LEXICONS["en"].may_become("table got")


def test_english_as_it_is_heard_has_what_callers_mix_into_it():
    mixed = find_lexicon(MIXED["en"])
    assert mixed.judge("accha okay") == "answer"
    assert mixed.judge("seri") == "answer"
    assert mixed.judge("ruko") == "stop"


def test_several_languages_are_one_lexicon():
    both = find_lexicon(["en", "hi-IN"])
    assert both.judge("accha okay") == "backchannel" or both.judge("accha okay") == "answer"
    assert both.judge("ruko") == "stop"
    own = Lexicon(backchannels={"jawohl"}, stops={"schluss"})
    assert find_lexicon(own) is own
    assert own.judge("jawohl") == "backchannel"


@pytest.mark.parametrize("lists", LEXICONS.values(), ids=LEXICONS)
def test_no_backchannel_is_a_stop_word(lists):
    for phrase in lists.backchannels:
        assert lists.judge(phrase) in ("backchannel", "answer"), phrase


@pytest.mark.parametrize("wrong", [7, [], None, [7]])
def test_something_else_is_no_lexicon(wrong):
    with pytest.raises(ArgumentTypeError, match="give a language"):
        find_lexicon(wrong)


def test_a_language_without_words_names_those_that_there_are():
    with pytest.raises(ArgumentError, match="en, hi, ta, es, de"):
        find_lexicon("fr")
    with pytest.raises(ArgumentError, match="is no word"):
        Lexicon(backchannels={"..."})
    with pytest.raises(ArgumentTypeError, match="set of words"):
        Lexicon(backchannels="okay")
