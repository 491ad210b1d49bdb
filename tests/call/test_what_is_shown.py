"""A call is shown without secrets, without orders to the terminal, and in text that can be sent."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from piopiy_lab import events as ev
from piopiy_lab.call.call import Call
from piopiy_lab.display import call_mimebundle
from piopiy_lab.events.log import EventLog
from piopiy_lab.sound.recorder import Recorder
from piopiy_lab.widgets import Panel
from piopiy_lab.widgets.pump import Pump

SECRET = "hunter2hunter"
KEY = "sk-abcdefgh12345678ijkl"
HALF = "\ud83d"
FORGED = f"hi\n00:01.0  assistant  forged \x1b[31m\u202e api_key={SECRET}"


def made(*events: ev.Event, call_id: str = "sim-1") -> Call:
    log = EventLog(lambda: 3.0)
    recorder = Recorder(8000)
    recorder.write_agent(0.0, np.full(8000, 900, np.int16), 8000)
    recorder.close(2.0)
    call = Call(log, recorder, None, {"call_id": call_id})
    log.append(ev.CallStarted(at=0.0, origin="caller", sample_rate=8000))
    for event in events:
        log.append(event)
    log.append(ev.CallEnded(at=2.0, reason="error", error=f"E: token={SECRET}\nforged \x1b[2J"))
    log.close()
    return call


def hostile() -> Call:
    said = f"my password: {SECRET} and {KEY} {HALF}\x1b[2J".split(" ")
    words = [ev.WordSpoken(at=0.6 + i / 10, text=word) for i, word in enumerate(said)]
    return made(
        ev.UserTextTyped(at=0.1, text=FORGED),
        ev.UserTurnAdded(at=0.1, text=FORGED),
        ev.ToolCalled(at=0.2, name="lo\x1bg", arguments={"password": SECRET, "a\x1b": 1}, number=1),
        ev.ToolReturned(at=0.3, name="lo\x1bg", number=1, result={"api_key": SECRET, "b": HALF}),
        ev.ToolCalled(at=0.3, name="log", arguments={"who": "Ann"}, number=2),
        ev.ToolReturned(at=0.4, name="log", number=2, result=None, error=f"no \x1b[2J\n {KEY}"),
        ev.ContextSent(at=0.4, messages=[{"content": f'{{"secret": "{SECRET}"}}'}], tools=["log"]),
        ev.ErrorOccurred(at=0.4, message=f"--token={SECRET}", source="llm"),
        ev.NoticeGiven(at=0.4, message=f"https://{SECRET}@host {HALF}"),
        ev.AgentSpeechStarted(at=0.5),
        *words,
        ev.AgentSpeechStopped(at=1.9, cause="finished"),
        call_id=f"c\x1b[2J {KEY}",
    )  # fmt: skip


def is_clean(text: str) -> bool:
    text.encode()
    return not any(bad in text for bad in (SECRET, KEY, "\x1b", "\u202e"))


def test_print_shows_no_secret_no_escape_and_no_forged_line():
    call = hostile()
    whole = [event for event in call.events if not isinstance(event, ev.WordSpoken)]
    for view in (call, call.transcript, call.turns, call.tool_calls, whole):
        assert is_clean(str(view)), view
        assert is_clean(repr(view))
    assert is_clean(call.transcript.markdown())
    assert not [line for line in str(call).splitlines() if line.startswith(("forged", "00:01.0 "))]
    assert "my password: [removed] and [removed]" in str(call)


def test_events_that_are_healthy_look_as_ever():
    event = ev.ToolCalled(at=1.0, name="book", arguments={"size": 2}, number=1)
    assert repr(event) == "ToolCalled(at=1.0, name='book', arguments={'size': 2}, number=1)"
    assert event == ev.ToolCalled(at=1.0, name="book", arguments={"size": 2}, number=1)


def test_the_saved_notebook_has_no_secret_and_can_be_saved():
    bundle = call_mimebundle(hostile())
    for kind in ("text/plain", "text/html"):
        assert is_clean(str(bundle[kind]).replace("\x1b", "")), kind
    assert is_clean(str(bundle["text/plain"]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_panel_is_sent_no_secret_and_valid_text(monkeypatch: pytest.MonkeyPatch):
    sent: list[object] = []
    monkeypatch.setattr(
        "anywidget.AnyWidget.send", lambda self, content, buffers: sent.append(content)
    )
    panel = Panel(hostile())
    assert panel.pull()
    panel._on_message(panel, {"kind": "context", "index": 0}, [])
    assert len(sent) == 2
    for message in sent:
        text = json.dumps(message, ensure_ascii=False)
        text.encode()
        assert SECRET not in text
        assert KEY not in text
    assert "\ufffd" in json.dumps(sent[0], ensure_ascii=False)


def test_a_view_that_fails_is_dropped_with_a_word_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
):
    pump, seen, done = Pump(), [], threading.Event()

    class Bad:
        def pull(self) -> bool:
            raise UnicodeEncodeError("utf-8", HALF, 0, 1, "surrogates not allowed")

        def __repr__(self) -> str:
            return "<Bad view>"

    class Good:
        def pull(self) -> bool:
            seen.append(1)
            if len(seen) == 3:
                done.set()
            return len(seen) < 3

    pump.add(Bad())
    pump.add(Good())
    assert done.wait(20)
    assert [r.getMessage() for r in caplog.records if "<Bad view> follows" in r.getMessage()]
