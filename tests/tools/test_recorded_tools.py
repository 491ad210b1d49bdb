"""``RecordedTools``: what tools returned in a recorded call is given again, and none is run."""

from __future__ import annotations

import asyncio

import pytest
from door_calls import DOORS, KNOCK, OPEN_THE_DOOR, told
from test_doubles import BOOKS, RAN, REPLACE, bot_with_a_schema

from piopiy_lab import Call, Caller, events, offline_stack, simulate
from piopiy_lab.errors import ArgumentTypeError
from piopiy_lab.tools import RecordedTools, end_call, tool_options


@pytest.fixture(autouse=True)
def _nothing_ran():
    RAN.clear()


def told_by(call):
    """Everything that happened, what came in one instant in one order."""
    return sorted((event.at, event.to_json()) for event in call.events)


def door(secs=0.0, result="The door is open.", says=None, **options):
    async def open_door(params):
        RAN.append(params.args["room"])
        if says:
            await params.say(says)
        await asyncio.sleep(secs)
        if isinstance(result, Exception):
            raise result
        return result

    open_door.__doc__ = "Open a door."
    return tool_options(**options)(open_door) if options else open_door


def schema(handler):
    return {
        "name": "open_door",
        "description": "Open a door.",
        "parameters": {
            "properties": {"room": {"type": "string", "enum": ["kitchen", "garden"]}},
            "required": ["room"],
        },
    }, handler


@pytest.fixture
def again(run, doors):
    """Run a call, then the same without its tools; returns both, and the recorded tools."""

    def again(handler, caller=KNOCK, then=None, more=()):
        def set_up(agent):
            agent.add_tool(*schema(handler))

        create_session = doors(*more, set_up=set_up)
        was = run(create_session, caller)
        ran = list(RAN)
        tools = RecordedTools(was)
        now = run(create_session, then or caller, replace={"tools": tools})
        assert ran == RAN, "a tool was run again"
        return was, now, tools

    return again


