import asyncio
import pickle
import threading
from typing import Any

import numpy as np
import pytest

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.errors import (
    ArgumentError,
    ArgumentTypeError,
    CallEndedError,
    CallError,
    ServiceError,
)
from piopiy_lab.events.log import EventLog
from piopiy_lab.session import commands
from piopiy_lab.sound.recorder import Recorder
from piopiy_lab.sound.recording import Recording

RATE = 24000


class FakePort:
    """Takes commands down and ends the call when it is told to."""

    def __init__(self) -> None:
        self.commands: list[commands.Command] = []
        self.agent = object()
        self.services = {"stt": "fake stt", "llm": "fake llm"}
        self.error: BaseException | None = None
        self.loop_thread_ident: int | None = None

    def send(self, command: commands.Command) -> None:
        self.commands.append(command)


class Running:
    """A call that runs, with its log in hand."""

    def __init__(self) -> None:
        self.now = 1.0
        self.log = EventLog(lambda: self.now)
        self.recorder = Recorder(RATE)
        self.port = FakePort()
        self.call = Call(self.log, self.recorder, self.port, {"call_id": "sim-1"})

    def listen(self) -> None:
        self.log.append(ev.CallStateChanged(at=0.1, old="starting", new="listening"))

    def end(self, reason: str = "caller_hung_up", error: str | None = None) -> None:
        self.recorder.close(2.0)
        self.log.append(ev.CallStateChanged(at=2.0, old="listening", new="ended"))
        self.log.append(ev.CallEnded(at=2.0, reason=reason, error=error))
        self.log.close()


@pytest.fixture
def running() -> Running:
    return Running()


def test_a_call_moves_through_its_states(running: Running):
    call = running.call
    assert (call.state, call.end_reason, call.duration) == ("starting", None, 1.0)
    assert repr(call) == "<Call sim-1: starting, 1.0 s, 0 turns>"
    running.listen()
    assert call.state == "listening"
    running.log.append(ev.CallStateChanged(at=2.0, old="listening", new="ended"))
    assert call.state == "listening"  # not before everything is there
    running.end()
    assert (call.state, call.end_reason, call.duration) == ("ended", "caller_hung_up", 2.0)
    assert repr(call) == "<Call sim-1: ended (caller_hung_up), 2.0 s, 0 turns>"


def test_commands_reach_the_port_while_it_runs(running: Running):
    call = running.call
    call.say("Hello")
    call.user_says("two people")
    call.interrupt()
    call.tune(stop_secs=0.3)
    call.switch_service("llm")
    call.mute()
    call.transfer("+91 80 1234 5678")
    call.hang_up()
    assert running.port.commands == [
        commands.Say("Hello"),
        commands.UserSays("two people"),
        commands.Interrupt(),
        commands.Tune({"stop_secs": 0.3}),
        commands.SwitchService("llm"),
        commands.Mute(True),
        commands.Transfer("+918012345678"),
        commands.HangUp(),
    ]
    assert call.agent is running.port.agent
    assert call.services["stt"] == "fake stt"


def test_after_the_end_commands_say_so_and_hang_up_does_nothing(running: Running):
    running.end("idle_timeout")
    call = running.call
    told = [
        lambda: call.say("Hello"),
        lambda: call.user_says("two"),
        call.interrupt,
        lambda: call.tune(stop_secs=0.3),
        lambda: call.switch_service("llm"),
        call.mute,
        lambda: call.transfer("+918012345678"),
    ]
    for command in told:
        with pytest.raises(CallEndedError, match=r"sim-1 has ended \(idle_timeout\)"):
            command()
    call.hang_up()
    assert running.port.commands == []


def test_arguments_are_checked_at_once(running: Running):
    call = running.call
    with pytest.raises(ArgumentError, match=r"say\(\) was given '  '"):
        call.say("  ")
    with pytest.raises(ArgumentTypeError, match=r"user_says\(\) takes a text, not int 3"):
        call.user_says(3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="transfer to 'Anna': that is no number"):
        call.transfer("Anna")
    with pytest.raises(ArgumentError, match=r"tune\(\) was given no setting; .*stop_secs"):
        call.tune()
    with pytest.raises(CallError, match="a panel needs a notebook's kernel"):
        call.panel()
    with pytest.raises(ArgumentError, match=r"press\('12a'\): there is no key 'a'"):
        call.press("12a")
    assert running.port.commands == []


