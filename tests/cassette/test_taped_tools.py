"""Tools on a cassette: what they returned and did to the call, when; and none of them runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from taped import lines, run, sound

from piopiy_lab import Caller, VoiceAgent, calls_tool, events, offline_stack
from piopiy_lab.cassette import Cassette
from piopiy_lab.errors import CassetteError
from piopiy_lab.offline.llm import RuleLLMService

CALLER = Caller().hears_greeting().says("open the kitchen door").hears_reply()


class House:
    """A house with doors, whose tools count how often they ran."""

    def __init__(self):
        self.ran = []

    async def create_session(self):
        async def open_door(room: str):
            """Open a door."""
            self.ran.append(room)
            await asyncio.sleep(0.7)
            return {"door": room, "open": True}

        async def leave(params):
            """Leave the house."""
            self.ran.append("left")
            await params.say("Good bye.")
            await params.end_call()

        async def break_door(room: str):
            """Break a door."""
            self.ran.append("broken")
            raise ValueError(f"the {room} door is of steel")

        stt, llm, tts = offline_stack(
            phrases=[
                "open the {room} door",
                "break the {room} door",
                "thank you",
            ],
            slots={"room": ["kitchen", "garden"]},
            replies={
                "open the {room} door": calls_tool("open_door", room="{room}"),
                "break the {room} door": calls_tool("break_door", room="{room}"),
                "thank you": calls_tool("leave"),
            },
        )
        agent = VoiceAgent(
            instructions="Open doors.",
            greeting="Hello.",
            tools=[open_door, break_door, leave],
        )
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()


def play(house, caller, folder):
    recorded = run(house.create_session, caller, cassette=folder)
    ran = list(house.ran)
    assert ran
    played = run(house.create_session, caller, cassette=folder, record_mode="none")
    assert house.ran == ran
    assert played.end_reason == recorded.end_reason
    assert sorted(lines(played)) == sorted(lines(recorded))
    assert sound(played) == sound(recorded)
    return recorded, played


def test_a_tools_result_comes_after_its_recorded_time_and_it_does_not_run(tmp_path):
    recorded, played = play(House(), CALLER, tmp_path / "tape")
    (tool,) = played.tool_calls
    assert tool.result == {"door": "kitchen", "open": True}
    (called,), (returned,) = (
        played.events.of(events.ToolCalled),
        played.events.of(events.ToolReturned),
    )
    assert round(returned.at - called.at, 6) == 0.7


def test_a_tools_failure_is_played(tmp_path):
    caller = Caller().hears_greeting().says("break the kitchen door").hears_reply()
    recorded, played = play(House(), caller, tmp_path / "tape")
    (returned,) = played.events.of(events.ToolReturned)
    assert "of steel" in returned.error


def test_a_tool_that_ends_the_call_ends_it_again(tmp_path):
    caller = CALLER.says("thank you").waits(10)
    recorded, played = play(House(), caller, tmp_path / "tape")
    assert played.end_reason == "agent_ended"
    assert played.transcript[-1].text == "Good bye."


def test_an_interruption_cuts_a_tool_off(tmp_path):
    caller = (
        Caller().hears_greeting().says("open the kitchen door").waits(1.2)
        .says("open the garden door").hears_reply()
    )  # fmt: skip
    play(House(), caller, tmp_path / "tape")


def test_a_tool_that_is_not_on_the_cassette_is_named_and_does_not_run(tmp_path):
    house = House()
    run(house.create_session, CALLER, cassette=tmp_path / "tape")
    path = tmp_path / "tape" / "cassette.jsonl"
    path.write_text(path.read_text().replace('"tool": "open_door"', '"tool": "shut_door"'))
    cassette = Cassette(tmp_path / "tape", "none")
    call = run(house.create_session, CALLER, cassette=cassette)
    assert house.ran == ["kitchen"]
    assert isinstance(call.error, CassetteError)
    (miss,) = cassette.misses
    assert (miss.kind, miss.turn, miss.asked) == ("tool", 1, "open_door(room='kitchen')")
    assert miss.recorded == "shut_door(room='kitchen')"


def test_two_tools_of_one_answer_are_played_side_by_side(tmp_path, monkeypatch):
    one_tool = RuleLLMService._call_tools

    async def two_tools(self, context, answer):
        calls = [
            replace(call, arguments={"room": room})
            for call in answer.calls
            for room in ("kitchen", "garden")
        ]
        await one_tool(self, context, replace(answer, calls=calls))

    monkeypatch.setattr(RuleLLMService, "_call_tools", two_tools)
    recorded, played = play(House(), CALLER, tmp_path / "tape")
    assert [tool.arguments["room"] for tool in played.tool_calls] == ["kitchen", "garden"]
