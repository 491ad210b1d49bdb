"""What a call's code raises to end the process ends the call alone; a signal's is let through."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest
from pipecat.observers.base_observer import BaseObserver
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from piopiy_lab import Caller, VoiceAgent, calls_tool, events, offline_stack, simulate
from piopiy_lab.hosting.containment import contained, is_of_a_signal

REPLIES = {"open the door": calls_tool("open_door")}
CALLER = Caller().hears_greeting().says("open the door").waits(4).hangs_up()


class PanicError(BaseException):
    """No exception that anybody expects."""


def leave():
    sys.exit(7)


def stop():
    raise KeyboardInterrupt


def close():
    raise GeneratorExit


def panic():
    raise PanicError("all is lost")


RAISES = [leave, stop, panic, close]


def simulated(open_door=None, *, caller=CALLER, first=None, **action):
    """Run a call whose code raises; returns it."""

    async def create_session():
        stt, llm, tts = offline_stack(replies=REPLIES)
        tools = [] if open_door is None else [open_door]
        agent = VoiceAgent(instructions="x", greeting="Hello.", tools=tools)
        if first is not None:
            first(llm)
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True, **action)
        await agent.start()

    return asyncio.run(simulate(create_session, caller, record=False))


def ended_alone(call, raises):
    """Check that the call has ended as an error with the line that raised."""
    assert call.end_reason == "error"
    lines = {
        leave: "sys.exit(7)",
        stop: "raise KeyboardInterrupt",
        panic: "PanicError",
        close: "GeneratorExit",
    }
    (end,) = call.events.of(events.CallEnded)
    assert lines[raises] in end.error
    if raises not in (panic, close):
        with pytest.raises(Exception, match=f"in {raises.__name__}: "):
            call.raise_for_error()
        assert isinstance(call.error.__cause__, SystemExit | KeyboardInterrupt)
    str(call), call._repr_mimebundle_(), call.plot()


@pytest.mark.parametrize("raises", RAISES)
def test_in_a_tool(raises):
    async def open_door():
        """Open the door."""
        raises()

    ended_alone(simulated(open_door), raises)


@pytest.mark.parametrize("raises", RAISES)
def test_in_a_plain_tool_which_runs_in_a_thread(raises):
    def open_door():
        """Open the door."""
        raises()

    ended_alone(simulated(open_door), raises)


@pytest.mark.parametrize("raises", RAISES)
@pytest.mark.parametrize("waits", [False, True])
def test_in_a_task_that_a_tool_starts(raises, waits):
    async def work():
        await asyncio.sleep(0.1)
        raises()

    tasks = []

    async def open_door():
        """Open the door."""
        tasks.append(asyncio.create_task(work()))
        if waits:
            await tasks[0]
        return "opening"

    ended_alone(simulated(open_door), raises)


@pytest.mark.parametrize("raises", [leave, stop])
def test_in_a_callback(raises):
    async def open_door():
        """Open the door."""
        asyncio.get_running_loop().call_later(0.1, raises)
        return "opening"

    ended_alone(simulated(open_door), raises)


@pytest.mark.parametrize("raises", RAISES)
def test_in_an_observer(raises):
    class Observer(BaseObserver):
        async def on_push_frame(self, data):
            raises()

    ended_alone(simulated(observers=[Observer()]), raises)


@pytest.mark.parametrize("raises", RAISES)
@pytest.mark.parametrize("event", ["on_before_process_frame", "on_usable_changed"])
def test_in_an_event_handler(raises, event):
    def first(llm):
        async def handler(*_):
            raises()

        llm.add_event_handler(event, handler)
        if event == "on_usable_changed":  # one that pipecat runs as a task
            later = llm.process_frame

            async def process_frame(frame, direction):
                await llm.set_usable(False)
                await later(frame, direction)

            llm.process_frame = process_frame

    ended_alone(simulated(first=first), raises)


@pytest.mark.parametrize("raises", RAISES)
def test_in_a_turn_strategy(raises):
    class Start(VADUserTurnStartStrategy):
        async def process_frame(self, frame):
            raises()

    ended_alone(simulated(turn_strategies=UserTurnStrategies(start=[Start()])), raises)


@pytest.mark.parametrize("raises", RAISES)
def test_in_the_session_itself(raises):
    async def create_session():
        raises()

    ended_alone(asyncio.run(simulate(create_session, CALLER, record=False)), raises)


def test_an_error_that_crosses_a_task_of_the_agents_own_is_no_end_of_the_call():
    async def work():
        raise ValueError("no key")

    async def open_door():
        """Open the door."""
        try:
            await asyncio.create_task(work())
        except ValueError:
            return "by hand"

    call = simulated(open_door).raise_for_error()
    assert call.tool_calls[0].result == "by hand"


# --- an event and a log line ---------------------------------------------------------------------


def told_once(call, caplog, *words):
    """Check that the call went on, and that one event and one log line say what happened."""
    assert call.raise_for_error().end_reason == "caller_hung_up"
    told = [e.message for e in call.events.of(events.ErrorOccurred)]
    assert len(told) == 1, told
    assert all(word in told[0] for word in words), told
    (line,) = [r.getMessage() for r in caplog.records if r.name == "piopiy_lab.call"]
    assert all(word in line for word in words[:1]), line


def test_an_observer_that_raises_is_told_and_goes_on(caplog):
    seen = []

    class Observer(BaseObserver):
        async def on_push_frame(self, data):
            seen.append(data)
            raise ValueError("no frame of mine")

    told_once(
        simulated(observers=[Observer()]),
        caplog,
        "the observer Observer raised ValueError: no frame of mine",
        'raise ValueError("no frame of mine")',
    )
    assert len(seen) > 10


def test_an_observer_that_can_not_be_set_up(caplog):
    class Observer(BaseObserver):
        async def setup(self, *_):
            raise OSError("no file")

    told_once(simulated(observers=[Observer()]), caplog, "an observer's setup() raised OSError")


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_a_handler_that_raises(caplog, kind):
    def fails(*_):
        raise KeyError("room")

    async def fails_later(*_):
        raise KeyError("room")

    handler = fails_later if kind == "async" else fails
    call = simulated(first=lambda llm: llm.add_event_handler("on_before_process_frame", handler))
    told_once(call, caplog, f"the handler {handler.__name__}() of on_before_process_frame raised")


@pytest.mark.parametrize("kind", ["handler", "observer"])
def test_one_that_is_cancelled_from_inside_has_failed(caplog, kind):
    """It would take the task of the processor that calls it along."""

    async def waits(*_):
        work = asyncio.create_task(asyncio.sleep(1))
        work.cancel()
        await work

    class Observer(BaseObserver):
        async def on_push_frame(self, data):
            await waits()

    if kind == "observer":
        call = simulated(observers=[Observer()])
    else:
        call = simulated(first=lambda llm: llm.add_event_handler("on_before_push_frame", waits))
    told_once(call, caplog, "raised CancelledError", "await work")


def test_a_listener_of_the_events_that_raises_is_told_and_dropped(caplog):
    from piopiy_lab.session.session import current_session

    heard = []

    def fails(event):
        heard.append(event)
        raise ValueError("no room")

    call = simulated(first=lambda llm: current_session().log.subscribe(fails))
    told_once(call, caplog, "the listener fails() of")
    assert len(heard) == 1


class MuteError(Exception):
    """An exception that can't be read."""

    def __str__(self):
        raise RuntimeError("no words")


