"""A small call, event by event, for the tests of the command."""

from __future__ import annotations

from pathlib import Path

from piopiy_lab import events as ev


def write_log(folder: Path, events: list[ev.Event]) -> None:
    lines = "".join(f"{event.to_json()}\n" for event in events)
    (folder / "events.jsonl").write_text(lines, encoding="utf-8")


def small_call() -> list[ev.Event]:
    return [
        ev.CallStarted(at=0.0, origin="caller", sample_rate=24000),
        ev.CallStateChanged(at=0.1, old="starting", new="listening"),
        ev.AgentSpeechStarted(at=0.5),
        ev.WordSpoken(at=0.5, text="Hello,"),
        ev.WordSpoken(at=0.9, text="who is there?"),
        ev.AgentSpeechStopped(at=1.5, cause="finished"),
        ev.CallerSpoke(at=2.0, text="it is Zoë", end=3.0),
        ev.UserSpeechStarted(at=2.2, cause="vad", start_secs=0.2),
        ev.UserTurnStarted(at=2.2),
        ev.UserSpeechStopped(at=3.2, cause="vad", stop_secs=0.2),
        ev.Transcribed(at=3.2, text="it is Zoe"),
        ev.UserTurnAdded(at=3.2, text="it is Zoe"),
        ev.UserTurnStopped(at=3.2),
        ev.ToolCalled(at=3.2, name="look_up", arguments={"name": "Zoe"}, number=1),
        ev.ToolReturned(at=3.4, name="look_up", number=1, result={"known": True}),
        ev.LLMResponseStarted(at=3.4),
        ev.LLMTextGenerated(at=3.4, text="Welcome back Zoe, how have you been?"),
        ev.AudioSynthesized(at=3.5),
        ev.AgentSpeechStarted(at=3.5),
        ev.WordSpoken(at=3.5, text="Welcome"),
        ev.WordSpoken(at=3.9, text="back"),
        ev.AgentInterrupted(at=4.2, cause="user", speaking=True),
        ev.AgentSpeechStopped(at=4.2, cause="interrupted"),
        ev.CallStateChanged(at=5.0, old="listening", new="ended"),
        ev.CallEnded(at=5.0, reason="hung_up"),
    ]
