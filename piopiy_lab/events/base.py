"""The base of every event, and how one is written; :mod:`piopiy_lab.events.reading` reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import ClassVar

from piopiy_lab.redaction import redact


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
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        given = ", ".join(f"{name}={value!r}" for name, value in redact(values).items())
        return f"{type(self).__name__}({given})"

    def to_json(self) -> str:
        """Return the event as one line of JSON: ``{"type": ..., "at": ..., ...}``.

        ``at`` is written with microseconds. A value that JSON can't hold (a tool's result of a
        type of its own, say) is written as its ``repr``.
        """
        record: dict[str, object] = {"type": type(self).__name__, "at": self.at}
        record.update(
            {f.name: getattr(self, f.name) for f in fields(self) if f.name != "at"},
        )
        return json.dumps(record, ensure_ascii=False, default=repr)


@dataclass(frozen=True, kw_only=True)
class UnknownEvent(Event):
    """An event of a newer version, read from a saved call."""

    name: str
    record: dict[str, object] = field(default_factory=dict[str, object])
