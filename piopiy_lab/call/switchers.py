"""A call's service switchers, as its events tell of them: running or saved, without pipecat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from piopiy_lab import events as ev
from piopiy_lab.events.log import EventLog
from piopiy_lab.events.values import SERVICE_KINDS, ServiceKind


@dataclass(frozen=True)
class Switcher:
    """One switcher and its services, at one moment.

    Attributes:
        kind: "stt", "llm" or "tts".
        services: Name to class name, in the order in which they were given. The names are what
            ``call.switch_service(name)`` takes.
        active: The name of the service at work.
        strategy: "manual", "failover", or the strategy's class name.
    """

    kind: ServiceKind
    services: Mapping[str, str]
    active: str
    strategy: str

    def __repr__(self) -> str:
        names = ", ".join(f"[{n}]" if n == self.active else n for n in self.services)
        return f"<Switcher {self.kind} ({self.strategy}): {names}>"


def read_switchers(log: EventLog) -> dict[str, Switcher]:
    """Return a call's switchers by kind, as they stand; empty when it has none."""
    started = log.of(ev.PipelineStarted)
    if not started:
        return {}
    switchers: dict[str, Switcher] = {}
    for kind in SERVICE_KINDS:
        if (told := started[-1].switchers.get(kind)) is None:
            continue
        active = told["active"]
        for switched in log.of(ev.ServiceSwitched):
            if switched.kind == kind and switched.at >= started[-1].at:
                active = switched.new
        switchers[kind] = Switcher(kind, dict(told["services"]), active, told["strategy"])
    return switchers
