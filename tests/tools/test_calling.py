"""What becomes of a tool call: results, failures, time limits, fillers, interruptions, endings."""

from __future__ import annotations

import asyncio
import re

import pytest
from door_calls import KNOCK, OPEN_THE_DOOR, told
from session_settings import settle

from piopiy_lab import Caller, calls_tool, events, simulate
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, CallError
from piopiy_lab.session.call_control import TransferNews
from piopiy_lab.session.session import current_session
from piopiy_lab.session.transfer_order import TransferOrder
from piopiy_lab.tools import (
    ToolCallParams,
    end_call,
    tool_options,
    transfer_call,
    transfer_call_to,
)


def opens(secs=0.0, result="The door is open.", **options):
    async def open_door(room: str):
        """Open a door."""
        await asyncio.sleep(secs)
        if isinstance(result, Exception):
            raise result
        return result

    return tool_options(**options)(open_door) if options else open_door


# --- results -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "line"),
    [
        ({"door": "open", "floor": 2}, "door: open, floor: 2."),
        (0, "0."),
        ([], "Done."),
        (None, "Done."),
        (False, "That did not work."),
        ("It is open.", "It is open."),
    ],
)
def test_whatever_is_returned_is_the_result(doors, run, result, line):
    call = run(doors(opens(result=result)))
    call.raise_for_error()
    assert call.tool_calls[0].result == result
    assert call.tool_calls[0].status == "returned"
    assert call.transcript[-1].text == line


# --- failures ------------------------------------------------------------------------------------


def test_an_exception_is_a_result_that_the_llm_reads_and_an_event(doors, run):
    call = run(doors(opens(result=OSError("the door is jammed"))))
    call.raise_for_error()  # the call goes on
    (tool,) = call.tool_calls
    assert (tool.status, tool.error) == ("failed", "OSError: the door is jammed")
    assert told(call) == [{"error": "the door is jammed"}]
    (error,) = call.events.of(events.ErrorOccurred)
    assert re.fullmatch(
        r"the tool open_door failed at \w+\.py, line \d+, in \w+: raise \w+: "
        r"OSError: the door is jammed",
        error.message,
    ), "the user's own line"
    assert call.transcript[-1].text == "Sorry, that did not work. The door is jammed."


def test_an_exception_that_says_little_is_told_with_its_type(doors, run):
    call = run(doors(opens(result=KeyError("room"))))
    assert told(call) == [{"error": "KeyError: 'room'"}]


def test_a_key_in_an_exception_reaches_neither_the_llm_nor_the_log(doors, run):
    key = "sk-" + "a1" * 12
    call = run(doors(opens(result=RuntimeError(f"401 for key {key} of the provider"))))
    assert "401 for key [removed] of the provider" in told(call)[0]["error"]
    assert key not in "".join(event.to_json() for event in call.events)


def test_a_handler_that_raises_after_it_answered(doors, run):
    async def open_door(params, room: str):
        """Open a door."""
        await params.result_callback("It is open.")
        raise OSError("too late to matter")

    call = run(doors(open_door))
    call.raise_for_error()
    assert call.tool_calls[0].result == "It is open."
    assert any("too late" in e.message for e in call.events.of(events.ErrorOccurred))


def test_a_tool_that_takes_too_long_is_stopped_and_the_llm_is_told(doors, run):
    stopped = []

    @tool_options(timeout_secs=2)
    async def open_door(room: str):
        """Open a door."""
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(room)

    call = run(doors(open_door))
    call.raise_for_error()
    (tool,) = call.tool_calls
    assert tool.status == "failed"
    assert tool.error == "open_door did not finish within 2 s"
    assert tool.secs == pytest.approx(2.0, abs=0.01)
    assert told(call) == [{"error": "open_door did not finish within 2 s"}]
    assert stopped == ["garden"]
    assert "did not finish within 2 s" in call.transcript[-1].text


def test_a_timeout_of_the_handlers_own_is_an_exception_like_any(doors, run):
    call = run(doors(opens(result=TimeoutError("the lock did not answer"), timeout_secs=5)))
    assert call.tool_calls[0].error == "TimeoutError: the lock did not answer"


