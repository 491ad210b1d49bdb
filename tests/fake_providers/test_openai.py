"""What a call makes of an OpenAI that is slow, broken, limited or refuses the key."""

from __future__ import annotations

import pytest
from cloud_desk import SAYS, Desk, errors_of, said

from piopiy_lab import Caller, events
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, ServiceError
from piopiy_lab.fake_providers import FakeOpenAI, Scenario

ASKS = Caller().hears_greeting().says(SAYS[0]).hears("what name", within=8).hears_reply()
AGAIN = Caller().hears_greeting().says(SAYS[0]).waits(4).says(SAYS[0]).hears("what name", within=6)


def run(scenario=None, caller=ASKS, **options):
    desk = Desk({"llm": scenario}, **options)
    return desk, desk.call(caller)


def test_a_slow_answer_is_in_the_llms_part_of_the_latency():
    _, call = run(Scenario.slow(first_byte=0.7))
    assert call.raise_for_error().turns[0].parts["llm"] == pytest.approx(0.7, abs=0.011)
    assert call.turns[0].total == pytest.approx(sum(call.turns[0].parts.values()), abs=0.001)


def test_a_tool_is_called_through_pieces_of_its_arguments():
    desk = Desk()
    call = desk.call().raise_for_error()
    (tool,) = call.tool_calls
    assert tool.arguments["party_size"] == 2  # an integer, as the request's schema wants
    asked = desk.openai.of("completion")[-1].message
    assert asked["messages"][-1]["role"] == "tool"
    assert asked["stream_options"] == {"include_usage": True}
    usage = [e.value for e in call.events if getattr(e, "name", "") == "completion_tokens"]
    assert usage
    assert min(usage) > 0


def test_a_barge_in_stops_the_stream():
    caller = (
        Caller()
        .hears_greeting()
        .says(SAYS[0])
        .interrupts("wait no make it friday", after=0.2)
        .hears("friday")
        .hears_reply()
    )
    desk, call = run(
        None, caller, hears={"script": (SAYS[0], "wait no make it friday")}, token_secs=0.25
    )
    call.raise_for_error()
    assert desk.openai.cancelled == 1
    cut = call.transcript[2]
    assert cut.interrupted
    assert "under" not in cut.text
    interruption = next(e for e in call.events if isinstance(e, events.AgentInterrupted))
    assert interruption.cause == "user"
    assert interruption.speaking


def test_an_answer_that_breaks_off_is_told_and_the_next_one_comes():
    desk, call = run(Scenario.drops_after(4), AGAIN, hears={"script": (SAYS[0], SAYS[0])})
    call.raise_for_error()
    (error,) = errors_of(call)
    assert error.source == "OpenAILLMService"
    assert "connection to the provider is broken" in error.remedy
    assert said(call, "assistant")[1] == "A table for"  # what came is spoken
    assert desk.openai.connections == 2


def test_garbage_is_told_and_the_call_goes_on():
    _, call = run(Scenario.malformed(2), ASKS)
    assert "not its protocol" in errors_of(call)[0].remedy
    assert not isinstance(call.error, ServiceError)  # the caller gave up; the call had gone on


def test_one_refusal_for_too_many_requests_is_waited_out():
    desk, call = run(Scenario.rate_limit(1))
    assert not errors_of(call.raise_for_error())
    assert call.turns[0].parts["llm"] == pytest.approx(1.0, abs=0.3)  # as retry-after says
    assert desk.openai.connections == 1


def test_a_rate_limit_that_stays_is_told_and_the_call_goes_on():
    _, call = run(Scenario.rate_limit(3), AGAIN, hears={"script": (SAYS[0], SAYS[0])})
    call.raise_for_error()
    (error,) = errors_of(call)
    assert "429" in error.message
    assert "higher limit" in error.remedy


def test_past_its_script_it_says_so():
    server = FakeOpenAI(["First."])
    assert server._answers.to([]).text == "First."
    assert "no line 2" in server._answers.to([]).text


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, ArgumentError, "either script"),
        ({"script": [3]}, ArgumentTypeError, "a text, or calls_tool"),
        ({"script": ["a"], "token_secs": -1}, ArgumentError, "seconds, 0 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        FakeOpenAI(**arguments)
