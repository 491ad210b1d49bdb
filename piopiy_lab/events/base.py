"""The base of every event, and how one is written; :mod:`piopiy_lab.events.reading` reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from piopiy_lab.redaction import redact


def said_if_other(default: Any) -> Any:
    """Return a field that is written and shown only where it isn't its default.

    For what a later version adds to a record: calls that have nothing of it stay as they were.
    """
    return field(default=default, metadata={_SAID_IF_OTHER: True})


_SAID_IF_OTHER = "said_if_other"


@dataclass(frozen=True, kw_only=True)
class Event:
    """The base of every event.

    Attributes:
        at: Seconds of the call's clock, 0.0 when the call was created.
    """

    at: float

    #: Name of the record in a saved log, to the class that reads it. Filled as classes are made.
    kinds: ClassVar[dict[str, type[Event]]] = {}

    def __post_init__(self) -> None:
        # To the microsecond, as a saved log has it: a loaded call equals the one that was saved.
        object.__setattr__(self, "at", round(self.at, 6))

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        Event.kinds[cls.__name__] = cls
        cls.__repr__ = Event.__repr__  # before dataclass writes one, which would show secrets

    def __repr__(self) -> str:
        values = self.told()
        given = ", ".join(f"{name}={value!r}" for name, value in redact(values).items())
        return f"{type(self).__name__}({given})"

    def to_json(self) -> str:
        """Return the event as one line of JSON: ``{"type": ..., "at": ..., ...}``.

        ``at`` is written with microseconds. A value that JSON can't hold (a tool's result of a
        type of its own, say) is written as its ``repr``.
        """
        record: dict[str, object] = {"type": type(self).__name__, "at": self.at}
        record.update({name: value for name, value in self.told().items() if name != "at"})
        return json.dumps(record, ensure_ascii=False, default=repr)

    def told(self) -> dict[str, object]:
        """Return the fields by name, as they are written and shown; ``at`` too."""
        told: dict[str, object] = {}
        for f in fields(self):
            value: object = getattr(self, f.name)
            if _SAID_IF_OTHER not in f.metadata or value != f.default:
                told[f.name] = value
        return told


@dataclass(frozen=True, kw_only=True)
class UnknownEvent(Event):
    """An event of a newer version, read from a saved call."""

    name: str
    record: dict[str, object] = field(default_factory=dict[str, object])