def test_without_a_word_a_tool_has_thirty_seconds(doors, run):
    caller = OPEN_THE_DOOR.hears("did not finish", within=40)
    call = run(doors(opens(60), idle_timeout_secs=0), caller)
    call.raise_for_error()
    assert call.tool_calls[0].secs == pytest.approx(30.0, abs=0.01)


def test_the_limit_of_add_tool_goes_before_the_functions(doors, run):
    slow = opens(60, timeout_secs=20)
    call = run(doors(set_up=lambda agent: agent.add_tool(slow, timeout_secs=1)))
    assert call.tool_calls[0].secs == pytest.approx(1.0, abs=0.01)


def test_pipecats_tool_options_are_kept(doors, run):
    from pipecat.adapters.llm.schemas.direct_function import tool_options as pipecats

    @pipecats(timeout_secs=1)
    async def open_door(params, room: str):
        """Open a door."""
        await asyncio.sleep(60)

    call = run(doors(open_door))
    assert call.tool_calls[0].error == "open_door did not finish within 1 s"


# --- meanwhile -----------------------------------------------------------------------------------


def test_a_slow_tool_has_a_filler_said(doors, run):
    slow = opens(4, filler="One moment, I am looking.", filler_after_secs=0.5)
    call = run(doors(slow))
    call.raise_for_error()
    (tool,) = call.tool_calls
    assert tool.status == "returned"
    assert call.transcript[-1].text == "One moment, I am looking. The door is open."
    assert told(call) == ["The door is open."]  # and the filler is not the LLM's
    assert "One moment" not in str(call.events.of(events.ContextSent)[-1].messages)
    (asked,) = [
        e for e in call.events.of(events.SpeechRequested) if e.text.startswith("One moment")
    ]
    assert asked.at == pytest.approx(tool.start + 0.5, abs=0.01)
    spoken = {word.text: word.at for word in call.events.of(events.WordSpoken)}
    assert spoken["looking."] < tool.end <= spoken["open."]


def test_a_quick_tool_has_none(doors, run):
    call = run(doors(opens(0.2, filler="One moment, I am looking.")))
    assert call.tool_calls[0].status == "returned"
    assert "One moment" not in call.transcript.text()


def test_a_handler_may_speak_itself(doors, run):
    async def open_door(params: ToolCallParams, room: str):
        """Open a door."""
        await params.say("One moment.")
        await asyncio.sleep(3)
        return "The door is open."

    call = run(doors(open_door))
    call.raise_for_error()
    assert call.transcript[-1].text == "One moment. The door is open."


# --- interruptions -------------------------------------------------------------------------------

STOP = (
    OPEN_THE_DOOR.expects_tool("open_door", room="garden")
    .waits(1).says("thank you").hears("welcome", within=8).waits(8)
)  # fmt: skip


def test_a_tool_cancelled_by_an_interruption_is_reported_as_such(doors, run):
    stopped = []

    async def open_door(room: str):
        """Open a door."""
        try:
            await asyncio.sleep(6)
        except asyncio.CancelledError:
            stopped.append(room)
            raise

    call = run(doors(open_door), STOP)
    call.raise_for_error()
    (tool,) = call.tool_calls
    assert (tool.status, tool.error) == ("cancelled", "interrupted")
    assert [e.cause for e in call.events.of(events.ToolCancelled)] == ["interrupted"]
    assert stopped == ["garden"]
    assert "CANCELLED" in str(call.events.of(events.ContextSent)[-1].messages)
    assert "open" not in call.transcript[-1].text


def test_one_that_is_not_cancelled_goes_on_and_its_result_comes_later(doors, run):
    call = run(doors(opens(6, cancel_on_interruption=False)), STOP)
    call.raise_for_error()
    (tool,) = call.tool_calls
    assert (tool.status, tool.result) == ("returned", "The door is open.")
    assert tool.secs == pytest.approx(6.0, abs=0.05)
    assert not call.events.of(events.ToolCancelled)
    texts = [entry.text for entry in call.transcript if entry.role == "assistant"]
    assert " ".join(texts).endswith("You are welcome. The door is open.")


