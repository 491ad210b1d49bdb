"""Fingerprints of a caller: whether two calls had the same one, and what differs. Pure data.

No word can be read from them, so they may be kept where nothing of what was said may be.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np

from piopiy_lab.screenplay.caller import Caller
from piopiy_lab.screenplay.steps import AudioFile, Step
from piopiy_lab.screenplay.voice import Voice

#: What of a step is said, pressed or wanted; the rest is how.
_WHAT = ("text", "pattern", "name", "args", "digits", "what", "audio", "words", "command")
#: What differs without being another caller: where the sound lay in the call it was taken from.
_NOT_THEIRS = ("span", "place")


def prints_of(caller: Caller | AudioFile) -> dict[str, str]:
    """Return a caller's fingerprints: 12 hex digits each, of SHA-256.

    "words": what is said, pressed and waited for, its sound included where it is given as sound;
    "voice": who speaks, and ``vary``; "manner": times, background, and how a recorded line was.
    A file is read for it; one that can't be read goes by its path.
    """
    if isinstance(caller, AudioFile):
        return {"words": _print(caller)}
    line = caller.line
    how = [[_part(step, lambda name: name not in _WHAT) for step in caller.steps]]
    return {
        "words": _print([_part(step, lambda name: name in _WHAT) for step in caller.steps]),
        "voice": _print([caller.voice, caller.vary]),
        "manner": _print(
            [how, caller.background, None if line is None else [line.rate, line.ends, line.noise]]
        ),
    }


def _part(step: Step, wanted: Callable[[str], bool]) -> list[object]:
    names = [one.name for one in fields(step) if one.name not in _NOT_THEIRS and wanted(one.name)]
    return [step.verb, *((name, getattr(step, name)) for name in names)]


def _print(value: object) -> str:
    summed = hashlib.sha256()
    _feed(summed.update, value)
    return summed.hexdigest()[:12]


def _feed(update: Callable[[bytes], None], value: object) -> None:
    """Feed a value, with its type and its bounds, so that no two values are one."""
    update(f"<{type(value).__name__} ".encode())
    match value:
        case None | bool() | int() | float() | str() | Voice():
            update(repr(value).encode("utf-8", "surrogatepass"))
        case np.ndarray():
            update(f"{value.dtype} {value.shape}".encode())
            update(np.ascontiguousarray(value).tobytes())
        case re.Pattern():
            update(f"{value.pattern!r} {value.flags}".encode())
        case AudioFile():
            _feed(update, [Path(value.path), value.channel, value.then_listens])
        case Path():
            _feed_file(update, value)
        case Mapping():
            _feed(update, [list(pair) for pair in value.items()])
        case list() | tuple():
            for one in value:
                _feed(update, one)
        case _ if is_dataclass(value):
            _feed(update, [[one.name, getattr(value, one.name)] for one in fields(value)])
        case _:
            update(getattr(value, "__qualname__", "").encode())
    update(b">")


def _feed_file(update: Callable[[bytes], None], path: Path) -> None:
    """Feed a file's bytes; of a folder (a saved call, clips) the names and bytes of its files."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and file.name != "meta.json":
                update(file.name.encode("utf-8", "surrogatepass"))
                update(hashlib.sha256(file.read_bytes()).digest())
    except OSError:
        update(str(path).encode("utf-8", "surrogatepass"))
