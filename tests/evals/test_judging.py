"""Judging by rules: what they decide, what they can't, and that they say what they are."""

from __future__ import annotations

import asyncio

import pytest
from pipecat.classifiers.base_classifier import ClassifierError, ScoreQuestion
from pipecat.evals.judge import EvalJudge

from piopiy_lab.evals import RuleClassifier, RuleJudge
from piopiy_lab.evals.criteria import find

CRITERIA = [
    ("confirms six o'clock for two", "Six o'clock for 2 people, is that right?", True),
    ("confirms six o'clock for two", "Seven o'clock for two, is that right?", False),
    ("asks for the name", "What name is it under?", True),
    ("asks for the name", "How can I help?", None),
    ("a table for twenty one", "A table for 21.", True),
    ("a table for twenty one", "A table for twenty.", False),
    ("says 'the table is booked'", "Yes: the  table is BOOKED.", True),
    ("says 'the table is booked'", "The booked table.", False),
    ("a booking for Oliver", "Booked, Oliver.", True),
    ("a booking for Oliver", "Booked, Olivia.", False),
    ("does not mention a price", "It is free.", True),
    ("does not mention a price", "The price is four.", False),
    ("never says 'sorry'", "Sorry, no.", False),
    ("says it is booked or confirmed", "That is confirmed.", True),
    ("the reply is courteous", "Go away.", None),
    # A "not" of what rules can't see is not met either.
    ("is not rude", "Go away, you idiot.", None),
    ("the bot is not rude to Oliver", "Go away, you idiot.", None),
    ("does not invent a price", "A table for two.", None),
    ("does not invent a price", "The price is four.", False),
    ("does not say anything rude", "Go away, you idiot.", None),
    ("does not mention a price", " ", None),
    ("no price is mentioned", "A table for two.", True),
    ("no price is mentioned", "The price is four.", False),
    ("without asking for the name", "Booked.", True),
    ("no more than one question is asked", "Name? Day? Time? One more question?", None),
    ("not more than two sentences", "Two sentences. Or three. More.", None),
    ("asks at most one question", "One question at most?", None),
    ("not only mentions the price", "The price is four.", True),
    ("not only mentions the price", "Booked.", None),
    # A "not" within a criterion.
    ("confirms a table and does not mention a price", "A table. The price is four.", False),
    ("confirms a table and does not mention a price", "A table.", True),
    ("confirms a table without being rude", "A table, you idiot.", None),
    ("says that the table is not free", "The table is free.", False),
    ("says that the table is not free", "The table isn't free.", True),
    ("the price is not mentioned", "The price is four.", False),
    ("says 'now or never'", "Now.", False),
    ('says "yes and don\'t worry, without fear"', "Yes.", False),
]


@pytest.mark.parametrize(("criterion", "said", "found"), CRITERIA)
def test_what_a_criterion_names_must_be_there(criterion, said, found):
    finding = find(criterion, said)
    assert finding.found is found
    assert finding.why


def judged(criterion, *said, judge=None):
    judge = judge or RuleJudge()
    judge.add_user_message("a table please")
    for text in said:
        judge.add_assistant_message(text)
    return asyncio.run(judge.evaluate(criterion))


def test_a_reply_is_judged_and_the_reason_says_that_it_was_rules():
    verdict = judged("asks for the name", "A table for two.", "What name is it under?")
    assert verdict.passed
    assert verdict.reason == "by rules, no LLM: there: name"
    verdict = judged("a table for three", "A table for two.")
    assert verdict.verdict == "no"
    assert verdict.reason == "by rules, no LLM: missing: 3"


def test_a_reply_that_looks_something_up_is_waited_for():
    assert judged("a table for two", "Let me check.").verdict == "continue"
    final = RuleJudge(allow_continue=False)
    assert judged("a table for two", "Let me check.", judge=final).verdict == "no"


def test_the_classifier_alone_serves_pipecats_judge():
    assert judged("asks for the name", "What name?", judge=EvalJudge(RuleClassifier())).passed


def test_a_not_that_rules_cannot_decide_is_never_met():
    for criterion in ("is not rude", "no more than one question is asked"):
        verdict = judged(criterion, "Go away, you idiot. Name? Day?")
        assert verdict.verdict == "no"
        assert verdict.reason.startswith("by rules, no LLM: rules ")


def test_a_call_is_judged_by_its_name_and_arguments():
    async def judged(criterion):
        judge = RuleJudge()
        return await judge.evaluate_call("book_table", {"name": "Oliver", "party": 2}, criterion)

    assert asyncio.run(judged("books for Oliver")).passed
    assert asyncio.run(judged("books a table for 3")).verdict == "no"


def test_a_whole_conversation_is_judged_and_what_rules_cannot_tell_gets_no_verdict():
    async def judged():
        judge = RuleJudge()
        judge.add_user_message("a table for two, my name is Anna")
        judge.add_assistant_message("A table for two, Oliver?")
        judge.add_tool_call('book_table({"name": "Oliver"})')
        judge.add_assistant_message("Booked.")
        criteria = {"who": "names Oliver", "polite": "the reply is courteous"}
        good = await judge.evaluate_run(criteria, "booked a table for Oliver")
        return good, await judge.evaluate_run({}, "booked a table for Anna")

    good, bad = asyncio.run(judged())
    assert good.goal.passed
    assert not bad.goal.passed  # the caller's own words are no proof
    assert [verdict.verdict for verdict in good.turns["who"]] == ["yes", "no"]
    assert "Oliver" in good.turns["who"][0].reason
    assert "missing: Oliver" in good.turns["who"][1].reason
    assert [verdict.verdict for verdict in good.turns["polite"]] == ["none", "none"]


def test_rules_give_no_scores():
    question = {"how": ScoreQuestion(instructions="How polite?", levels=["not", "very"])}
    with pytest.raises(ClassifierError, match="no scores"):
        asyncio.run(RuleClassifier().score("Hello.", question))