# --- ending and transferring ---------------------------------------------------------------------

BYE = Caller().hears_greeting().says("goodbye").expects_tool("end_call").waits(20)
ME = (
    Caller().hears_greeting().says("thank you").expects_tool("transfer_call").waits(20)
)  # fmt: skip


def test_end_call_lets_the_goodbye_play_out(doors, run):
    call = run(doors(end_call), BYE)
    call.raise_for_error()
    assert call.end_reason == "agent_ended"
    last = call.transcript[-1]
    assert (last.text, last.interrupted) == ("Goodbye, and thank you for calling.", False)
    assert call.tool_calls[0].result == {"status": "ended"}
    assert call.events.of(events.AgentSpeechStopped)[-1].cause == "finished"
    assert last.end <= call.duration < last.end + 1


def test_a_caller_who_interrupts_the_goodbye_stays(doors, run):
    caller = (
        Caller().hears_greeting().says("goodbye").expects_tool("end_call")
        .interrupts("what is the weather", after=0.5).hears("sunny")
    )  # fmt: skip

    async def weather() -> str:
        """Tell the weather."""
        return "It is sunny."

    call = run(doors(end_call, weather), caller)
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"
    assert [(t.name, t.status) for t in call.tool_calls] == [
        ("end_call", "cancelled"),
        ("weather", "returned"),
    ]


def test_a_tool_of_ones_own_may_end_the_call(doors, run):
    async def open_door(params: ToolCallParams, room: str):
        """Open a door."""
        await params.say("It is open, goodbye.")
        await params.end_call()

    call = run(doors(open_door), OPEN_THE_DOOR.waits(20))
    call.raise_for_error()
    assert call.end_reason == "agent_ended"
    assert call.transcript[-1].text == "It is open, goodbye."


class Platform:
    """A phone platform's answers; ``news`` come through the room, (seconds, status, reason)."""

    def __init__(self, fail=None, news=((3, "completed", None),)):
        self.fail, self.news, self.asked, self.session = fail, news, [], None

    async def hang_up(self, reason=None):
        self.asked.append("hang_up")

    async def transfer(self, order):
        self.asked.append(order)
        if self.fail:
            raise self.fail
        for after, status, reason in self.news:
            told = TransferNews(status, "tr-1", reason)
            asyncio.get_running_loop().call_later(after, self.session.transfers.told, told)
        return "tr-1"


NUMBER = "+918012345678"


def transferring(doors, tool, platform=None, more=(), **arguments):
    def set_up(agent):
        settle(control=platform)
        if platform is not None:
            platform.session = current_session()

    return doors(
        tool, *more, set_up=set_up, replies={"thank you": calls_tool("transfer_call", **arguments)}
    )


def test_transfer_call_off_the_phone_is_an_event_and_the_call_ends(doors, run):
    session = transferring(
        doors, transfer_call, number="+91 80 1234 5678", announcement="I put you through."
    )
    call = run(session, ME)
    call.raise_for_error()
    assert call.end_reason == "agent_ended"
    assert call.transcript[-1].text == "I put you through."
    (asked,) = call.events.of(events.TransferRequested)
    assert (asked.to, asked.cause) == ("+918012345678", "tool")
    assert asked.at >= call.transcript[-1].end - 0.05
    assert call.events.of(events.TransferFinished)[0].status == "not_on_phone"
    assert call.tool_calls[0].result == {"status": "transferred", "number": "+918012345678"}


def test_transfer_call_on_the_phone_asks_the_platform(doors, run):
    platform = Platform()
    session = transferring(
        doors, transfer_call, platform, number=NUMBER, summary="Wants a door opened."
    )
    call = run(session, ME)
    call.raise_for_error()
    assert platform.asked == [TransferOrder(NUMBER, summary="Wants a door opened.")]
    assert call.events.of(events.TransferFinished)[0].status == "transferred"
    assert call.end_reason == "agent_ended"  # and nobody hangs the caller up
    (tool,) = call.tool_calls
    assert (tool.status, tool.result["status"]) == ("returned", "ringing")


