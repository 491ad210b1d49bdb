"""Who calls: what a user gives as ``callers=``, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path

from piopiy_lab.call.call import Call
from piopiy_lab.call.packed_file import SUFFIX
from piopiy_lab.errors import ArgumentError, ArgumentTypeError, SavedCallError
from piopiy_lab.experiments.saving import CALLS, ROWS
from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.steps import AudioFile

#: One who calls.
One = Caller | AudioFile | Call
Callers = One | Mapping[str, One] | Sequence[One] | str | PathLike[str]


def callers_of(callers: Callers) -> dict[str, Caller | AudioFile]:
    """Return who calls, by name: of a list "caller-1", "caller-2"; of a saved call its id.

    Args:
        callers: One caller or several, by name or in a list; a ``Call`` stands for its caller; a
            path is a folder of saved calls, or one saved call.

    Raises:
        ArgumentError: There are none, or two of a name.
        ArgumentTypeError: It is something else.
        SavedCallError: There are no saved calls.
    """
    if isinstance(callers, str | PathLike):
        callers = _saved(Path(callers).expanduser())
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
    return {name: _one(name, one) for name, one in pairs}


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


def _saved(folder: Path) -> dict[str, One]:
    if (folder / "events.jsonl").is_file() or _is_packed(folder):
        return {folder.name.removesuffix(SUFFIX): Call.load(folder)}
    if not folder.is_dir():
        raise SavedCallError(f"{folder} is no folder; give one with saved calls in it")
    if (folder / ROWS).is_file():
        folder = folder / CALLS  # of many that were saved together
    places = sorted(
        place
        for place in folder.iterdir()
        if (place / "events.jsonl").is_file() or _is_packed(place)
    )
    if not places:
        raise SavedCallError(f"{folder} has no saved call in it; give the folder that holds them")
    return {place.name.removesuffix(SUFFIX): Call.load(place) for place in places}


def _is_packed(place: Path) -> bool:
    return place.suffix == SUFFIX and place.is_file()
