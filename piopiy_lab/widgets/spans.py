"""What the plot draws: stretches of time on lanes, and single moments; from events, one by one.

Pure. A span is ``[id, lane, start, end, label]`` with times in seconds of the call's clock and
``end`` None while it is open; a mark is ``[at, kind, label]``.
"""

from __future__ import annotations

from typing import Any

from piopiy_lab import events as ev
from piopiy_lab.display.wording import called, compact

Span = list[Any]
Mark = list[object]


class Spans:
    """Collects a call's spans and marks. For one thread at a time."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.marks: list[Mark] = []
        self._open: dict[str, Span] = {}  # lane, or lane and number -> the open span
        self._changed: set[int] = set()  # ids of spans that changed since take()
        self._marked = 0  # marks that take() has given

    def take(self) -> tuple[list[Span], list[Mark]]:
        """Return the spans that changed and the marks that came since the last time."""
        spans = [self.spans[i] for i in sorted(self._changed)]
        marks = self.marks[self._marked :]
        self._changed.clear()
        self._marked = len(self.marks)
        return spans, marks

    def restart(self) -> None:
        """Let the next :meth:`take` give everything again."""
        self._changed = set(range(len(self.spans)))
        self._marked = 0

    def add(self, event: ev.Event) -> None:
        """Take one event, in the order of the log."""
        match event:
            case ev.UserSpeechStarted():
                self._begin("user", max(0.0, event.at - event.start_secs))
            case ev.UserSpeechStopped():
                self._end("user", event.at - event.stop_secs)
            case ev.UserTurnStarted():
                self._begin("turn", event.at)
            case ev.UserTurnStopped():
                self._end("turn", event.at)
            case ev.AgentSpeechStarted():
                self._begin("agent", event.at)
            case ev.AgentSpeechStopped():
                self._end("agent", event.at, "" if event.cause == "finished" else event.cause)
            case ev.AgentSpeechHeld():
                self._begin("held", event.at, "ducked" if event.how == "duck" else "")
            case ev.AgentSpeechResumed():
                self._end("held", event.at)
            case ev.UserMuted(muted=True):
                self._begin("muted", event.at)
            case ev.UserMuted():
                self._end("muted", event.at)
            case ev.ToolCalled():
                label = called(event.name, event.arguments)
                self._begin("tool", event.at, label, key=f"tool {event.number}")
            case ev.ToolReturned():
                result = event.error or compact(event.result, 60)
                self._end("tool", event.at, f" → {result}", key=f"tool {event.number}")
            case ev.ToolCancelled():
                self._end("tool", event.at, f" {event.cause}", key=f"tool {event.number}")
            case ev.CallEnded():
                for key in list(self._open):
                    self._end("", event.at, key=key)
            case _:
                if isinstance(event, ev.AgentInterrupted):
                    self._end("held", event.at)
                mark = _mark(event)
                if mark is not None:
                    self.marks.append(mark)

    def _begin(self, lane: str, start: float, label: str = "", key: str | None = None) -> None:
        key = key or lane
        if key in self._open:
            return
        span: Span = [len(self.spans), lane, round(start, 3), None, label]
        self._open[key] = span
        self.spans.append(span)
        self._changed.add(span[0])

    def _end(self, lane: str, end: float, more: str = "", key: str | None = None) -> None:
        span = self._open.pop(key or lane, None)
        if span is not None:
            span[3] = round(max(end, span[2]), 3)
            span[4] += more
            self._changed.add(span[0])


def _mark(event: ev.Event) -> Mark | None:
    at = round(event.at, 3)
    match event:
        case ev.AgentInterrupted():
            return [at, "interrupted", f"interrupted by {_BY.get(event.cause, event.cause)}"]
        case ev.BackchannelHeard():
            what = "aside" if event.aside else "backchannel"
            said = f": {compact(event.text, 40)}" if event.text else ""
            return [round((event.start + event.end) / 2, 3), "backchannel", f"{what}{said}"]
        case ev.TurnPredicted():
            word = "complete" if event.complete else "incomplete"
            came = _CAME.get(event.outcome, "")
            return [at, "turn-model", f"Smart Turn: {word} ({event.probability:.2f}){came}"]
        case ev.ServiceSwitched():
            how = "" if event.cause == "manual" else f" ({event.cause})"
            return [at, "switched", f"{event.kind}: {event.old} → {event.new}{how}"]
        case ev.SettingsChanged():
            new = ", ".join(f"{name} {value:g}" for name, value in event.new.items())
            return [at, "settings", new]
        case ev.InstructionsChanged():
            return [at, "settings", "new instructions"]
        case ev.DTMFReceived():
            return [at, "key", f"key {event.digit}"]
        case ev.ErrorOccurred() | ev.TurnLost():
            return [at, "error", event.message]
        case ev.AudioDropped():
            return [at, "dropped", f"{event.secs * 1000:.0f} ms {event.where} {event.cause}"]
        case _:
            return None


_CAME = {"again": ", looks again", "void": ", void: the caller spoke on"}
_BY = {"user": "the caller", "typed": "a typed turn", "keypad": "a key", "command": "command"}
