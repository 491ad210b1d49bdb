"""What a call's services reported that is paid for, and what it cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from piopiy_lab import events as ev
from piopiy_lab.events.log import EventLog

#: By service, by unit.
Usage = Mapping[str, Mapping[str, float]]


def usage_of(log: EventLog) -> dict[str, dict[str, float]]:
    """Return what each service of a call reported in tokens and characters, by its name.

    A service that reported nothing has nothing; that it took part is known all the same.
    """
    used: dict[str, dict[str, float]] = {}
    for started in log.of(ev.PipelineStarted):
        for name in started.services.values():
            used.setdefault(name, {})
    for switched in log.of(ev.ServiceSwitched):
        used.setdefault(switched.new, {})
    for metric in log.of(ev.MetricsReported):
        if metric.unit in ("tokens", "characters"):
            of = used.setdefault(metric.service, {})
            of[metric.name] = of.get(metric.name, 0.0) + metric.value
    return used