def test_the_error_is_the_exception_itself_while_we_have_it(running: Running):
    assert running.call.error is None
    assert running.call.raise_for_error() is running.call
    running.port.error = ServiceError("stt: no such key")
    running.end("error", "ServiceError: stt: no such key")
    assert running.call.error is running.port.error
    with pytest.raises(ServiceError, match="no such key"):
        running.call.raise_for_error()
    loaded = Call(running.log, running.recorder)
    with pytest.raises(CallError, match="ServiceError: stt: no such key"):
        loaded.raise_for_error()
    assert "no such key" in str(loaded)


def test_a_call_without_a_port_is_over(running: Running):
    running.log.append(
        ev.PipelineStarted(
            at=0.1,
            services={"stt": "FakeSTT"},
            vad=None,
            vad_params={},
            audio_in_sample_rate=16000,
            audio_out_sample_rate=RATE,
            greeting=None,
        )
    )
    call = Call(running.log, running.recorder, meta={"call_id": "c", "agent_id": "local"})
    assert call.state == "ended"
    assert call.agent is None
    assert call.services == {"stt": "FakeSTT"}
    assert call.agent_id == "local"
    assert call.from_number is call.to_number is call.metadata is call.folder is None
    with pytest.raises(CallEndedError):
        call.say("Hello")
    assert call.join() is call


def test_waiters_on_any_loop_are_released(running: Running):
    waiting = threading.Barrier(3, timeout=5)
    results: list[str | None] = []

    async def wait(after: asyncio.Event | None = None) -> None:
        task = asyncio.ensure_future(running.call.wait())
        await asyncio.sleep(0)
        waiting.wait()
        results.append((await task).end_reason)

    threads = [threading.Thread(target=lambda: asyncio.run(wait())) for _ in range(2)]
    for thread in threads:
        thread.start()
    waiting.wait()
    running.end()
    for thread in threads:
        thread.join(5)
    assert results == ["caller_hung_up"] * 2
    assert asyncio.run(running.call.wait()) is running.call  # and again after the end


