"""`RuleLLMService` between pipecat's context aggregators, as in a call without sound."""

import asyncio
import re
from contextlib import asynccontextmanager

import pytest
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    FunctionCallCancelFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMMessagesAppendFrame,
    LLMRunFrame,
    LLMTextFrame,
    MetricsFrame,
)
from pipecat.metrics.metrics import LLMUsageMetricsData, TTFBMetricsData
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators import async_tool_messages
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.workers.runner import WorkerRunner

from piopiy_lab.errors import ArgumentError
from piopiy_lab.offline.booking import booking_desk
from piopiy_lab.offline.history import history_of
from piopiy_lab.offline.llm import RuleLLMService, typed_arguments
from piopiy_lab.offline.replies import Heard, Said, ToolReturned, calls_tool
from piopiy_lab.offline.rules import RuleBook

WITHIN = 5.0  # seconds; generous, nothing here waits on purpose


def doors() -> RuleBook:
    return RuleBook(
        {
            "open the {room} door": calls_tool("open_door", room="{room}").says(
                "The {room} door is open."
            ),
            "tell me a story": "Once upon a time there was a door that nobody opened.",
            "thank you": "You are welcome.",
            "my name is {name}": lambda slots, state: state.update(slots) or "Hello.",
            "what is my name": lambda slots, state: state.get("name", "I do not know."),
        },
        slots={"room": ["kitchen", "garden"], "name": ["anna", "peter"]},
        opening="Hello, this is the door.",
    )


class Watch(FrameProcessor):
    """Passes frames on; tells who waits for them."""

    def __init__(self):
        super().__init__()
        self.seen: list[Frame] = []
        self.on_frame = None

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        self.seen.append(frame)
        await self.push_frame(frame, direction)
        if self.on_frame:
            await self.on_frame(frame)

    def of(self, kind):
        return [f for f in self.seen if isinstance(f, kind)]


class TextCall:
    """A call in text: what the agent says arrives in `lines`, one per answer."""

    def __init__(self, llm, messages=(), tools=()):
        self.llm = llm
        self.context = LLMContext(
            messages=list(messages), **({"tools": list(tools)} if tools else {})
        )
        pair = LLMContextAggregatorPair(self.context)
        self.watch = Watch()
        self.lines: asyncio.Queue[str] = asyncio.Queue()

        @pair.assistant().event_handler("on_assistant_turn_stopped")
        async def stopped(_, message):
            await self.lines.put(message.content)

        self.worker = PipelineWorker(
            Pipeline([pair.user(), llm, self.watch, pair.assistant()]),
            params=PipelineParams(enable_metrics=True, enable_usage_metrics=True),
            enable_rtvi=False,
            cancel_on_idle_timeout=False,
        )

    async def heard(self, text, role="user"):
        message = {"role": role, "content": text}
        await self.worker.queue_frame(LLMMessagesAppendFrame(messages=[message], run_llm=True))

    async def line(self):
        """The next line that isn't empty."""
        while True:
            line = await asyncio.wait_for(self.lines.get(), WITHIN)
            if line:
                return line

    async def says(self, text):
        await self.heard(text)
        return await self.line()


@asynccontextmanager
async def text_call(llm, **options):
    call = TextCall(llm, **options)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(call.worker)
    running = asyncio.create_task(runner.run())
    try:
        yield call
        await call.worker.queue_frame(EndFrame())
    except BaseException:
        await call.worker.cancel()
        raise
    finally:
        await asyncio.wait_for(running, WITHIN)


def open_door(result="ok"):
    async def handler(params):
        handler.arguments.append(dict(params.arguments))
        await params.result_callback(result)

    handler.arguments = []
    return handler


def test_an_answer_is_streamed_word_by_word_and_kept_in_the_context():
    async def main():
        async with text_call(RuleLLMService(doors())) as call:
            assert await call.says("thank you") == "You are welcome."
            assert [f.text for f in call.watch.of(LLMTextFrame)] == ["You", " are", " welcome."]
            kinds = [
                type(f)
                for f in call.watch.seen
                if isinstance(f, (LLMFullResponseStartFrame, LLMTextFrame, LLMFullResponseEndFrame))
            ]
            assert kinds == [
                LLMFullResponseStartFrame,
                *[LLMTextFrame] * 3,
                LLMFullResponseEndFrame,
            ]
            assert list(history_of(call.context)) == [Heard("thank you"), Said("You are welcome.")]

    asyncio.run(main())


def test_it_begins_the_conversation_when_asked_to():
    async def main():
        instructions = {"role": "system", "content": "You open doors."}
        async with text_call(RuleLLMService(doors()), messages=[instructions]) as call:
            await call.worker.queue_frame(LLMRunFrame())
            assert await call.line() == "Hello, this is the door."

    asyncio.run(main())


