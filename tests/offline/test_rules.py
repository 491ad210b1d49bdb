"""Rules: what is answered to what, from the history alone."""

import pytest

from piopiy_lab.errors import ArgumentError, ArgumentTypeError, PhraseError
from piopiy_lab.offline.replies import Answer, Heard, Said, ToolReturned, calls_tool
from piopiy_lab.offline.rules import RuleBook
from piopiy_lab.offline.wording import (
    number_from_words,
    number_in_words,
    result_in_words,
    spoken_form,
)

SLOTS = {"room": ["kitchen", "garden"], "day": ["monday", "friday"]}
DOORS = {
    "open the {room} door": calls_tool("open_door", room="{room}").says("The {room} door is open."),
    "[on] {day} [please]": "You said {day}.",
    "thank you": "You are welcome.",
}


def doors(**options) -> RuleBook:
    return RuleBook(DOORS, slots=SLOTS, **options)


def reply(rules: RuleBook, *heard: str) -> str:
    return rules.answer([Heard(text) for text in heard]).text


def test_a_text_is_filled_with_what_was_heard():
    assert reply(doors(), "on friday please") == "You said friday."
    assert reply(doors(), "Friday!") == "You said friday."


def test_a_tool_is_called_with_what_was_heard():
    (call,) = doors().answer([Heard("open the garden door")]).calls
    assert (call.tool, dict(call.arguments)) == ("open_door", {"room": "garden"})


def test_arguments_may_have_any_name_and_any_value():
    call = calls_tool("tool", tool="{room}", name="x", say="y", count=2)
    assert dict(call.arguments) == {"tool": "{room}", "name": "x", "say": "y", "count": 2}


def test_the_most_specific_rule_wins_and_of_equals_the_first():
    rules = RuleBook(
        {
            "play {what}": "anything",
            "play some music": "exactly that",
            "play {what} now": "later in the list",
            "play some {kind}": "a kind",
        },
        slots={"what": ["some music", "some jazz"], "kind": ["jazz"]},
    )
    assert reply(rules, "play some music") == "exactly that"
    assert reply(rules, "play some jazz") == "a kind"
    assert reply(rules, "play some jazz now") == "later in the list"


def test_a_function_that_declines_leaves_the_turn_to_the_next_rule():
    def only_once(slots, state):
        if "met" in state:
            return None
        state["met"] = True
        return "Nice to meet you."

    rules = RuleBook({"hello": only_once, "(hello | good evening)": "Hello again."})
    history = [Heard("hello")]
    assert rules.answer(history).text == "Nice to meet you."
    history += [Said("Nice to meet you."), Heard("hello")]
    assert rules.answer(history).text == "Hello again."


def test_memory_comes_from_the_history_so_an_edited_history_counts():
    def count(slots, state):
        state["n"] = state.get("n", 0) + 1
        return f"That is {number_in_words(state['n'])}."

    rules = RuleBook({"count": count})
    history = [Heard("count"), Said("That is one."), Heard("count")]
    assert rules.answer(history).text == "That is two."
    assert rules.answer(history).text == "That is two."  # nothing was kept
    assert rules.answer(history[2:]).text == "That is one."


def test_two_sentences_in_one_turn_are_both_understood():
    answer = doors().answer([Heard("open the kitchen door thank you")])
    assert answer.text == "You are welcome."
    assert [call.arguments["room"] for call in answer.calls] == ["kitchen"]


def test_messages_cut_apart_by_a_pause_are_understood_together():
    assert doors().answer([Heard("open the"), Heard("garden door")]).calls[0].tool == "open_door"


def test_of_several_unanswered_messages_the_last_understood_is_answered():
    assert reply(doors(), "on monday", "on friday", "blah") == "You said friday."
    assert reply(doors(), "on monday", "[unclear]") == "You said monday."


def test_unclear_speech_beside_a_clear_sentence_is_passed_over():
    assert reply(doors(), "[unclear: thank you] on friday") == "You said friday."


def test_what_no_rule_allows_is_answered_with_the_nearest():
    said = reply(doors(), "please open the kitchens door")
    assert said == "Sorry, I did not get that. You can say: open the kitchen door."
    assert "thank you" in reply(doors(), "[unclear: thank you]")


def test_with_nothing_near_it_offers_examples():
    said = reply(doors(), "what is the weather like")
    assert said == (
        "Sorry, I did not get that. You can say: open the kitchen door, or: on monday please."
    )
    assert reply(doors(), "[unclear]") == said


def test_a_word_too_many_is_not_forced_onto_a_rule():
    assert not doors().answer([Heard("do not open the kitchen door")]).calls