CASES = {
    "at once": door(),
    "slow": door(1.2345),
    "data": door(0.1, {"door": "open", "floors": [1, None, 2.5]}),
    "nothing": door(0.1, None),
    "zero": door(0.1, 0),
    "fails": door(0.3, OSError("the door is jammed")),
    "says little": door(0.3, KeyError("room")),
    "too slow": door(9, timeout_secs=0.7),
    "with a filler": door(2.5, filler="One moment please.", filler_after_secs=0.5),
    "says something": door(1.0, says="Let me see."),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_call_without_its_tools_is_the_same_call(again, case):
    was, now, tools = again(CASES[case])
    assert now.raise_for_error().tool_calls == was.tool_calls
    assert told(now) == told(was)
    assert told_by(now) == told_by(was)
    assert (tools.misses, tools.unused) == ([], [])


def test_a_tool_that_was_cancelled_is_cancelled_again(again):
    caller = OPEN_THE_DOOR.waits(2).says("thank you").hears_reply()
    was, now, tools = again(door(20), caller)
    assert was.tool_calls[0].status == "cancelled"
    assert told_by(now) == told_by(was)
    assert tools.misses == []


def test_one_that_is_not_cancelled_this_time_is_a_miss(again):
    caller = OPEN_THE_DOOR.waits(2).says("thank you").hears_reply()
    _, now, tools = again(door(20), caller, OPEN_THE_DOOR.waits(9).hangs_up())
    (miss,) = tools.misses
    assert "it was cancelled (interrupted)" in miss.recorded
    assert now.tool_calls[0].status == "failed"


def test_a_tool_that_ends_the_call_ends_it_again(again):
    caller = Caller().hears_greeting().says("goodbye").waits(20)
    was, now, _ = again(door(), caller, more=[end_call])
    assert was.end_reason == now.end_reason == "agent_ended"
    assert told_by(now) == told_by(was)

    async def leaves(params):
        """End the call."""
        await asyncio.sleep(0.5)
        await params.end_call()
        return "bye"

    leaves.__name__ = "end_call"
    was, now, _ = again(door(), caller, more=[leaves])
    assert was.end_reason == now.end_reason == "agent_ended"
    assert now.tool_calls == was.tool_calls


def test_a_call_that_was_not_recorded_is_refused_and_never_made(again):
    kitchen = (
        Caller().hears_greeting().says("open the kitchen door").waits(9).hangs_up()
    )  # fmt: skip
    was, now, tools = again(door(), then=kitchen)
    assert RAN == ["garden"]
    (miss,) = tools.misses
    assert (miss.turn, miss.name, miss.arguments) == (1, "open_door", {"room": "kitchen"})
    assert miss.at == pytest.approx(now.tool_calls[0].start, abs=0.001)
    assert miss.recorded == "open_door(room='garden')"
    (result,) = told(now)
    assert result["error"] == (
        "open_door(room='kitchen') was not called when this was recorded: open_door(room='garden')."
        " The tool was not run."
    )
    assert [one.call for one in tools.unused] == was.tool_calls


def test_one_call_more_of_the_same_is_refused(again):
    twice = OPEN_THE_DOOR.hears_reply().says("open the garden door").waits(9).hangs_up()
    _, now, tools = again(door(), then=twice)
    (miss,) = tools.misses
    assert (miss.turn, miss.recorded) == (2, "it was, but not more than 1 time")
    assert [tool.status for tool in now.tool_calls] == ["returned", "failed"]


def test_the_same_call_twice_has_its_results_in_order(again):
    results = iter(["First.", "Second."])

    async def counts(params):
        return next(results)

    twice = OPEN_THE_DOOR.hears_reply().says("open the garden door").hears_reply()
    _, now, _ = again(counts, twice)
    assert [tool.result for tool in now.tool_calls] == ["First.", "Second."]


def test_no_tool_at_all_was_recorded(again):
    _, now, tools = again(door(), OPEN_THE_DOOR.hears_reply(), KNOCK)
    assert tools.misses == []
    was_silent = Caller().hears_greeting().hangs_up()
    RAN.clear()
    _, now, tools = again(door(), was_silent, OPEN_THE_DOOR.waits(9).hangs_up())
    assert tools.misses[0].recorded == "open_door was not called at all"
    assert now.tool_calls[0].status == "failed"


def test_each_simulation_begins_anew_shuffled_ones_too(run, doors):
    def set_up(agent):
        agent.add_tool(*schema(door()))

    create_session = doors(set_up=set_up)
    tools = RecordedTools.for_call(run(create_session))
    for seed in (None, 1, 2):
        call = run(create_session, replace={"tools": tools}, shuffle_seed=seed)
        assert call.raise_for_error().tool_calls[0].status == "returned"
        assert tools.misses == []
    assert RAN == ["garden"]


def test_of_a_saved_call(run, doors, tmp_path):
    def set_up(agent):
        agent.add_tool(*schema(door(0.25, OSError("the key is sk-" + "a1B2" * 10))))

    create_session = doors(set_up=set_up)
    was = run(create_session)
    was.save(tmp_path / "call")
    tools = RecordedTools(Call.load(tmp_path / "call"))
    now = run(create_session, replace={"tools": tools})
    assert now.raise_for_error().tool_calls == was.tool_calls
    assert RAN == ["garden"]


@pytest.mark.parametrize("fails", [False, True])
def test_of_a_bot(fails):
    async def real(params):
        RAN.append("real")
        await asyncio.sleep(0.5)
        if fails:
            raise OSError("no line to the book")
        await params.result_callback({"status": "booked", "reference": "12"})

    async def bot(runner_args):
        await bot_with_a_schema(runner_args)

    import test_doubles

    real_booking, test_doubles.real_booking = test_doubles.real_booking, real
    try:
        was = asyncio.run(simulate(bot, BOOKS, replace=REPLACE))
        assert RAN == ["real"]
        tools = RecordedTools(was)
        now = asyncio.run(simulate(bot, BOOKS, replace={**REPLACE, "tools": tools}))
    finally:
        test_doubles.real_booking = real_booking
    assert RAN == ["real"]
    assert now.tool_calls == was.tool_calls
    assert [e.message for e in now.events.of(events.ErrorOccurred)] == [
        e.message for e in was.events.of(events.ErrorOccurred)
    ]
    assert now.transcript == was.transcript


@pytest.mark.parametrize("given", ["calls/bad", 3, None, {"a": 1}])
def test_what_is_no_call_is_refused(given):
    with pytest.raises(ArgumentTypeError, match="give a call"):
        RecordedTools(given)


def close_window():
    """Close the window."""
    RAN.append("window")
    return "It is closed."


@pytest.mark.parametrize("form", ["none", "dict", "tuple", "a double", "a function"])
def test_a_replay_runs_no_tool_whatever_is_replaced(doors, run, form):
    def set_up(agent):
        agent.add_tool(*schema(door()))

    caller = OPEN_THE_DOOR.hears_reply().says("close the window").hears_reply()
    create_session = doors(close_window, set_up=set_up)
    was = run(create_session, caller)
    assert RAN == ["garden", "window"]
    double = {"close_window": lambda: "It is a double."}
    replace = {
        "none": None,
        "dict": {"stt": "screenplay"},
        "tuple": offline_stack(**DOORS),
        "a double": {"tools": double},
        "a function": {"tools": double.get},
    }[form]
    again = asyncio.run(was.replay(create_session, replace=replace)).call
    assert RAN == ["garden", "window"]
    doubled = "It is a double." if "a " in form else "It is closed."
    assert [tool.result for tool in again.tool_calls] == ["The door is open.", doubled]
