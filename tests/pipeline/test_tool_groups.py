"""Several tools in one answer: one run of the LLM after the last result, whoever comes first."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from pipecat.frames.frames import (
    FunctionCallCancelFrame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    FunctionCallResultProperties,
    FunctionCallsStartedFrame,
)
from pipecat.services.openai.llm import OpenAILLMService

from piopiy_lab import Caller, VoiceAgent, calls_tool, events, offline_stack, simulate
from piopiy_lab.fake_providers import FakeOpenAI
from piopiy_lab.offline.rules import RuleBook
from piopiy_lab.pipeline.tool_groups import ToolGroups

#: The rules of a model that calls two or three tools at once, in the order of the words.
REPLIES = {
    "book it": calls_tool("book").says("It is booked."),
    "send me a message": calls_tool("text_message").says("The message is sent."),
    "ring the bell": calls_tool("nobody"),
}
BOTH = "book it send me a message"


def tool(name, secs=0.0, fails=False, run_llm=None):
    async def handler(params):
        await asyncio.sleep(secs)
        if fails:
            raise OSError("the line is down")
        properties = FunctionCallResultProperties(run_llm=run_llm)
        await params.result_callback({"said": name}, properties=properties)

    handler.__name__ = name
    handler.__doc__ = f"Do {name}."
    return handler


def asked(said, *tools, llm=None):
    """Let a caller ask for tools; returns the call."""

    async def create_session():
        stt, rules, tts = offline_stack(replies=REPLIES)
        agent = VoiceAgent(instructions="x", greeting="Hello.", tools=list(tools))
        async with FakeOpenAI(rules=RuleBook(REPLIES)) as server:
            given = rules if llm is None else llm(api_key=server.key, base_url=server.base_url)
            await agent.Action(stt=stt, llm=given, tts=tts, vad=True)
            await agent.start()

    caller = Caller().hears_greeting().says(said).waits(6).hangs_up()
    call = asyncio.run(simulate(create_session, caller, replace={"stt": "screenplay"}))
    return call.raise_for_error()


def results_read(call):
    """What the LLM read of the tools in each of its runs after the first."""
    first, *later = [
        [m["content"] for m in sent.messages if m["role"] == "tool"]
        for sent in call.events.of(events.ContextSent)
    ]
    assert not first
    return later


@pytest.mark.parametrize(("first", "second"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (0.5, 1.0)])
def test_the_llm_is_run_once_after_the_last_result(first, second):
    call = asked(BOTH, tool("book", first), tool("text_message", second))
    assert results_read(call) == [['{"said": "book"}', '{"said": "text_message"}']]
    assert len(call.events.of(events.LLMResponseStarted)) == 2


@pytest.mark.parametrize("fails", ["book", "text_message"])
def test_a_tool_that_fails_counts(fails):
    tools = [tool("book", 0.0, fails == "book"), tool("text_message", 1.0, fails != "book")]
    (read,) = results_read(asked(BOTH, *tools))
    assert sum("the line is down" in result for result in read) == 1


@pytest.mark.parametrize("said", ["ring the bell book it", "book it ring the bell"])
@pytest.mark.parametrize("secs", [0.0, 1.0])
def test_a_tool_that_is_unknown_counts(said, secs):
    (read,) = results_read(asked(said, tool("book", secs), tool("text_message")))
    assert sum("nobody" in result for result in read) == 1
    assert '{"said": "book"}' in read


def test_a_model_that_runs_its_tools_one_after_the_other():
    def one_by_one(**given):
        return OpenAILLMService(run_in_parallel=False, **given)

    tools = [tool("book", 0.3), tool("text_message", 0.3)]
    (read,) = results_read(asked(BOTH, *tools, llm=one_by_one))
    assert read == ['{"said": "book"}', '{"said": "text_message"}']


def test_a_model_that_was_made_to_be_run_for_each_result_is():
    def each(**given):
        return OpenAILLMService(group_parallel_tools=False, **given)

    call = asked(BOTH, tool("book"), tool("text_message", 3.0), llm=each)
    assert len(results_read(call)) == 2


def test_a_last_result_that_wants_no_answer_does_not_keep_the_others_unanswered():
    tools = [tool("book"), tool("text_message", 1.0, run_llm=False)]
    assert len(results_read(asked(BOTH, *tools))) == 1


def test_a_timeout_is_a_result():
    groups = ToolGroups(lambda: False, lambda _: None)
    calls = [SimpleNamespace(tool_call_id=name) for name in ("a", "b")]
    groups.take(FunctionCallsStartedFrame(function_calls=calls))
    groups.take(
        FunctionCallInProgressFrame(
            function_name="a", tool_call_id="a", arguments={}, group_id="together"
        )
    )
    cut = FunctionCallCancelFrame(function_name="a", tool_call_id="a", run_llm=True)
    groups.take(cut)
    assert cut.run_llm is False  # its neighbour has not even begun
    result = FunctionCallResultFrame(
        function_name="b",
        tool_call_id="b",
        arguments={},
        result="done",
        properties=FunctionCallResultProperties(run_llm=False),
    )
    groups.take(result)
    assert result.properties.run_llm is True


def test_arguments_are_an_object_in_the_context():
    groups = ToolGroups(lambda: False, lambda _: None)
    for given, kept in ((["Paris"], {"arguments": ["Paris"]}), (None, {}), ({"a": 1}, {"a": 1})):
        frame = FunctionCallInProgressFrame(function_name="a", tool_call_id="a", arguments=given)
        groups.take(frame)
        assert frame.arguments == kept


def test_what_a_tool_of_the_services_own_returns_is_made_readable():
    async def handler(params):
        await params.result_callback({"rooms": (room for room in "ab")})

    def with_a_tool(**given):
        llm = OpenAILLMService(**given)
        llm.register_function("text_message", handler)
        return llm

    call = asked(BOTH, tool("book"), llm=with_a_tool)
    ((_, read),) = results_read(call)
    assert "text_message returned" in read
    (notice,) = [e.message for e in call.events.of(events.NoticeGiven) if "returned" in e.message]
    assert "it['rooms'] is a generator" in notice