def test_the_fallback_can_be_a_text_or_a_function():
    assert reply(doors(fallback="What?"), "blah") == "What?"
    offers = doors(fallback=lambda nearest, state: f"{list(nearest)} {dict(state)}")
    assert reply(offers, "[unclear: thank you]") == "['thank you'] {}"


def test_a_phrase_without_a_reply_says_so():
    rules = RuleBook({}, phrases=["good morning"])
    assert reply(rules, "Good morning") == "I heard: Good morning. I have no reply for that."


def test_the_opening_begins_a_conversation_and_a_run_without_news_offers_help():
    rules = doors(opening="Hello there.")
    assert rules.answer([]).text == "Hello there."
    assert rules.answer([Said("Welcome.")]).text == "Hello there."
    assert rules.answer([Heard("thank you"), Said("You are welcome.")]).text.startswith("Sorry")


def returned(result, status="returned", tool="open_door"):
    return ToolReturned(tool, {"room": "kitchen"}, status, result)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ("ok", "The kitchen door is open."),
        ({"state": "ajar"}, "The kitchen door is open."),
        ({"error": "it is locked"}, "Sorry, that did not work. It is locked."),
        (
            "The function `open_door` is not currently available.",
            "Sorry, I can not do that: there is no tool called open door.",
        ),
        ("The function `open_door` failed and returned no result.", "Sorry, that did not work."),
    ],
)
def test_a_tools_result_is_said(result, said):
    history = [Heard("open the kitchen door"), returned(result)]
    assert doors().answer(history) == Answer(said)


def test_nothing_is_said_while_a_tool_runs_and_a_stopped_one_is_owned_up_to():
    asked = [Heard("open the kitchen door")]
    assert doors().answer([*asked, returned(None, "running")]) == Answer()
    assert "could not finish" in doors().answer([*asked, returned(None, "cancelled")]).text


def test_a_line_that_names_what_the_result_lacks_gives_way_to_the_results_own_words():
    rules = RuleBook({"go": calls_tool("open_door").says("Code {code}.")})
    assert rules.answer([Heard("go"), returned({"code": 12})]).text == "Code 12."
    assert rules.answer([Heard("go"), returned({"status": "shut"})]).text == "status: shut."


def test_a_result_that_came_while_somebody_spoke_is_said_later_and_once():
    history = [Heard("open the kitchen door"), returned("ok"), Heard("thank you")]
    both = "The kitchen door is open. You are welcome."
    assert doors().answer(history).text == both
    assert doors().answer([*history, Said("You are welcome.")]).text == "The kitchen door is open."
    assert doors().answer([*history, Said(both), Heard("on monday")]).text == "You said monday."


def test_a_line_that_was_cut_short_is_remembered_in_full():
    rules = RuleBook({"tell me": "One two three.", "repeat that": lambda slots, state: state.said})
    history = [Heard("tell me"), Said("One two"), Heard("repeat that")]
    assert rules.answer(history).text == "One two three."


@pytest.mark.parametrize(
    ("replies", "error", "message"),
    [
        ({"hello": "Hi {nmae}."}, ArgumentError, "'nmae'"),
        ({"open the {room} door": calls_tool("open", door="{raum}")}, ArgumentError, "'raum'"),
        ({"hello": "Hi {0.x}."}, ArgumentError, "plain names"),
        ({"hello": "Hi {."}, ArgumentError, "can't be read"),
        ({"hello": calls_tool("open door")}, ArgumentError, "'open door'"),
        ({"hello": 3}, ArgumentTypeError, "'hello' is 3"),
        (["hello"], ArgumentTypeError, "list"),
        ({"on {dya}": "x"}, PhraseError, "'dya'"),
        ({}, PhraseError, "empty"),
    ],
)
def test_mistakes_are_named_before_any_call(replies, error, message):
    with pytest.raises(error, match=message):
        RuleBook(replies, slots=SLOTS)


def test_a_reply_function_that_returns_something_else_is_named():
    rules = RuleBook({"hello": lambda slots, state: 3})
    with pytest.raises(ArgumentTypeError, match="returned 3"):
        reply(rules, "hello")


def test_typed_text_is_read_as_it_would_be_said():
    assert spoken_form("A table for 2, at 7:30 - or 8:00!") == (
        "a table for two at seven thirty or eight"
    )
    assert [number_from_words(w) for w in ("two", "forty-two", "7", "2.5", "many")] == [
        2,
        42,
        7,
        2.5,
        None,
    ]


def test_results_are_said_in_their_own_words():
    assert result_in_words({"table_size": 2, "days": ["monday", "friday"]}) == (
        "table size: 2, days: monday and friday."
    )
    assert [result_in_words(r) for r in (None, True, False, "Fine!", 3)] == [
        "Done.",
        "Done.",
        "That did not work.",
        "Fine!",
        "3.",
    ]