def test_a_caller_who_is_being_transferred_goes_on_talking(doors, run):
    """The tool has returned: what they say cancels nothing, and the LLM knows how it came out."""
    news = ((0.5, "started", None), (9, "failed", "busy"))
    platform = Platform(news=news)
    caller = (
        Caller().hears_greeting().says("thank you").hears("stay on the line")
        .says("what is the weather").hears("sunny")
        .hears("their line is busy").says("what is the weather").hears("sunny").hangs_up()
    )  # fmt: skip

    async def weather() -> str:
        """Tell the weather."""
        return "It is sunny."

    session = transferring(doors, transfer_call, platform, more=(weather,), number=NUMBER)
    call = run(session, caller)
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"
    assert [t.status for t in call.tool_calls] == ["returned"] * 3
    messages = call.events.of(events.ContextSent)[-1].messages
    assert any("The transfer failed: busy" in str(m.get("content")) for m in messages)


def test_a_blind_transfer_of_a_tool_ends_the_call(doors, run):
    platform = Platform(news=())
    tool = transfer_call_to({"sales": NUMBER}, blind=True, caller_id="+918011112222")
    assert "summary" not in tool.properties
    call = run(transferring(doors, tool, platform, to="sales"), ME)
    call.raise_for_error()
    assert platform.asked == [TransferOrder(NUMBER, blind=True, caller_id="+918011112222")]
    assert call.end_reason == "agent_ended"
    assert call.tool_calls[0].result == {"status": "transferred", "to": "sales"}


def test_a_transfer_that_the_platform_refuses_is_told_to_the_llm(doors, run):
    from piopiy_lab.errors import CallControlError

    platform = Platform(CallControlError("nobody answered"))
    call = run(
        transferring(doors, transfer_call, platform, number=NUMBER),
        ME.hangs_up(),
    )
    call.raise_for_error()
    assert call.end_reason == "caller_hung_up"
    assert told(call) == [{"error": f"the transfer to {NUMBER} failed: nobody answered"}]
    assert "nobody answered" in call.transcript[-1].text


def test_a_transfer_to_what_is_no_number(doors, run):
    call = run(transferring(doors, transfer_call, number="Anna"), ME.hangs_up())
    call.raise_for_error()
    assert call.tool_calls[0].status == "failed"
    assert not call.events.of(events.TransferRequested)


def test_a_transfer_to_names_only(doors, run):
    tool = transfer_call_to({"sales": "+91 80 1234 5678", "reception": "sip:204@pbx.example.com"})
    assert tool.properties["to"]["enum"] == ["sales", "reception"]
    call = run(transferring(doors, tool, to="sales"), ME)
    call.raise_for_error()
    assert call.events.of(events.TransferFinished)[0].to == "+918012345678"
    call = run(transferring(doors, tool, to="+99999999"), ME.hangs_up())
    assert not call.events.of(events.TransferRequested)
    assert "sales, reception" in call.tool_calls[0].error


@pytest.mark.parametrize(
    ("numbers", "error"),
    [({}, ArgumentError), ({"sales": "x"}, ArgumentError), ({"": NUMBER}, ArgumentTypeError),
     ({"reception": "204"}, ArgumentError), (["204"], ArgumentTypeError),
     ({"sales": 204}, ArgumentTypeError)],
)  # fmt: skip
def test_bad_transfer_targets(numbers, error):
    with pytest.raises(error):
        transfer_call_to(numbers)


def test_a_tool_called_outside_of_a_call_of_ours():
    params = ToolCallParams("x", "1", {"a": 1}, None, None, None, None)
    assert params.args == {"a": 1}
    with pytest.raises(CallError, match=r"params.say\(\)"):
        asyncio.run(params.say("hello"))


def test_the_same_call_gives_the_same_events_every_time(doors):
    def once():
        slow = opens(2, filler="One moment.", filler_after_secs=0.5)
        call = asyncio.run(simulate(doors(slow, end_call), KNOCK.says("goodbye").waits(9)))
        return [event.to_json() for event in call.events]

    assert once() == once()