def test_a_tool_is_called_and_its_result_spoken():
    async def main():
        llm, handler = RuleLLMService(doors()), open_door()
        llm.register_function("open_door", handler)
        async with text_call(llm) as call:
            assert await call.says("open the garden door") == "The garden door is open."
            assert handler.arguments == [{"room": "garden"}]
            assert await call.says("Thank you!") == "You are welcome."
            assert list(history_of(call.context))[1] == ToolReturned(
                "open_door", {"room": "garden"}, "returned", "ok"
            )

    asyncio.run(main())


def test_a_tool_and_a_text_in_one_turn():
    async def main():
        llm = RuleLLMService(doors())
        llm.register_function("open_door", open_door())
        async with text_call(llm) as call:
            assert await call.says("open the garden door thank you") == "You are welcome."
            assert await call.line() == "The garden door is open."

    asyncio.run(main())


def test_a_tool_that_comes_with_the_context():
    async def main():
        handler = open_door({"error": "the key is lost"})
        schema = FunctionSchema(
            "open_door", "Open.", {"room": {"type": "string"}}, ["room"], handler
        )
        async with text_call(RuleLLMService(doors()), tools=[schema]) as call:
            said = await call.says("open the garden door")
            assert said == "Sorry, that did not work. The key is lost."

    asyncio.run(main())


def test_a_tool_that_nobody_registered_is_named():
    async def main():
        async with text_call(RuleLLMService(doors())) as call:
            said = await call.says("open the garden door")
            assert said == "Sorry, I can not do that: there is no tool called open door."

    asyncio.run(main())


def test_a_tool_that_raises():
    async def main():
        async def broken(params):
            raise RuntimeError("no hinges")

        llm = RuleLLMService(doors())
        llm.register_function("open_door", broken)
        async with text_call(llm) as call:
            assert await call.says("open the garden door") == "Sorry, that did not work."

    asyncio.run(main())


def test_a_tool_that_takes_too_long():
    async def main():
        async def slow(params):
            await asyncio.Event().wait()

        llm = RuleLLMService(doors(), function_call_timeout_secs=0.01)
        llm.register_function("open_door", slow)
        async with text_call(llm) as call:
            assert "open door took too long" in await call.says("open the garden door")

    asyncio.run(main())


def test_a_tool_that_an_interruption_stops_is_not_talked_about():
    async def main():
        started = asyncio.Event()

        async def slow(params):
            started.set()
            await asyncio.Event().wait()

        llm = RuleLLMService(doors())
        llm.register_function("open_door", slow)
        async with text_call(llm) as call:
            await call.heard("open the garden door")
            await asyncio.wait_for(started.wait(), WITHIN)
            await call.worker.queue_frame(InterruptionFrame())
            assert await call.says("thank you") == "You are welcome."
            assert call.watch.of(FunctionCallCancelFrame)

    asyncio.run(main())


def test_an_interruption_stops_a_reply_in_mid_stream():
    async def main():
        async with text_call(RuleLLMService(doors(), token_delay=0.1)) as call:
            third_word = asyncio.Event()

            async def count(frame):
                if len(call.watch.of(LLMTextFrame)) == 3:
                    third_word.set()

            call.watch.on_frame = count
            await call.heard("tell me a story")
            await asyncio.wait_for(third_word.wait(), WITHIN)
            await call.worker.queue_frame(InterruptionFrame())
            assert await call.line() == "Once upon a"
            assert len(call.watch.of(LLMTextFrame)) == 3
            assert await call.says("thank you") == "You are welcome."

    asyncio.run(main())


def test_what_is_not_understood_is_answered_with_the_nearest():
    async def main():
        async with text_call(RuleLLMService(doors())) as call:
            assert "open the kitchen door" in await call.says("[unclear: open the kitchen door]")
            assert "You can say" in await call.says("sing a song")

    asyncio.run(main())


def test_one_service_serves_two_calls_that_do_not_know_each_other():
    async def main():
        llm = RuleLLMService(doors())
        async with text_call(llm) as call:
            assert await call.says("my name is anna") == "Hello."
            assert await call.says("what is my name") == "anna"
        async with text_call(llm) as call:
            assert await call.says("what is my name") == "I do not know."

    asyncio.run(main())


def test_a_service_works_again_after_a_cancelled_call_in_another_loop():
    llm, handler = RuleLLMService(doors(), token_delay=0.01), open_door()
    llm.register_function("open_door", handler)

    async def cancelled():
        async with text_call(llm) as call:
            await call.heard("tell me a story")
            await call.worker.cancel()

    async def again():
        async with text_call(llm) as call:
            assert await call.says("open the garden door") == "The garden door is open."

    asyncio.run(cancelled())
    asyncio.run(again())
    asyncio.run(again())
    assert len(handler.arguments) == 2


