"""Who calls: what a user gives as ``callers=``, by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Protocol, runtime_checkable

from piopiy_lab.call.call import Call
from piopiy_lab.call.packed_file import SUFFIX
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, SavedCallError
from piopiy_lab.experiments.figures.made_of import made_of, units_by_print
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.saving import ROWS, load_calls
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.steps import AudioFile

#: One who calls.
One = Caller | AudioFile | Call


@runtime_checkable
class ManyCalls(Protocol):
    """What ``simulate_many`` gives: its calls can call again."""

    @property
    def rows(self) -> tuple[CallRow, ...]:
        """All rows."""
        ...

    def call(self, row: CallRow) -> Call:
        """Return the call behind a row."""
        ...


Callers = One | Mapping[str, One] | Sequence[One] | ManyCalls | str | PathLike[str]


class Named(dict[str, Caller | AudioFile]):
    """Who calls, by name.

    Attributes:
        units: By name, of whom a caller is a recording, where several are of one and the same.
    """

    def __init__(
        self, callers: Mapping[str, Caller | AudioFile], units: Mapping[str, str] | None = None
    ) -> None:
        """Take them."""
        super().__init__(callers)
        often = Counter((units or {}).values())
        self.units = {name: unit for name, unit in (units or {}).items() if often[unit] > 1}

    def count(self) -> int:
        """Return how many different callers they are."""
        return len({self.units.get(name, name) for name in self})


def callers_of(callers: Callers) -> Named:
    """Return who calls, by name: of a list "caller-1", "caller-2"; of a saved call its id.

    Calls of one batch are called as their callers were, where each called once; else by their ids.
    Several saved runs of one caller are callers of their own names, and one unit.

    Args:
        callers: One caller or several, by name or in a list; a ``Call`` stands for its caller; a
            path is a folder of saved calls, or one saved call; or ``Calls``, those that were kept.

    Raises:
        ArgumentError: There are none, or two of a name.
        ArgumentTypeError: It is something else.
        SavedCallError: There are no saved calls.
    """
    if isinstance(callers, Named):
        return callers
    units: dict[str, str] = {}
    if isinstance(callers, str | PathLike):
        callers, units = _saved(Path(callers).expanduser())
    elif isinstance(callers, ManyCalls):
        callers, units = _of_many(callers)
    if isinstance(callers, One):
        callers = [callers]
    if isinstance(callers, Mapping):
        pairs = [(_checked_name(name), one) for name, one in callers.items()]
    elif isinstance(callers, Sequence):
        pairs = [(_name_of(one, number), one) for number, one in enumerate(callers, 1)]
    else:
        without_end = " that may have no end" if isinstance(callers, Iterable) else ""
        raise ArgumentTypeError(
            f"callers={callers!r}{without_end}: give a list or a dict of callers, "
            "{'polite': Caller()...}, or a folder of saved calls"
        )
    if not pairs:
        raise ArgumentError("callers is empty: give one at least, {'polite': Caller()...}")
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArgumentError(
            f"two callers are called {twice[0]!r}: give a dict, so that each has a name of its own"
        )
    recorded = {name: one for name, one in pairs if isinstance(one, Call)}
    prints = [made_of(call.meta) for call in recorded.values()]
    return Named(
        {name: _one(name, one) for name, one in pairs},
        units or units_by_print(prints, list(recorded)),
    )


def _one(name: str, one: object) -> Caller | AudioFile:
    if isinstance(one, Call):
        return Caller.from_call(one)
    if not isinstance(one, Caller | AudioFile):
        raise ArgumentTypeError(f"the caller {name!r} is {one!r}: give a Caller, or a Call")
    if isinstance(one, Caller) and not one.steps:
        raise ArgumentError(f"the caller {name!r} does nothing: Caller() has no steps")
    return one


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise ArgumentTypeError(f"a caller's name is {name!r}: give a text")
    if "/" in name or "\\" in name:
        raise ArgumentError(f"a caller's name is {name!r}: leave out slashes, folders are named so")
    return name


def _name_of(one: object, number: int) -> str:
    return one.call_id if isinstance(one, Call) else f"caller-{number}"


def _of_many(calls: ManyCalls) -> tuple[dict[str, One], dict[str, str]]:
    kept = [row for row in calls.rows if row.kept]
    if not kept:
        raise ArgumentError("none of these calls was kept, so none can call again: keep='all'")
    names = _names_of(kept)
    found: dict[str, One] = {name: calls.call(row) for name, row in zip(names, kept, strict=True)}
    return found, {name: row.whose for name, row in zip(names, kept, strict=True)}


def _names_of(rows: Sequence[CallRow]) -> list[str]:
    """Return what calls that call again are called: as their callers, where each called once.

    Else by their ids, "polite-2"; those of several batches may be the same, and get numbers.
    """
    callers, ids = [row.caller for row in rows], [row.call_id for row in rows]
    often = Counter(callers)
    mixed = [c if often[c] == 1 else i for c, i in zip(callers, ids, strict=True)]
    numbered = [f"{row.index:05d}-{row.call_id}" for row in rows]
    return next((names for names in (mixed, ids) if len(set(names)) == len(names)), numbered)


def _saved(folder: Path) -> tuple[dict[str, One], dict[str, str]]:
    """Return the calls in a folder by name, and of whom they are, as far as the folder says it."""
    if (folder / "events.jsonl").is_file() or _is_packed(folder):
        return {folder.name.removesuffix(SUFFIX): Call.load(folder)}, {}
    if not folder.is_dir():
        raise SavedCallError(f"{folder} is no folder; give one with saved calls in it")
    if (folder / ROWS).is_file():  # of many that were saved together
        saved = load_calls(folder)
        kept = [row for row in saved.rows if row.index in saved.files]
        if not kept:
            raise SavedCallError(f"{folder} has no saved call in it, only rows: keep='all' keeps")
        named = list(zip(_names_of(kept), kept, strict=True))
        calls: dict[str, One] = {n: Call.load(saved.files[row.index]) for n, row in named}
        return calls, {name: row.whose for name, row in named}
    places = sorted(
        place
        for place in folder.iterdir()
        if (place / "events.jsonl").is_file() or _is_packed(place)
    )
    if not places:
        raise SavedCallError(f"{folder} has no saved call in it; give the folder that holds them")
    return {place.name.removesuffix(SUFFIX): Call.load(place) for place in places}, {}


def _is_packed(place: Path) -> bool:
    return place.suffix == SUFFIX and place.is_file()
