"""What the agent of a call had to do with: the caller and the line, as fingerprints. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from piopiy_lab.checks.json_values import Record

#: What is known of a call's surroundings, in words for whoever reads that it changed.
ASPECTS = ("words", "voice", "manner", "line")


def made_of(meta: Mapping[str, object], line_seed: int = 0) -> dict[str, str]:
    """Return a call's fingerprints by aspect; of an older call, or a live one, those there are.

    Args:
        meta: What ``meta.json`` has of the call.
        line_seed: By how much its line's seed is more than that of the first run.
    """
    told = meta.get("caller")
    found = dict(told) if isinstance(told, Mapping) else {}
    line = meta.get("line")
    if isinstance(line, dict):
        found["line"] = _print(line, line_seed)
    return {name: str(found[name]) for name in ASPECTS if name in found}


def _print(line: Record, moved: int) -> str:
    seed = line.get("seed")
    base = seed - moved if isinstance(seed, int) else seed
    told = json.dumps({**line, "seed": base}, sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def differing_aspects(was: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return which aspects are known of both and differ; a line counts that only one has."""
    return [
        name
        for name in ASPECTS
        if was.get(name) != now.get(name) and (name == "line" or (name in was and name in now))
    ]


def units_by_print(made: Sequence[Mapping[str, str]], names: Sequence[str]) -> dict[str, str]:
    """Return of whom each saved call is, as far as that is known: by the name of their first one.

    The line does not count, and a call of which no words are known is nobody else's.

    Args:
        made: Of each call, its fingerprints.
        names: Of each call, its own name.
    """
    first: dict[tuple[tuple[str, str], ...], str] = {}
    units: dict[str, str] = {}
    for prints, name in zip(made, names, strict=True):
        key = tuple((aspect, prints[aspect]) for aspect in ASPECTS[:3] if aspect in prints)
        if "words" in prints:
            units[name] = first.setdefault(key, name)
    return units
