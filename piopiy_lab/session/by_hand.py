"""What somebody did to a running call by hand, as ``meta.json`` keeps it, for its replay. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from piopiy_lab.checks.json_values import Record
from piopiy_lab.errors import PiopiyLabError
from piopiy_lab.session.commands import (
    AgentCommand,
    Interrupt,
    Press,
    Say,
    SwitchService,
    Transfer,
    Tune,
    UserSays,
)

_KNOWN: Mapping[str, type[Any]] = {
    kind.verb: kind for kind in (Say, Interrupt, Tune, SwitchService, Transfer)
}


def told(command: AgentCommand, at: float, services: Mapping[str, object]) -> Record | None:
    """Return the record of a command; None of what the caller's own events tell.

    Args:
        command: What was asked for.
        at: The call's seconds.
        services: The agent's, by name.
    """
    match command:
        case UserSays() | Press():
            return None
        case SwitchService(service=service):
            names = [name for name, known in services.items() if known is service]
            given: Record = {"service": names[0] if names else str(service)}
        case _:
            given = {name: value for name, value in asdict(command).items() if value is not None}
    return {"at": round(at, 6), "does": command.verb, **given}


def command_of(record: Mapping[str, object]) -> AgentCommand | None:
    """Return what a record asks for; None if it is no record, or another version's."""
    made = _KNOWN.get(str(record.get("does")))
    if made is None:
        return None
    given = {str(name): value for name, value in record.items() if name not in ("at", "does")}
    try:
        return cast("AgentCommand", made(**given))
    except (TypeError, PiopiyLabError):
        return None


def done_by_hand(meta: Mapping[str, object]) -> list[tuple[float, Record]]:
    """Return what was done to a call by hand, from its meta: the call's seconds, and the record."""
    kept = meta.get("by_hand")
    found: list[tuple[float, Record]] = []
    for one in kept if isinstance(kept, list) else ():
        if isinstance(one, dict) and isinstance(one.get("at"), int | float) and command_of(one):
            found.append((float(one["at"]), cast("Record", one)))
    return found
