"""How a call is set just now: services, detector and turn settings, instructions; from events.

Pure. The page's sliders, switches and boxes show this and nothing else: what a click asked for is
seen when its event has come back.
"""

from __future__ import annotations

import json
import statistics
from typing import Any

from piopiy_lab import events as ev
from piopiy_lab.events.troubles import trouble_in

#: What is opened before a call begins, by what the call is on.
_TO_OPEN = {
    "microphone": "the microphone and the speaker to open",
    "browser": "the browser's microphone: press its button, and allow it",
    "room": "the room",
}


class Desk:
    """A call's settings as they stand. For one thread at a time."""

    def __init__(self) -> None:
        self._changed = True  # since take()
        self._told: dict[str, str] = {}  # name -> its JSON as take() last gave it
        self._settings: dict[str, float] = {}
        self._vad: str | None = None
        self._services: dict[str, str] = {}
        self._switchers: dict[str, dict[str, Any]] = {}  # kind -> services, active
        self._classes: dict[str, dict[str, str]] = {}  # kind -> name -> class, of switchers
        self._ttfb: dict[str, list[float]] = {}  # a service's name -> seconds to first output
        self._errors: list[dict[str, object]] = []
        self._contexts: list[dict[str, object]] = []  # at, messages' count, tokens
        self._contexts_from = 0  # the first that changed since take()
        self._usage = {"prompt_tokens": 0, "completion_tokens": 0, "characters": 0}
        self._origin: str | None = None
        self._open = self._listening = False  # the device or the room; the call
        self._over: dict[str, object] | None = None

    def add(self, event: ev.Event) -> None:
        """Take one event, in the order of the log."""
        match event:
            case ev.CallStarted():
                self._origin = event.origin
            case ev.AudioDeviceOpened() | ev.RoomJoined():
                self._open = True
            case ev.CallStateChanged(new="listening"):
                self._listening = True
            case ev.PipelineStarted():
                self._pipeline(event)
            case ev.SettingsChanged():
                self._settings.update(event.new)
            case ev.ServiceSwitched():
                switcher = self._switchers.setdefault(event.kind, {"services": [], "active": ""})
                for name in (event.old, event.new):
                    if name not in switcher["services"]:
                        switcher["services"].append(name)
                switcher["active"] = event.new
            case ev.MetricsReported(name="ttfb"):
                self._ttfb.setdefault(self._name_of(event.service), []).append(event.value)
            case ev.MetricsReported(name="characters"):
                self._usage["characters"] += int(event.value)
            case ev.MetricsReported(name="prompt_tokens" | "completion_tokens"):
                self._usage[event.name] += int(event.value)
                if self._contexts:
                    self._contexts[-1][event.name] = int(event.value)
                    self._contexts_from = min(self._contexts_from, len(self._contexts) - 1)
            case ev.ContextSent():
                self._contexts.append({"at": round(event.at, 3), "messages": len(event.messages)})
            case ev.ErrorOccurred() | ev.TurnLost():
                if (trouble := trouble_in(event)) is not None:
                    self._errors.append({"text": trouble.what, "remedy": trouble.remedy or ""})
            case ev.CallEnded():
                self._over = {"reason": event.reason, "error": event.error}
            case _:
                return
        self._changed = True

    def _pipeline(self, event: ev.PipelineStarted) -> None:
        self._vad = event.vad
        self._services = dict(event.services)
        self._settings.update(event.vad_params)
        self._settings.update(event.turn_params)
        for kind, described in event.switchers.items():
            self._switchers[kind] = {
                "services": list(described["services"]),
                "active": described["active"],
            }
            self._classes[kind] = dict(described["services"])

    def _name_of(self, service: str) -> str:
        """Return the name of the switcher's service that reports under its class's name."""
        for kind, classes in self._classes.items():
            active = self._switchers[kind]["active"]
            if classes.get(active) == service:
                return active
        return service

    def _waits_for(self) -> str | None:
        """Return what a call that has not begun waits for; None once it listens."""
        if self._listening or self._over is not None:
            return None
        if not self._services:
            return "create_session, which has not come to agent.start() yet"
        if not self._open and self._origin in _TO_OPEN:
            return _TO_OPEN[self._origin]
        if self._origin == "room":
            return "the caller"
        return f"its services: {', '.join(self._services.values())}"

    def forget(self) -> None:
        """Let the next :meth:`take` give everything again."""
        self._told = {}
        self._contexts_from = 0
        self._changed = True

    def take(self) -> tuple[dict[str, object], list[tuple[int, dict[str, object]]]]:
        """Return what changed since the last time: of the record, and numbered contexts."""
        if not self._changed:
            return {}, []
        self._changed = False
        changed: dict[str, object] = {}
        for name, value in self.record().items():
            told = json.dumps(value)
            if self._told.get(name) != told:
                self._told[name] = told
                changed[name] = value
        first, self._contexts_from = self._contexts_from, len(self._contexts)
        return changed, list(enumerate(self._contexts[first:], first))

    def record(self) -> dict[str, object]:
        """Return it as JSON values, without the contexts."""
        return {
            "vad": self._vad,
            "settings": self._settings,
            "services": self._services,
            "switchers": self._switchers,
            "latency": {
                name: {"median": round(statistics.median(secs), 3), "count": len(secs)}
                for name, secs in self._ttfb.items()
            },
            "waits_for": self._waits_for(),
            "usage": self._usage,
            "origin": self._origin,
            "error": self._errors[-1] if self._errors else None,
            "ended": self._over,
        }