def test_a_handlers_exception_that_can_not_be_read(caplog):
    def fails(*_):
        raise MuteError

    call = simulated(first=lambda llm: llm.add_event_handler("on_before_process_frame", fails))
    told_once(call, caplog, "MuteError: (its __str__ raised RuntimeError)")


# --- exceptions that can't be read ---------------------------------------------------------------


def mute(*_):
    raise MuteError


def test_one_of_the_session_still_ends_its_call(capsys):
    async def create_session():
        raise MuteError

    call = asyncio.run(simulate(create_session, CALLER, record=False))
    assert call.end_reason == "error"
    assert isinstance(call.error, MuteError)
    assert call.events.of(events.CallEnded)[0].error.startswith("MuteError: (its __str__")
    str(call), call._repr_mimebundle_(), call.plot()


def test_one_of_a_turn_strategy_still_ends_its_call():
    class Start(VADUserTurnStartStrategy):
        async def process_frame(self, frame):
            raise MuteError

    call = simulated(turn_strategies=UserTurnStrategies(start=[Start()]))
    assert call.end_reason == "error"
    assert "the pipeline failed: MuteError: (its __str__ raised RuntimeError)" in str(call.error)


def test_a_turn_strategy_that_is_cancelled_from_inside_ends_its_call():
    class Start(VADUserTurnStartStrategy):
        async def process_frame(self, frame):
            work = asyncio.create_task(asyncio.sleep(1))
            work.cancel()
            await work

    call = simulated(turn_strategies=UserTurnStrategies(start=[Start()]))
    assert call.end_reason == "error"
    assert "the pipeline was cancelled from inside (test_containment.py" in str(call.error)


# --- signals -------------------------------------------------------------------------------------


def caught(raises):
    try:
        raises()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def interrupted():
    signal.raise_signal(signal.SIGINT)
    for _ in range(10):
        pass


def test_what_a_signal_raises_is_told_from_what_code_raises():
    assert is_of_a_signal(caught(interrupted))
    assert not is_of_a_signal(caught(stop))
    assert not is_of_a_signal(caught(leave))


def test_a_handler_of_the_users_own_is_told_too():
    class Server:
        def terminate(self, number, frame):
            sys.exit(0)

    before = signal.signal(signal.SIGTERM, Server().terminate)
    try:
        assert is_of_a_signal(caught(lambda: signal.raise_signal(signal.SIGTERM)))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not is_of_a_signal(caught(leave))


def test_ctrl_c_in_a_tool_reaches_the_user_and_the_call_is_closed(tmp_path):
    """As in a notebook, where Ctrl-C raises in whatever runs just then."""
    calls = []

    async def open_door():
        """Open the door."""
        from piopiy_lab.session.session import current_session

        calls.append(current_session().log)
        interrupted()

    async def create_session():
        stt, llm, tts = offline_stack(replies=REPLIES)
        agent = VoiceAgent(instructions="x", greeting="Hello.", tools=[open_door])
        await agent.Action(stt=stt, llm=llm, tts=tts, vad=True)
        await agent.start()

    async def cell():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        await simulate(create_session, CALLER, record=tmp_path / "call")

    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(cell())
    finally:
        signal.signal(signal.SIGINT, before)
    (end,) = calls[0].of(events.CallEnded)
    assert (end.reason, end.error) == ("cancelled", None)
    assert "CallEnded" in (tmp_path / "call" / "events.jsonl").read_text(encoding="utf-8")


# --- the loop ------------------------------------------------------------------------------------


def test_a_loops_own_task_factory_is_used_and_given_back():
    made = []

    def factory(loop, coro, **options):
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **options)

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        with contained(), contained():
            await asyncio.create_task(asyncio.sleep(0))
        assert loop.get_task_factory() is factory

    asyncio.run(main())
    assert made
