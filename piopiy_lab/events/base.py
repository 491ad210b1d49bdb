"""The base of every event, and reading one back from a saved log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar

from piopiy_lab.errors import SavedCallError


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


def from_json(line: str) -> Event:
    """Read one line of a saved log.

    Raises:
        SavedCallError: The line is no JSON object with a type and a time.
    """
    try:
        record = json.loads(line)
        kind, at = record["type"], float(record["at"])
    except (ValueError, KeyError, TypeError) as error:
        raise SavedCallError(
            f"this line of events.jsonl is no event: {line[:80]!r} ({error}); "
            'expected {"type": ..., "at": ..., ...}'
        ) from error
    return _make(str(kind), at, record)


def _make(kind: str, at: float, record: Mapping[str, object]) -> Event:
    cls = Event.kinds.get(kind)
    values = {name: value for name, value in record.items() if name not in ("type", "at")}
    if cls is not None:
        known = {f.name for f in fields(cls)}
        try:
            return cls(at=at, **{k: v for k, v in values.items() if k in known})
        except TypeError:  # a field of this version is missing: keep what was written
            pass
    return UnknownEvent(at=at, name=kind, record=values)
