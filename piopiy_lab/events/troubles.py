"""What went wrong in a call, in words: the same ones in every view."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from piopiy_lab.events.base import Event
from piopiy_lab.events.lost_turns import TurnLost
from piopiy_lab.events.services import ErrorOccurred


class Trouble(NamedTuple):
    """Something that went wrong.

    Attributes:
        what: What it was.
        remedy: What to do about it; None where nothing is known.
    """

    what: str
    remedy: str | None

    def __str__(self) -> str:
        return f"{self.what} ({self.remedy})" if self.remedy else self.what


def troubles_in(log: Iterable[Event]) -> list[tuple[float, Trouble]]:
    """Return what went wrong in a call and when, in seconds of its clock."""
    found = ((event.at, trouble_in(event)) for event in log)
    return [(at, trouble) for at, trouble in found if trouble is not None]


def trouble_in(event: Event) -> Trouble | None:
    """Return what an event says that went wrong; None of an event that says nothing of it."""
    match event:
        case ErrorOccurred():
            named = event.message.startswith(event.source)
            what = event.message if named else f"{event.source}: {event.message}"
            return Trouble(what, event.remedy)
        case TurnLost():
            return Trouble(event.message, event.remedy)
        case _:
            return None