def test_memory_follows_the_context():
    async def main():
        async with text_call(RuleLLMService(doors())) as call:
            await call.says("my name is anna")
            call.context.get_messages()[0]["content"] = "my name is peter"
            assert await call.says("what is my name") == "peter"

    asyncio.run(main())


def test_delays_and_metrics():
    async def main():
        async with text_call(RuleLLMService(doors(), first_token_delay=0.05)) as call:
            await call.says("thank you")
        data = [d for f in call.watch.of(MetricsFrame) for d in f.data]
        (ttfb,) = [d.value for d in data if isinstance(d, TTFBMetricsData) and d.value]
        assert 0.05 <= ttfb < 1
        (usage,) = [d.value for d in data if isinstance(d, LLMUsageMetricsData)]
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (2, 3, 5)

    asyncio.run(main())


def test_an_error_in_a_reply_function_is_an_error_frame_and_the_call_goes_on():
    async def main():
        def broken(slots, state):
            raise RuntimeError("no idea")

        llm = RuleLLMService(RuleBook({"hello": broken, "thank you": "You are welcome."}))
        async with text_call(llm) as call:
            errors = asyncio.Queue()

            @call.worker.event_handler("on_pipeline_error")
            async def failed(_, frame):
                await errors.put(frame.error)

            await call.heard("hello")
            assert "no idea" in await asyncio.wait_for(errors.get(), WITHIN)
            assert await call.says("thank you") == "You are welcome."

    asyncio.run(main())


def test_the_booking_desk_brings_its_own_tool():
    async def main():
        desk = booking_desk()
        async with text_call(RuleLLMService(desk.rules(), tools=desk.tools)) as call:
            await call.says("a table for two tomorrow at seven my name is anna")
            said = await call.says("yes please")
            assert re.fullmatch(r"Your table is booked\. The reference is .+ anything else\?", said)

    asyncio.run(main())


def test_a_handler_of_the_users_own_takes_the_place_of_the_desks():
    async def main():
        desk, handler = booking_desk(), open_door("Booked by hand.")
        llm = RuleLLMService(desk.rules(), tools=desk.tools)
        async with text_call(llm) as call:  # first with the desk's own
            await call.says("a table for two tomorrow at seven my name is anna")
            await call.says("yes please")
        (schema,) = desk.tools
        schema = FunctionSchema(
            schema.name, schema.description, schema.properties, schema.required, handler
        )
        async with text_call(llm, tools=[schema]) as call:
            await call.says("a table for two tomorrow at seven my name is anna")
            assert (await call.says("yes please")).startswith("Booked by hand.")
        assert handler.arguments[0]["party_size"] == 2

    asyncio.run(main())


def test_an_asynchronous_tools_late_result_is_spoken():
    context = LLMContext(
        messages=[
            {"role": "user", "content": "open the garden door"},
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "open_door", "arguments": '{"room": "garden"}'},
                    }
                ],
            },
            async_tool_messages.build_started_message("call_1"),
        ]
    )
    rules = doors()
    assert rules.answer(list(history_of(context))).text == ""
    context.add_message({"role": "user", "content": [{"type": "text", "text": "thank you"}]})
    assert rules.answer(list(history_of(context))).text == "You are welcome."
    context.add_message({"role": "assistant", "content": "You are welcome."})
    context.add_message(async_tool_messages.build_intermediate_result_message("call_1", '"half"'))
    assert rules.answer(list(history_of(context))).text == "half."
    context.add_message(async_tool_messages.build_final_result_message("call_1", '"ok"'))
    assert rules.answer(list(history_of(context))).text == "half. The garden door is open."
    context.add_message(async_tool_messages.build_cancelled_message("call_1"))
    assert "could not finish" in rules.answer(list(history_of(context))).text


def test_arguments_get_the_types_of_the_schema():
    properties = {
        "size": {"type": "integer"},
        "weight": {"type": "number"},
        "inside": {"type": "boolean"},
        "day": {"type": "string"},
    }
    schema = FunctionSchema("book", "Book.", properties, [])
    said = {"size": "two", "weight": "2.5", "inside": "yes", "day": "two", "other": "three"}
    assert typed_arguments(said, schema) == said | {"size": 2, "weight": 2.5, "inside": True}
    assert typed_arguments({"size": "2.5"}, schema) == {"size": "2.5"}
    assert typed_arguments({"size": "many"}, None) == {"size": "many"}


def test_mistakes_are_named():
    with pytest.raises(ArgumentError, match=r"token_delay=-1: give seconds"):
        RuleLLMService(doors(), token_delay=-1)
    with pytest.raises(ArgumentError, match="'x' has no handler"):
        RuleLLMService(doors(), tools=[FunctionSchema("x", "", {}, [])])