def test_a_cancelled_waiter_leaves_the_call_and_the_others_alone(running: Running):
    async def main() -> None:
        one, two = (asyncio.ensure_future(running.call.wait()) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.sleep(0)
        assert not two.done()
        running.end()
        assert await two is running.call
        assert one.cancelled()

    asyncio.run(main())
    assert running.port.commands == []


def test_a_waiter_whose_loop_is_gone_is_in_nobodys_way(running: Running):
    loop = asyncio.new_event_loop()
    waiter = loop.create_task(running.call.wait())
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    running.end()
    assert running.call.join() is running.call
    waiter._log_destroy_pending = False  # type: ignore[attr-defined]  (left pending on purpose)
    waiter.get_coro().close()  # type: ignore[union-attr]


def test_join_returns_the_call_or_times_out(running: Running):
    with pytest.raises(TimeoutError, match=r"sim-1 was not over after 0\.001 s"):
        running.call.join(timeout=0.001)
    running.end()
    assert running.call.join() is running.call


def test_join_refuses_to_wait_for_itself(running: Running):
    running.port.loop_thread_ident = threading.get_ident()
    with pytest.raises(CallError, match=r"await call\.wait\(\)"):
        running.call.join()
    running.end()
    assert running.call.join() is running.call


def test_ctrl_c_in_join_hangs_up(running: Running, monkeypatch: pytest.MonkeyPatch):
    waits: list[float | None] = []

    def block(timeout: float | None = None) -> bool:
        waits.append(timeout)
        if len(waits) == 1:
            raise KeyboardInterrupt
        return True

    monkeypatch.setattr(running.call._over, "block", block)
    with pytest.raises(KeyboardInterrupt):
        running.call.join()
    assert running.port.commands == [commands.HangUp()]
    assert waits == [None, 5.0]


def test_tool_calls_tell_how_they_stand(running: Running):
    def tools() -> list[tuple[str, str, Any, Any]]:
        return [(t.name, t.status, t.result, t.error) for t in running.call.tool_calls]

    for number, name in enumerate(("book", "fail", "slow", "hang"), 1):
        running.log.append(ev.ToolCalled(at=1.0, name=name, arguments={"n": 2}, number=number))
    running.log.append(ev.ToolReturned(at=1.2, name="book", number=1, result={"ok": True}))
    running.log.append(ev.ToolReturned(at=1.3, name="fail", number=2, result=None, error="no"))
    running.log.append(ev.ToolCancelled(at=1.4, name="slow", number=3, cause="timeout"))
    assert tools() == [
        ("book", "returned", {"ok": True}, None),
        ("fail", "failed", None, "no"),
        ("slow", "cancelled", None, "timeout"),
        ("hang", "running", None, None),
    ]
    assert running.call.tool_calls[0].secs == pytest.approx(0.2)
    assert repr(running.call.tool_calls[0]) == "<book(n=2) returned after 0.200 s: {'ok': True}>"
    running.end()
    assert tools()[3] == ("hang", "cancelled", None, "the call ended")


def test_the_context_is_what_the_llm_was_given(running: Running):
    for count in (1, 2):
        messages = [{"role": "user", "content": "hi"}] * count
        running.log.append(ev.ContextSent(at=1.0, messages=messages, tools=[]))
    assert [len(messages) for messages in running.call.context] == [1, 2]


def test_values_follow_the_log(running: Running):
    assert len(running.call.transcript) == 0
    running.log.append(ev.WordSpoken(at=1.0, text="Hello"))
    assert [entry.text for entry in running.call.transcript] == ["Hello"]
    assert running.call.transcript is running.call.transcript  # built once for each length


def test_the_recording_is_an_array_that_knows_its_rate(running: Running):
    running.recorder.write_agent(0.0, np.full(RATE, 5, np.int16), RATE)
    running.recorder.write_caller(0.0, np.full(480, 3, np.int16), RATE)
    growing = running.call.recording
    assert growing.shape == (RATE, 2)
    running.end()
    recording = running.call.recording
    assert recording is running.call.recording
    assert recording.dtype == np.int16
    assert (recording.shape, recording.sample_rate, recording.duration) == ((48000, 2), RATE, 2.0)
    assert recording[:RATE].duration == 1.0
    assert (recording.agent[:RATE] == 5).all()
    assert (recording.caller[:480] == 3).all()
    assert type(recording.agent) is np.ndarray
    assert repr(recording) == "<Recording: 2.00 s, 24000 Hz, caller and agent>"
    assert repr(recording[:2, 0]) == repr(np.array([3, 3], np.int16))
    assert float(recording.max()) == 5.0
    with pytest.raises(ValueError, match="read-only"):
        recording[0, 0] = 1
    copy = pickle.loads(pickle.dumps(recording))
    assert isinstance(copy, Recording)
    assert copy.sample_rate == RATE


def test_the_text_of_a_call_is_a_page(running: Running):
    running.listen()
    running.log.append(ev.UserTextTyped(at=0.2, text="a table for two"))
    running.log.append(ev.LLMTextGenerated(at=0.5, text="Done."))
    running.log.append(ev.ToolCalled(at=0.3, name="book", arguments={"size": 2}, number=1))
    running.log.append(ev.ToolReturned(at=0.4, name="book", number=1, result="ok"))
    running.log.append(ev.AudioSynthesized(at=0.6))
    running.log.append(ev.AgentSpeechStarted(at=0.7))
    running.log.append(ev.WordSpoken(at=0.7, text="Done."))
    running.log.append(ev.AgentSpeechStopped(at=1.2, cause="finished"))
    running.end()
    assert str(running.call).splitlines() == [
        "<Call sim-1: ended (caller_hung_up), 2.0 s, 1 turn>",
        "",
        "00:00.2  caller  a table for two [typed]",
        "00:00.3  tool    book(size=2) returned after 0.100 s: 'ok'",
        "00:00.7  agent   Done.",
        "",
        "Latency in milliseconds:",
        "     at  vad  turn  transcript  llm  tts  output  total  caller",
        "00:00.2    0     0           0  300  100     100    500  a table for two",
    ]
