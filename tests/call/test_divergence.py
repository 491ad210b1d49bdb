"""Where two courses part: tools, floor, end, cues; never by their words. Pure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from piopiy_lab.call.course import Course, Exchange
from piopiy_lab.call.divergence import first_divergence
from piopiy_lab.call.tool_calls import ToolCall
from piopiy_lab.call.transcript_entries import Entry


def user(text, start):
    return Entry("user", text, start, start + 1)


def agent(text, start, *, cut=False):
    return Entry("assistant", text, start, start + 1, interrupted=cut)


def tool(name="book", start=4.0, **arguments):
    return ToolCall(name, arguments, 1, start)


def course(*exchanges, reason="caller_hung_up", **fields):
    return Course(tuple(exchanges), reason, False, 9.0, **fields)


GREETING = Exchange(0, 0.0, 2.0, (), (agent("Hello.", 0.0),))
ONE = Exchange(
    1, 2.0, 6.0, (user("a table", 2.0),), (agent("Booked.", 4.5),), (tool(name="book", party=2),)
)
TWO = Exchange(2, 6.0, 9.0, (user("bye", 6.0),), (agent("Goodbye.", 7.0),))
WAS = course(GREETING, ONE, TWO)


def test_the_same_course_in_other_words_is_no_divergence():
    other = replace(ONE, agent=(agent("It is booked.", 4.6),), start=2.1)
    assert first_divergence(WAS, course(GREETING, other, TWO)) is None


@pytest.mark.parametrize(
    ("tools", "now"),
    [
        ((), "no tool"),
        ((tool(name="book", party=3),), "book(party=3)"),
        ((tool(name="cancel", party=2),), "cancel(party=2)"),
    ],
)
def test_another_tool_call(tools, now):
    split = first_divergence(WAS, course(GREETING, replace(ONE, tools=tools), TWO))
    assert (split.turn, split.kind, split.was, split.now) == (1, "tool", "book(party=2)", now)


def test_one_tool_call_more():
    more = replace(ONE, tools=(*ONE.tools, tool(name="pay", start=5.0)))
    split = first_divergence(WAS, course(GREETING, more, TWO))
    assert (split.turn, split.at, split.was, split.now) == (1, 5.0, "no tool", "pay()")


def test_a_broken_floor():
    cut = replace(ONE, agent=(agent("Book", 4.5, cut=True),))
    split = first_divergence(WAS, course(GREETING, cut, TWO))
    assert (split.turn, split.kind, split.at) == (1, "floor", 5.5)
    assert split.was == "the agent was heard out"
    assert split.now == "the agent was broken into at 0:05.5"


def test_no_answer():
    split = first_divergence(WAS, course(GREETING, ONE, replace(TWO, agent=())))
    assert (split.turn, split.kind, split.now) == (2, "floor", "no answer to 'bye'")


def test_an_exchange_less_and_one_more():
    less = first_divergence(WAS, course(GREETING, ONE, reason="agent_ended"))
    assert (less.turn, less.kind) == (2, "end")
    assert less.now == "the agent ended the call at 0:09.0"
    more = first_divergence(course(GREETING, ONE), WAS)
    assert (more.turn, more.kind, more.now) == (2, "floor", "the caller's 'bye'")


def test_another_end():
    split = first_divergence(WAS, course(GREETING, ONE, TWO, reason="idle_timeout"))
    assert (split.kind, split.turn) == ("end", 2)
    assert split.now == "the call ended (idle timeout) at 0:09.0"
    failed = Course(WAS.exchanges, "error", True, 9.0)
    assert "with an error" in first_divergence(WAS, failed).now


def test_a_cue_that_did_not_come_counts_if_it_is_first():
    split = first_divergence(WAS, course(GREETING, ONE, TWO, missed=((6.5, "it did not come"),)))
    assert (split.turn, split.kind, split.now) == (2, "caller", "it did not come")
    cut = replace(ONE, agent=(agent("Book", 4.5, cut=True),))
    split = first_divergence(WAS, course(GREETING, cut, TWO, missed=((6.5, "late"),)))
    assert split.kind == "floor"


def test_what_may_still_come_is_not_missed():
    running = course(GREETING, replace(ONE, tools=(), agent=()), reason=None)
    assert first_divergence(WAS, running, so_far=True) is None
    assert first_divergence(WAS, running) is not None
    wrong = replace(ONE, tools=(tool(name="pay"),))
    assert first_divergence(WAS, course(GREETING, wrong), so_far=True).kind == "tool"


def test_turns_that_are_another_callers_are_not_compared():
    cut = replace(ONE, agent=(agent("Book", 4.5, cut=True),))
    other = course(GREETING, cut, replace(TWO, agent=()), reason="agent_ended")
    assert first_divergence(WAS, other, turns=2) is None  # the next turn may have cut it
    assert first_divergence(WAS, other, turns=3).turn == 1


@pytest.mark.parametrize("reason", ["hung_up", "cancelled", None])
def test_all_ways_of_hanging_up_are_one_end(reason):
    assert first_divergence(course(GREETING, ONE, TWO, reason=reason), WAS) is None


def test_what_a_call_from_elsewhere_does_not_tell_is_not_compared():
    known = course(GREETING, replace(ONE, tools=()), TWO, reason=None)
    now = replace(WAS, reason="idle_timeout")
    assert first_divergence(known, now).kind == "tool"
    assert first_divergence(replace(known, not_known=("tools",)), now).kind == "end"
    assert first_divergence(replace(known, not_known=("tools", "end_reason")), now) is None


def test_it_reads_as_a_sentence():
    split = first_divergence(WAS, course(GREETING, replace(ONE, tools=()), TWO))
    assert str(split) == "diverged at turn 1 (0:06.0), tool: was book(party=2), now no tool"
