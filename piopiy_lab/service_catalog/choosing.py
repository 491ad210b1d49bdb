"""``stack("auto")``: the best of what is usable here, and why."""

from __future__ import annotations

from dataclasses import dataclass

from piopiy_lab.events.values import ServiceKind
from piopiy_lab.service_catalog.entries import OFFLINE, Entry, catalog
from piopiy_lab.service_catalog.environment import Environment
from piopiy_lab.service_catalog.usable import Usability, usability

_OFFLINE_REASONS = {
    "stt": "it hears the phrases that it is given, and needs nothing",
    "llm": "it follows rules, and needs nothing",
    "tts": "a synthetic voice that needs nothing",
}


@dataclass(frozen=True)
class Choice:
    """What was chosen for one kind, and why."""

    kind: ServiceKind
    entry: Entry | None  # None: this package's own offline service
    reason: str

    @property
    def name(self) -> str:
        """The short name."""
        return OFFLINE if self.entry is None else self.entry.name


def choose(kind: ServiceKind, environment: Environment, models: object = None) -> Choice:
    """Return the best service of a kind that can be used right now.

    Best is the catalog's order: providers in the cloud by latency and quality, then local ones
    whose weights are there already (a download is never started behind the user's back), then
    this package's own.

    Args:
        kind: The kind.
        environment: Where keys are.
        models: What ``stack(..., models=)`` was given: where the weights of local ones are.
    """
    ranked = sorted(
        (one for one in catalog().entries.values() if one.kind == kind and one.auto is not None),
        key=lambda one: one.auto or 0,
    )
    passed: list[str] = []
    for entry in ranked:
        found = usability(entry, environment, models)
        if found.at_once:
            return Choice(kind, entry, _why(entry, environment, passed))
        passed.append(f"{entry.name} ({_lacks(found)})")
    before = f"{', '.join(passed[:3])} and {len(passed) - 3} more"
    return Choice(kind, None, f"{_OFFLINE_REASONS[kind]}; no provider is usable here: not {before}")


def _why(entry: Entry, environment: Environment, passed: list[str]) -> str:
    if entry.local:
        reason = "runs here" + (", and its weights are here" if entry.weights else "")
    else:
        key = next((v for v in entry.env.values() if v in environment), None)
        reason = f"{key} is set" if key else "its credentials file is there"
    reason += " and it is installed"
    if passed:
        more = f" and {len(passed) - 2} more" if len(passed) > 2 else ""
        reason += f"; before it come {', '.join(passed[:2])}{more}"
    else:
        reason += ", and it is the first choice"
    return reason


def _lacks(found: Usability) -> str:
    if found.variables:
        return f"no {found.variables[0]}"
    if found.packages:
        return "not installed"
    if found.unsupported:
        return "not for this Python or system"
    return "no server" if found.server else "not downloaded"
