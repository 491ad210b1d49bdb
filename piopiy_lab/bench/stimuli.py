"""The stimulus list: what callers say and do beside and in their turns, as data.

``stimuli.json`` was written by hand from how people talk, by another hand than the hold rule's
lexicon. Those of the split "tune" are for setting parameters, those of "accept" for the figures
that are told. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal, get_args

from piopiy_lab.checks.arguments import is_number
from piopiy_lab.errors import ArgumentError, ArgumentTypeError

#: What a stimulus is: a listener's word, words to break in with, a noise or cough, words to
#: somebody else, a turn with a pause in it, and a whole turn, of which the end counts.
Kind = Literal["backchannel", "interruption", "noise", "aside", "pause", "end"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: For setting parameters, or for the figures that are told.
Split = Literal["tune", "accept"]
SPLITS: tuple[Split, ...] = get_args(Split)
#: When it is heard: into the agent's speech, or when the agent is silent.
During = Literal["speech", "silence"]
#: What the caller does, as the methods of ``Caller`` are called; "noise" is a sound of a clip.
MANNERS = ("backchannels", "interrupts", "coughs", "noise", "says_aside", "says")


@dataclass(frozen=True)
class Stimulus:
    """One thing that a caller does.

    Attributes:
        id: Its name, which is the call's, too.
        kind: What it is.
        text: What is said; of a turn with pauses parts, and silences in seconds between them; of a
            sound its name and seed, "cough:3".
        manner: What the caller does: a word of :data:`MANNERS`.
        voice: The caller's, as for ``Caller``.
        during: Whether it is heard in the agent's speech or in its silence.
        after: Seconds from the first sound of the agent's reply, or of its silence.
        split: "tune" or "accept".
        clip: A recording of it, in place of the voice; None without one.
        holds: ``(start, end)`` of a recording's pauses within the turn, in seconds of it.
    """

    id: str
    kind: Kind
    text: str | tuple[str | float, ...]
    manner: str
    voice: str
    during: During
    after: float
    split: Split
    clip: str | None = None
    holds: tuple[tuple[float, float], ...] = ()

    @property
    def words(self) -> str:
        """What is said, with its pauses, in one line."""
        if isinstance(self.text, str):
            return self.text
        return " ".join(p if isinstance(p, str) else f"[{p:g} s]" for p in self.text)


def load_stimuli(
    *, kinds: Iterable[Kind] | None = None, split: Split | None = None
) -> tuple[Stimulus, ...]:
    """Return the list that ships with the package, in its order.

    Args:
        kinds: Only these.
        split: Only this part.

    Raises:
        ArgumentError: No such kind or split.
    """
    wanted = KINDS if kinds is None else tuple(kinds)
    for kind in wanted:
        if kind not in KINDS:
            raise ArgumentError(f"kinds has {kind!r}: the kinds are {', '.join(KINDS)}")
    if split is not None and split not in SPLITS:
        raise ArgumentError(f"split={split!r}: give {' or '.join(map(repr, SPLITS))}, or None")
    return tuple(
        one for one in _shipped() if one.kind in wanted and (split is None or one.split == split)
    )


@lru_cache(maxsize=1)
def _shipped() -> tuple[Stimulus, ...]:
    text = (files("piopiy_lab.bench") / "stimuli.json").read_text("utf-8")
    return read_stimuli(json.loads(text)["stimuli"])


def read_stimuli(records: Sequence[Mapping[str, Any]]) -> tuple[Stimulus, ...]:
    """Return stimuli from JSON records, whose keys are :class:`Stimulus`' first eight attributes.

    Raises:
        ArgumentTypeError: One is no record.
        ArgumentError: One lacks a key or has a value that can't be used, or two have one id.
    """
    found = tuple(_read(place, record) for place, record in enumerate(records, 1))
    names = [one.id for one in found]
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(f"two stimuli have the id {name!r}: give each its own")
    return found


def _read(place: int, record: object) -> Stimulus:
    if not isinstance(record, Mapping):
        raise ArgumentTypeError(f"stimulus {place} is {record!r}: give an object with id, kind ...")
    for key in ("id", "kind", "text", "voice"):
        if key not in record:
            raise ArgumentError(f"stimulus {place} ({record!r}) has no {key!r}")
    words: dict[str, tuple[str, ...]] = {
        "kind": KINDS,
        "split": SPLITS,
        "during": get_args(During),
        "manner": MANNERS,
    }
    kind = record["kind"]
    usual = _USUAL.get(str(kind), ("says", "silence"))
    given = {"split": "accept", "manner": usual[0], "during": usual[1], "after": 1.0, **record}
    for key, known in words.items():
        if given[key] not in known:
            raise ArgumentError(
                f"stimulus {given['id']!r} has {key}={given[key]!r}: give one of {', '.join(known)}"
            )
    after = given["after"]
    if not is_number(after) or not 0 <= after <= 60:
        raise ArgumentError(f"stimulus {given['id']!r} has after={after!r}: give 0 to 60 seconds")
    text = given["text"]
    if isinstance(text, Sequence) and not isinstance(text, str):
        text = tuple(text)
        usable = bool(text) and all(isinstance(part, str) or is_number(part) for part in text)
    else:
        usable = isinstance(text, str)
    if not usable:
        raise ArgumentError(
            f"stimulus {given['id']!r} has text={given['text']!r}: give what is said, or a list of "
            "texts and of pauses in seconds"
        )
    unknown = sorted(set(map(str, given)) - _KEYS)
    if unknown:
        raise ArgumentError(
            f"stimulus {given['id']!r} has {unknown[0]!r}: it may have {', '.join(sorted(_KEYS))}"
        )
    return Stimulus(
        id=str(given["id"]),
        kind=given["kind"],
        text=text,
        manner=given["manner"],
        voice=given["voice"],
        during=given["during"],
        after=float(after),
        split=given["split"],
    )


#: What a record may say.
_KEYS = frozenset({"id", "kind", "text", "voice", "split", "manner", "during", "after"})
#: What the caller does, and when, where a record doesn't say.
_USUAL = {
    "backchannel": ("backchannels", "speech"),
    "interruption": ("interrupts", "speech"),
    "noise": ("noise", "speech"),
    "aside": ("says_aside", "speech"),
}
