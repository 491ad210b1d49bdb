"""Which services of a recorded call computed outside of virtual time: said again in a play.

Their 0 ms, or the times that differ from run to run, are those of the recording, and a play has
them too. Runs on the session's loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from piopiy_lab.cassette.tape import Answer
from piopiy_lab.checks.json_values import Record
from piopiy_lab.events import ComputedOutside
from piopiy_lab.events.values import ServiceKind
from piopiy_lab.session.session import Session

#: The kind of their lines; the part is the service's kind.
KIND = "computed"


class Computed:
    """What is on a cassette of services that computed."""

    def __init__(self, recorded: Sequence[Answer]) -> None:
        """Take what is on the cassette."""
        self._lines = [one.asked for one in recorded]
        self._untold = list(self._lines)
        self._new: list[Record] = []  # until there is something to write them on
        self._ask: Callable[[str, str, Record], int] | None = None  # by write_on()

    def note(self, event: ComputedOutside) -> None:
        """Keep that a service computes."""
        line: Record = {
            "computes": event.kind,
            "service": event.service,
            "charged": event.charged,
            "message": event.message,
        }
        if line in self._lines:
            return
        if self._ask is None:
            self._new.append(line)
        else:
            self._ask(KIND, event.kind, line)

    def write_on(self, ask: Callable[[str, str, Record], int]) -> None:
        """Write what was noted, and what will be."""
        self._ask = ask
        for line in self._new:
            ask(KIND, line["computes"], line)
        self._new.clear()

    def tell(self, kind: ServiceKind, session: Session | None) -> None:
        """Say it in a call in which a service of a kind answers from the cassette; once."""
        found = [line for line in self._untold if line["computes"] == kind]
        if not found or session is None:
            return
        self._untold = [line for line in self._untold if line not in found]
        for line in found:
            event = ComputedOutside(
                at=session.now(),
                message=str(line["message"]),
                kind=kind,
                service=str(line["service"]),
                charged=bool(line["charged"]),
            )
            known = session.log.of(ComputedOutside)  # of what was asked live
            if not any((one.kind, one.service) == (kind, event.service) for one in known):
                session.log.append(event)
