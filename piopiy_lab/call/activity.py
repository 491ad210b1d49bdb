"""What the agent does at this moment, read from a call's events as they come."""

from __future__ import annotations

from piopiy_lab import events as ev
from piopiy_lab.events.values import Activity


class ActivityReader:
    """Follows a call's events; pure. For one thread at a time, and :attr:`now` for any."""

    def __init__(self) -> None:
        """Begin before the first event."""
        self.now: Activity = "idle"
        self._speech = self._turn = False  # the caller speaks; the caller has the turn
        self._speaking = self._thinking = False
        self._tools: set[int] = set()  # those that run, by number

    def add(self, event: ev.Event) -> None:
        """Take an event, in the order of the log; the same one twice changes nothing."""
        match event:
            case ev.UserSpeechStarted():
                self._speech = True
            case ev.UserSpeechStopped():
                self._speech = False
            case ev.UserTurnStarted():
                self._turn, self._thinking = True, False
            case ev.UserTurnStopped():
                self._turn, self._thinking = False, True
            case ev.UserTextTyped() | ev.LLMResponseStarted() | ev.SpeechRequested():
                self._thinking = True
            case ev.ToolCalled():
                self._tools.add(event.number)
            case ev.ToolReturned() | ev.ToolCancelled():
                self._tools.discard(event.number)
            case ev.AgentSpeechStarted():
                self._speaking, self._thinking = True, False
            case ev.AgentSpeechStopped():
                self._speaking = False
            case ev.AgentInterrupted() | ev.TurnLost():
                self._thinking = False
            case ev.CallEnded():
                self._speech = self._turn = self._speaking = self._thinking = False
                self._tools.clear()
            case _:
                return
        self.now = self._judge()

    def _judge(self) -> Activity:
        if self._speech or self._turn:
            return "hearing"
        if self._speaking:
            return "speaking"
        return "thinking" if self._thinking or self._tools else "idle"
