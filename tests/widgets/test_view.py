"""The widgets without a page: messages in, messages out, and nothing when nobody looks."""

from __future__ import annotations

import threading

import pytest

from piopiy_lab import Call
from piopiy_lab import events as ev
from piopiy_lab.errors import ArgumentTypeError, CallEndedError
from piopiy_lab.events.log import EventLog
from piopiy_lab.session import commands
from piopiy_lab.sound.recorder import Recorder
from piopiy_lab.widgets import Panel, ServiceSwitch, Transcript, VADPlot
from piopiy_lab.widgets.commands import obey
from piopiy_lab.widgets.pump import GONE_SECS, Pump


class Port:
    """Takes a call's commands down."""

    def __init__(self) -> None:
        self.asked: list[commands.Command] = []
        self.agent = type("Agent", (), {"instructions": "Be kind."})()
        self.error = None
        self.services = {"stt": "A", "tts": "B"}
        self.loop_thread_ident = None

    def send(self, command: commands.Command) -> None:
        self.asked.append(command)


@pytest.fixture
def running():
    port, log = Port(), EventLog(lambda: 3.0)
    return Call(log, Recorder(24000), port, {"call_id": "call-1"}), port, log


@pytest.mark.parametrize("kind", [Panel, VADPlot, Transcript, ServiceSwitch])
def test_every_view_has_a_stable_repr_and_takes_only_calls(kind, running):
    call, _, _ = running
    assert repr(kind(call)) == f"<{kind.__name__} of call-1>"
    with pytest.raises(ArgumentTypeError, match="give a Call"):
        kind("calls/first")


def test_nothing_is_sent_before_a_page_says_hello(running, monkeypatch):
    call, _, log = running
    view = Panel(call)
    sent = []
    monkeypatch.setattr(view, "send", lambda content, buffers=None: sent.append(content))
    log.append(ev.NoticeGiven(at=1.0, message="hm"))
    assert not any(t.name == "piopiy-lab-panel" for t in threading.enumerate())
    view._on_message(view, {"kind": "hello"}, [])
    assert sent[0]["reset"]
    view.close()


def test_commands_reach_the_call(running):
    call, port, _ = running
    for message, asked in [
        ({"kind": "say", "text": "Hello."}, commands.Say("Hello.")),
        ({"kind": "user_says", "text": "hi"}, commands.UserSays("hi")),
        ({"kind": "press", "digits": "12#"}, commands.Press("12#")),
        ({"kind": "mute", "muted": True}, commands.Mute(True)),
        ({"kind": "tune", "settings": {"stop_secs": 0.3}}, commands.Tune({"stop_secs": 0.3})),
        ({"kind": "interrupt"}, commands.Interrupt()),
        ({"kind": "hang_up"}, commands.HangUp()),
    ]:
        assert obey(call, message) is None
        assert port.asked[-1] == asked
    assert obey(call, {"kind": "instructions", "text": "Be brief."}) is None
    assert port.agent.instructions == "Be brief."


@pytest.mark.parametrize(
    "message",
    [
        None,
        3,
        [],
        {},
        {"kind": None},
        {"kind": ["say"]},
        {"kind": "__class__"},
        {"kind": "say"},
        {"kind": "say", "text": 5},
        {"kind": "say", "text": "x" * 30_000},
        {"kind": "mute", "muted": "yes"},
        {"kind": "tune", "settings": []},
        {"kind": "tune", "settings": {"stop_secs": "0.2"}},
        {"kind": "tune", "settings": {"stop_secs": float("nan")}},
        {"kind": "tune", "settings": {f"k{i}": 1 for i in range(99)}},
        {"kind": "press", "digits": "1a"},
    ],
)
def test_a_bad_message_is_refused_and_nothing_raises(running, message):
    call, port, _ = running
    refusal = obey(call, message)
    assert refusal is not None
    assert refusal["kind"] == "refused"
    assert refusal["why"]
    assert port.asked == []


def test_what_the_call_refuses_is_told_to_the_page(running):
    call, _, log = running
    log.append(ev.CallEnded(at=3.0, reason="hung_up"))
    refusal = obey(call, {"kind": "say", "text": "still there?"})
    assert refusal is not None
    assert "has ended (hung_up)" in refusal["why"]
    with pytest.raises(CallEndedError):
        call.say("x")


class Pulled:
    def __init__(self, times: int) -> None:
        self.left = times
        self.done = threading.Event()

    def pull(self) -> bool:
        self.left -= 1
        if self.left <= 0:
            self.done.set()
        return self.left > 0


def test_the_pump_rests_when_a_view_has_nothing_more():
    pump, view = Pump(), Pulled(3)
    pump.add(view)
    assert view.done.wait(5)
    thread = pump._thread
    if thread is not None:
        thread.join(5)
    assert pump._thread is None
    assert view.left == 0


def test_the_pump_forgets_a_page_that_was_not_heard_of():
    clock = [0.0]
    pump, view = Pump(clock=lambda: clock[0]), Pulled(10**9)
    pump.add(view)
    clock[0] = GONE_SECS + 1
    thread = pump._thread
    assert thread is not None
    thread.join(5)
    assert not thread.is_alive()
