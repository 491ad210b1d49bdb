"""What a turn sweep can be made of: calls, folders of saved ones, labelled recordings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from piopiy_lab.call.call import Call
from piopiy_lab.call.packed_file import SUFFIX
from piopiy_lab.call.record import CallRecord
from piopiy_lab.call.saved import EVENTS
from piopiy_lab.errors import ArgumentError, ArgumentTypeError
from piopiy_lab.sound.pcm import Int16
from piopiy_lab.turn_lab.beside import beside_turns
from piopiy_lab.turn_lab.judged import RATE
from piopiy_lab.turn_lab.robust import sound_of
from piopiy_lab.turn_lab.spans import Span, caller_samples
from piopiy_lab.turn_lab.spoken import SpokenTurn, labelled, turns_of


@dataclass(frozen=True)
class Source:
    """One recording: its name, the caller's sound, and when the caller spoke in it.

    Attributes:
        name: For messages and tables.
        samples: int16, (n,), of the caller alone.
        rate: Hz: 16000 or 8000.
        turns: The caller's turns, in seconds from the first sample.
        begins: What is to be added for the seconds of the recording's own clock.
        sizes: Samples of each frame that it came in; None for 20 ms each.
        beside: ``(start, end)`` in seconds from the first sample of what began no turn.
    """

    name: str
    samples: Int16
    rate: int
    turns: tuple[SpokenTurn, ...]
    begins: float = 0.0
    sizes: tuple[int, ...] | None = None
    beside: tuple[Span, ...] = ()


def sources_of(given: object) -> list[Source]:
    """Return the recordings that a user gave.

    Args:
        given: A call, the folder of a saved one, a folder of such, a pair of a recording and its
            turns; a list of these, or a mapping of names to them.

    Raises:
        ArgumentError: There are none, one holds no turns, or its labels are none.
        ArgumentTypeError: One is something else.
        CallError: A call has no sound.
        SavedCallError, AudioFileError: A file can't be read.
    """
    found = list(_each(given))
    if not found:
        raise ArgumentError(
            "turn_sweep() has no recordings: give calls, folders of saved ones, or pairs of a "
            "recording and its turns, [(samples_or_path, [[(0.5, 1.2), (1.9, 2.4)], ...])]"
        )
    names = [source.name for source in found]
    return [
        source if names.count(source.name) == 1 else _named(source, f"{source.name} ({number})")
        for number, source in enumerate(found, 1)
    ]


def _named(source: Source, name: str) -> Source:
    return replace(source, name=name)


def _each(given: object) -> Iterator[Source]:
    match given:
        case Mapping():
            for name, one in given.items():
                for source in _each(one):
                    yield _named(source, str(name))
        case CallRecord():
            yield _of_call(given)
        case str() | Path():
            yield from _in_folder(Path(given).expanduser())
        case tuple() if len(given) == 2 and _is_labelled(given):
            yield _of_pair(*given)
        case Iterable():
            for one in given:
                yield from _each(one)
        case _:
            raise ArgumentTypeError(
                f"turn_sweep({type(given).__name__}): give calls, folders of saved ones, or pairs "
                "of a recording and its turns"
            )


def _is_labelled(given: tuple[object, ...]) -> bool:
    return not isinstance(given[1], CallRecord | str | Path)


def _in_folder(path: Path) -> Iterator[Source]:
    if (path / EVENTS).is_file() or path.suffix == SUFFIX:
        yield _of_call(Call.load(path), path.name)
        return
    inside = sorted(path.iterdir()) if path.is_dir() else []
    calls = [one for one in inside if (one / EVENTS).is_file() or one.suffix == SUFFIX]
    if not calls:
        raise ArgumentError(
            f"{path} is no saved call, and no folder of them; a sound file needs its turns: "
            f"({str(path)!r}, [[(0.5, 1.2), (1.9, 2.4)], ...])"
        )
    for one in calls:
        yield _of_call(Call.load(one), one.name)


def _of_call(call: CallRecord, name: str | None = None) -> Source:
    sound = sound_of(call)
    turns = turns_of(call)
    if not turns:
        raise ArgumentError(f"call {call.call_id} has no turns of its caller's: nobody spoke")
    begins = sound.begins
    moved = tuple(turn.moved(-begins) for turn in turns)
    beside = tuple((start - begins, end - begins) for start, end in beside_turns(call))
    name = name or call.call_id
    return Source(name, sound.samples, sound.rate, moved, begins, sound.sizes, beside)


def _of_pair(recording: object, turns: object) -> Source:
    name = Path(recording).name if isinstance(recording, str | Path) else "a recording"
    samples = caller_samples(recording)
    try:
        found = labelled(cast("Sequence[Sequence[Sequence[float]]]", turns))
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"the turns of {name} can't be read ({error}): give a list of turns, each a list of "
            "(start, end) of what was said in it, such as [[(0.5, 1.2), (1.9, 2.4)], [(6.0, 7.1)]]"
        ) from error
    secs = len(samples) / RATE
    if found[-1].end > secs + 0.1:
        raise ArgumentError(
            f"the turns of {name} go on until {found[-1].end:g} s, and it has {secs:.1f} s of sound"
        )
    return Source(name, samples, RATE, found)
